//! [`KeyDecoder`]: bytes from a terminal, made into keys.

/// A key, by what it does to a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Printable ASCII.
    Character(u8),
    /// Return.
    Enter,
    /// Ctrl-C.
    Interrupt,
    /// Backspace.
    Backspace,
    /// Delete, Ctrl-D.
    Delete,
    /// The arrow, Ctrl-B.
    Left,
    /// The arrow, Ctrl-F.
    Right,
    /// The arrow, Ctrl-P.
    Up,
    /// The arrow, Ctrl-N.
    Down,
    /// Home, Ctrl-A.
    Home,
    /// End, Ctrl-E.
    End,
    /// Ctrl-U.
    KillToStart,
    /// Ctrl-K.
    KillToEnd,
    /// Ctrl-W.
    KillWord,
    /// Ctrl-L.
    Clear,
    /// Tab.
    Tab,
    /// Anything else.
    Unknown,
}

/// Where in an escape sequence (ECMA-48, 5.4) the input is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Escape {
    /// In none.
    No,
    /// After ESC.
    Begun,
    /// After ESC and an introducer, with the first parameter so far: up to a final byte.
    Parameters(u8),
}

/// Bytes from a terminal, made into keys.
#[derive(Clone, Debug)]
pub struct KeyDecoder {
    escape: Escape,
}

impl Default for KeyDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyDecoder {
    /// In no escape sequence.
    #[must_use]
    pub const fn new() -> Self {
        Self { escape: Escape::No }
    }

    /// Takes a byte; `None` within an escape sequence, and at the end of one that is no key.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => {
                self.escape = Escape::Parameters(0);
                return None;
            }
            (Escape::Parameters(number), b'0'..=b'9') => {
                let number = number.saturating_mul(10).saturating_add(byte - b'0');
                self.escape = Escape::Parameters(number);
                return None;
            }
            (Escape::Parameters(_), 0x20..=0x3F) => return None,
            (Escape::Parameters(number), 0x40..=0x7E) => {
                self.escape = Escape::No;
                return sequence(number, byte);
            }
            // Anything else ends the sequence and is taken for itself.
            _ => self.escape = Escape::No,
        }
        Some(match byte {
            b' '..=b'~' => Key::Character(byte),
            b'\n' | b'\r' => Key::Enter,
            b'\t' => Key::Tab,
            0x7F => Key::Backspace,
            0x1B => {
                self.escape = Escape::Begun;
                return None;
            }
            // Control and a letter, in the order of the alphabet.
            0x01..=0x1A => match byte + b'@' {
                b'A' => Key::Home,
                b'B' => Key::Left,
                b'C' => Key::Interrupt,
                b'D' => Key::Delete,
                b'E' => Key::End,
                b'F' => Key::Right,
                b'H' => Key::Backspace,
                b'K' => Key::KillToEnd,
                b'L' => Key::Clear,
                b'N' => Key::Down,
                b'P' => Key::Up,
                b'U' => Key::KillToStart,
                b'W' => Key::KillWord,
                _ => Key::Unknown,
            },
            _ => Key::Unknown,
        })
    }
}

/// The key of an escape sequence, as VT220 and xterm send them.
fn sequence(number: u8, last: u8) -> Option<Key> {
    match (last, number) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'C', _) => Some(Key::Right),
        (b'D', _) => Some(Key::Left),
        (b'H', _) | (b'~', 1 | 7) => Some(Key::Home),
        (b'F', _) | (b'~', 4 | 8) => Some(Key::End),
        (b'~', 3) => Some(Key::Delete),
        _ => None,
    }
}
