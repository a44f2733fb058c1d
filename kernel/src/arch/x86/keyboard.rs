//! The PS/2 keyboard. It receives the keys typed into QEMU's window.
//!
//! The controller (8042) translates to scan code set 1, as firmware sets it up. Keys that move the
//! cursor or delete send a terminal's escape sequences; other keys without a character are dropped.

use pc_keyboard::{
    DecodedKey, HandleControl, KeyCode, KeyState, PS2Keyboard, ScancodeSet1, layouts,
};

use crate::arch::instructions::Port;
use crate::arch::interrupts::{KEYBOARD, MOUSE, allow};

/// The controller's data port, and its status port.
const DATA: u16 = 0x60;
const STATUS: u16 = 0x64;
/// Status bits: a byte is waiting; the controller has not taken a byte yet; the byte comes from the mouse.
const OUTPUT_FULL: u8 = 1 << 0;
const INPUT_FULL: u8 = 1 << 1;
const FROM_MOUSE: u8 = 1 << 5;
/// The value read from a port without a device.
const NO_DEVICE: u8 = 0xFF;

/// Commands: the next byte of the controller is its configuration; the next byte for it is.
const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;
/// Commands: the mouse sends nothing; the keyboard sends nothing; the keyboard sends.
const DISABLE_MOUSE: u8 = 0xA7;
const DISABLE_KEYBOARD: u8 = 0xAD;
const ENABLE_KEYBOARD: u8 = 0xAE;
/// Bits of the configuration: bytes of the keyboard, and of the mouse, interrupt; the keyboard, and the mouse, sends
/// nothing.
const INTERRUPTS: u8 = 1 << 0 | 1 << 1;
const DISABLED: u8 = 1 << 4 | 1 << 5;
/// Readings of the status, about a microsecond each, until a controller has answered or has failed.
const PATIENCE: u32 = 10_000;

/// The keyboard.
pub(crate) struct Keyboard {
    decoder: PS2Keyboard<layouts::Us104Key, ScancodeSet1>,
}

impl Keyboard {
    pub(crate) const fn new() -> Self {
        let control = HandleControl::MapLettersToUnicode;
        Self { decoder: PS2Keyboard::new(ScancodeSet1::new(), layouts::Us104Key, control) }
    }

    /// Lets typed keys interrupt the processor. So does a byte of the mouse, behind which keys would wait. Returns false
    /// if the controller fails, so that somebody must look for keys. Keys that were typed before are lost.
    pub(crate) fn allow_interrupts(&mut self) -> bool {
        if status() == NO_DEVICE {
            return true;
        }
        let configured = Self::configure();
        if configured.is_none() {
            let _ = send(STATUS, ENABLE_KEYBOARD);
        }
        configured.is_some() & allow(KEYBOARD) & allow(MOUSE)
    }

    /// Lets the bytes of keyboard and mouse interrupt; `None` if the controller fails. Meanwhile neither sends any, or one
    /// could be taken for the configuration.
    fn configure() -> Option<()> {
        send(STATUS, DISABLE_KEYBOARD)?;
        send(STATUS, DISABLE_MOUSE)?;
        wait(|status| status & INPUT_FULL == 0)?;
        while Self::next_code().is_some() {}
        send(STATUS, READ_CONFIGURATION)?;
        wait(|status| status & OUTPUT_FULL != 0)?;
        // SAFETY: as in `send`.
        let configuration = unsafe { Port::<u8>::new(DATA).read() };
        send(STATUS, WRITE_CONFIGURATION)?;
        send(DATA, (configuration | INTERRUPTS) & !DISABLED)
    }

    /// Passes the bytes of the next typed key to `each`, as a terminal sends them; `None` if no key
    /// was typed.
    pub(crate) fn try_read(&mut self, mut each: impl FnMut(u8)) -> Option<()> {
        loop {
            let code = Self::next_code()?;
            // An invalid code is dropped; the decoder starts over with the next one.
            let Ok(Some(event)) = self.decoder.add_byte(code) else { continue };
            let (pressed, code) = (event.state != KeyState::Up, event.code);
            // The decoder must see every key, so that it knows which modifiers are held down.
            let decoded = self.decoder.process_keyevent(event);
            // Without Num Lock, a key of the keypad stands for another one.
            let key = match decoded {
                Some(DecodedKey::RawKey(key)) => key,
                Some(DecodedKey::Unicode('\x7f')) => KeyCode::Delete,
                _ => code,
            };
            if let Some(sequence) = sequence(key).filter(|_| pressed) {
                sequence.iter().for_each(|byte| each(*byte));
                return Some(());
            }
            if let Some(DecodedKey::Unicode(c)) = decoded {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(&mut each);
                return Some(());
            }
        }
    }

    /// The next scan code of the keyboard, without waiting.
    fn next_code() -> Option<u8> {
        loop {
            let status = status();
            if status == NO_DEVICE || status & OUTPUT_FULL == 0 {
                return None;
            }
            // SAFETY: as in `send`. Reading only takes a byte out of the controller's buffer.
            let code = unsafe { Port::<u8>::new(DATA).read() };
            if status & FROM_MOUSE == 0 {
                return Some(code);
            }
        }
    }
}

/// The controller's status.
fn status() -> u8 {
    // SAFETY: as in `send`. Reading changes nothing.
    unsafe { Port::<u8>::new(STATUS).read() }
}

/// Waits until the controller's status `is_good`; `None` if that takes too long.
fn wait(is_good: impl Fn(u8) -> bool) -> Option<()> {
    (0..PATIENCE).any(|_| is_good(status())).then_some(())
}

/// Writes a byte to the controller, at one of its two ports; `None` if it takes none.
fn send(port: u16, byte: u8) -> Option<()> {
    wait(|status| status & INPUT_FULL == 0)?;
    // SAFETY: on a PC these two ports belong to the keyboard controller or to no device, and nothing else uses them but
    // the machine's reset.
    unsafe { Port::<u8>::new(port).write(byte) };
    Some(())
}

/// The bytes that a terminal sends for a key without a character (ECMA-48, 5.4; VT220).
fn sequence(code: KeyCode) -> Option<&'static [u8]> {
    Some(match code {
        KeyCode::ArrowUp => b"\x1b[A",
        KeyCode::ArrowDown => b"\x1b[B",
        KeyCode::ArrowRight => b"\x1b[C",
        KeyCode::ArrowLeft => b"\x1b[D",
        KeyCode::Home => b"\x1b[H",
        KeyCode::End => b"\x1b[F",
        KeyCode::Delete => b"\x1b[3~",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
