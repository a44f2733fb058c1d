//! A simulated keyboard controller, an 8042 (IBM PC/AT technical reference, "keyboard controller").

use std::collections::VecDeque;
use std::vec::Vec;

use super::process::{self, RESET_BY_KEYBOARD};

/// Status bits: a byte is waiting; a byte that was written is not taken yet; the waiting one comes from the mouse.
const OUTPUT_FULL: u8 = 1 << 0;
const INPUT_FULL: u8 = 1 << 1;
const FROM_MOUSE: u8 = 1 << 5;
/// Bits of the configuration: the keyboard sends nothing; the mouse sends nothing.
const KEYBOARD_DISABLED: u8 = 1 << 4;
const MOUSE_DISABLED: u8 = 1 << 5;
/// How many times the status is read until a byte is taken.
const SLOWNESS: u32 = 3;

/// The controller.
pub(crate) struct KeyboardController {
    /// Whether the board has one.
    pub present: bool,
    /// Whether it can reset the machine.
    pub resets: bool,
    /// Its configuration, and whether it answers when it is asked for that.
    pub configuration: u8,
    pub answers: bool,
    /// Whether the next byte is its configuration.
    is_configured: bool,
    /// How many more times the status is read until it takes the byte that was written last.
    busy: u32,
    /// Scan codes that the keyboard sends as soon as it may after the configuration was asked for.
    pub late: Vec<u8>,
    is_asked: bool,
    /// Bytes that wait, and whether each comes from the mouse.
    waiting: VecDeque<(u8, bool)>,
}

impl KeyboardController {
    pub(super) const fn new() -> Self {
        Self {
            present: true,
            resets: true,
            configuration: 0x40,
            answers: true,
            is_configured: false,
            busy: 0,
            late: Vec::new(),
            is_asked: false,
            waiting: VecDeque::new(),
        }
    }

    /// Presses and releases keys: sends their scan codes.
    pub(crate) fn send(&mut self, codes: &[u8]) {
        self.waiting.extend(codes.iter().map(|code| (*code, false)));
    }

    /// Moves the mouse, which sends `bytes`.
    pub(crate) fn send_from_mouse(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes.iter().map(|byte| (*byte, true)));
    }

    /// The number of bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn read(&mut self, port: u16) -> u8 {
        if !self.present {
            return 0xFF;
        }
        if port == 0x60 {
            return self.waiting.pop_front().map_or(0, |(byte, _)| byte);
        }
        let is_busy = self.busy > 0;
        self.busy = self.busy.saturating_sub(1);
        let output = match self.waiting.front() {
            None => 0,
            Some((_, false)) => OUTPUT_FULL,
            Some((_, true)) => OUTPUT_FULL | FROM_MOUSE,
        };
        if is_busy { output | INPUT_FULL } else { output }
    }

    /// Whether a byte that is written now is taken, some time later. Before it has taken one, the next is lost.
    fn takes(&mut self) -> bool {
        let takes = self.present && self.busy == 0;
        if takes {
            self.busy = SLOWNESS;
        }
        takes
    }

    /// Takes a byte at the command port.
    pub(super) fn command(&mut self, command: u8) {
        if !self.takes() {
            return;
        }
        if self.resets && command == 0xFE {
            process::end(RESET_BY_KEYBOARD);
        }
        match command {
            0x20 => {
                self.is_asked = true;
                self.send_late();
                if self.answers {
                    self.waiting.push_back((self.configuration, false));
                }
            }
            0xA7 => self.configuration |= MOUSE_DISABLED,
            0xAD => self.configuration |= KEYBOARD_DISABLED,
            0xAE => self.configuration &= !KEYBOARD_DISABLED,
            _ => {}
        }
        self.is_configured = command == 0x60;
    }

    /// Lets the keyboard send what it has for later, if the time has come and it may.
    fn send_late(&mut self) {
        if self.is_asked && self.configuration & KEYBOARD_DISABLED == 0 {
            let late = core::mem::take(&mut self.late);
            self.send(&late);
        }
    }

    /// Takes a byte at the data port.
    pub(super) fn write(&mut self, byte: u8) {
        if self.takes() && self.is_configured {
            self.configuration = byte;
            self.send_late();
        }
    }
}
