//! [`Typed`]: the queue of bytes that were typed and not read yet.

use core::sync::atomic::{AtomicU16, Ordering};

/// The queue's size in bytes, as in Linux's terminals. Bytes that do not fit wait in the devices.
const SIZE: usize = 4096;
/// The byte that Ctrl-C sends.
const CTRL_C: u8 = 0x03;

/// The device on which a byte was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The serial line.
    Serial,
    /// The keyboard.
    Keyboard,
}

/// The typed bytes that were not read yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unread {
    /// Nothing.
    Nothing,
    /// Bytes, without a Ctrl-C among them.
    Bytes,
    /// Bytes with a Ctrl-C among them.
    Interrupt,
}

/// The queue's bytes, each with its source in the upper half. The console's lock guards them, but they
/// are a static of their own, since one that is all zeros takes no room in the image.
static BYTES: [AtomicU16; SIZE] = [const { AtomicU16::new(0) }; SIZE];
/// The upper half of a byte from the keyboard.
const FROM_KEYBOARD: u16 = 1 << 8;

/// The console's queue of typed bytes, the only one.
pub(super) struct Typed {
    first: usize,
    count: usize,
    /// The number of Ctrl-C bytes in the queue.
    interrupts: usize,
}

impl Typed {
    pub(super) const fn new() -> Self {
        Self { first: 0, count: 0, interrupts: 0 }
    }

    /// Whether the bytes of one more key fit.
    pub(super) fn has_room(&self) -> bool {
        self.count + 8 <= SIZE
    }

    /// The kind of bytes in the queue.
    pub(super) fn unread(&self) -> Unread {
        match (self.count, self.interrupts) {
            (0, _) => Unread::Nothing,
            (_, 0) => Unread::Bytes,
            _ => Unread::Interrupt,
        }
    }

    /// Adds a byte, if there is room.
    pub(super) fn push(&mut self, byte: u8, source: Source) {
        if self.count < SIZE {
            let from = if source == Source::Keyboard { FROM_KEYBOARD } else { 0 };
            let place = &BYTES[(self.first + self.count) % SIZE];
            place.store(u16::from(byte) | from, Ordering::Relaxed);
            self.count += 1;
            self.interrupts += usize::from(byte == CTRL_C);
        }
    }

    /// Takes the first byte out.
    pub(super) fn pop(&mut self) -> Option<(u8, Source)> {
        self.count = self.count.checked_sub(1)?;
        let word = BYTES[self.first].load(Ordering::Relaxed);
        let from_keyboard = word & FROM_KEYBOARD != 0;
        let source = if from_keyboard { Source::Keyboard } else { Source::Serial };
        let byte = word as u8;
        self.first = (self.first + 1) % SIZE;
        self.interrupts -= usize::from(byte == CTRL_C);
        Some((byte, source))
    }

    /// Drops all bytes up to the last Ctrl-C; returns false if there is none.
    pub(super) fn drop_interrupted(&mut self) -> bool {
        let any = self.interrupts > 0;
        while self.interrupts > 0 {
            self.pop();
        }
        any
    }
}

#[cfg(test)]
mod tests;
