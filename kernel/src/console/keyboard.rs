//! The PS/2 keyboard, polled: what is typed into QEMU's window.
//!
//! The controller (8042) translates to scan code set 1, as firmware leaves it. Keys without a
//! character, such as arrows, are dropped.

use pc_keyboard::{DecodedKey, HandleControl, PS2Keyboard, ScancodeSet1, layouts};
use x86_64::instructions::port::Port;

/// The controller's data port, and its status port.
const DATA: u16 = 0x60;
const STATUS: u16 = 0x64;
/// Status: a byte is waiting; and it comes from the mouse.
const OUTPUT_FULL: u8 = 1 << 0;
const FROM_MOUSE: u8 = 1 << 5;
/// What a port reads where no device answers.
const NO_DEVICE: u8 = 0xFF;

/// The keyboard.
pub(super) struct Keyboard {
    decoder: PS2Keyboard<layouts::Us104Key, ScancodeSet1>,
}

impl Keyboard {
    pub(super) const fn new() -> Self {
        let control = HandleControl::MapLettersToUnicode;
        Self { decoder: PS2Keyboard::new(ScancodeSet1::new(), layouts::Us104Key, control) }
    }

    /// The next character that was typed, if it is in ASCII.
    pub(super) fn try_read(&mut self) -> Option<u8> {
        loop {
            let code = Self::next_code()?;
            // A code that makes no sense is dropped; the decoder starts over with the next.
            let Ok(Some(event)) = self.decoder.add_byte(code) else { continue };
            if let Some(DecodedKey::Unicode(c)) = self.decoder.process_keyevent(event)
                && let Ok(byte) = u8::try_from(c)
            {
                return Some(byte);
            }
        }
    }

    /// The next scan code of the keyboard, without waiting.
    fn next_code() -> Option<u8> {
        loop {
            // SAFETY: on a PC these two ports are the keyboard controller's or nobody's, and only
            // this function reads them. Reading takes a byte out of its buffer, nothing else.
            let (status, code) = unsafe {
                let status = Port::<u8>::new(STATUS).read();
                if status == NO_DEVICE || status & OUTPUT_FULL == 0 {
                    return None;
                }
                (status, Port::<u8>::new(DATA).read())
            };
            if status & FROM_MOUSE == 0 {
                return Some(code);
            }
        }
    }
}
