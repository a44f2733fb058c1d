//! [`Typed`]: bytes that were typed and that nobody has read yet.

/// Bytes that are kept. More than a line: what does not fit waits in the devices.
const SIZE: usize = 256;

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
}

impl Typed {
    pub(super) const fn new() -> Self {
        Self { bytes: [(0, Source::Serial); SIZE], first: 0, count: 0 }
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
        }
    }

    /// Takes the first byte out.
    pub(super) fn pop(&mut self) -> Option<(u8, Source)> {
        self.count = self.count.checked_sub(1)?;
        let byte = self.bytes[self.first];
        self.first = (self.first + 1) % SIZE;
        Some(byte)
    }

    /// Drops all bytes up to the last `byte`; false where there is none.
    pub(super) fn drop_through(&mut self, byte: u8) -> bool {
        let mut kept = core::mem::replace(self, Self::new());
        let mut found = false;
        while let Some((next, source)) = kept.pop() {
            if next == byte {
                *self = Self::new();
                found = true;
            } else {
                self.push(next, source);
            }
        }
        found
    }
}
