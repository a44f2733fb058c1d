//! [`Typed`]: bytes that were typed and that nobody has read yet.

/// Bytes that are kept, as many as Linux keeps for a terminal. What does not fit waits in the devices.
const SIZE: usize = 4096;
/// What Ctrl-C sends.
const CTRL_C: u8 = 0x03;

/// Where a byte was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// On the serial line.
    Serial,
    /// On the keyboard.
    Keyboard,
}

/// A queue of bytes.
pub(super) struct Typed {
    bytes: [(u8, Source); SIZE],
    first: usize,
    count: usize,
    /// How many of them are Ctrl-C.
    interrupts: usize,
}

impl Typed {
    pub(super) const fn new() -> Self {
        Self { bytes: [(0, Source::Serial); SIZE], first: 0, count: 0, interrupts: 0 }
    }

    /// Whether there is room for what one key sends.
    pub(super) fn has_room(&self) -> bool {
        self.count + 8 <= SIZE
    }

    /// Adds a byte, if there is room.
    pub(super) fn push(&mut self, byte: u8, source: Source) {
        if self.count < SIZE {
            self.bytes[(self.first + self.count) % SIZE] = (byte, source);
            self.count += 1;
            self.interrupts += usize::from(byte == CTRL_C);
        }
    }

    /// Takes the first byte out.
    pub(super) fn pop(&mut self) -> Option<(u8, Source)> {
        self.count = self.count.checked_sub(1)?;
        let (byte, source) = self.bytes[self.first];
        self.first = (self.first + 1) % SIZE;
        self.interrupts -= usize::from(byte == CTRL_C);
        Some((byte, source))
    }

    /// Drops all bytes up to the last Ctrl-C; false where there is none.
    pub(super) fn drop_interrupted(&mut self) -> bool {
        let any = self.interrupts > 0;
        while self.interrupts > 0 {
            self.pop();
        }
        any
    }
}
