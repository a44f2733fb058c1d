//! [`KeyDecoder`]: turns bytes from a terminal into keys.

/// A key, by its effect on a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A character other than a control character. Bytes that are not UTF-8 become
    /// [`char::REPLACEMENT_CHARACTER`].
    Character(char),
    /// Return.
    Enter,
    /// Ctrl-C.
    Interrupt,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Ctrl-D: Delete, or the end of input.
    EndOrDelete,
    /// The left arrow, Ctrl-B.
    Left,
    /// The right arrow, Ctrl-F.
    Right,
    /// The up arrow, Ctrl-P.
    Up,
    /// The down arrow, Ctrl-N.
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
    /// A key, or a sequence of bytes, without a meaning.
    Unknown,
}

/// The bytes of a key that have come so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Sequence {
    /// No byte of a key.
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// In an escape sequence (ECMA-48, 5.4) after the introducer and before the final byte, with
    /// the first parameter so far, and whether it has ended.
    Parameters(u8, bool),
    /// In a character of several bytes, with its bytes so far, and their number.
    Character([u8; 4], usize),
}

/// Turns bytes from a terminal into keys.
#[derive(Clone, Debug, Default)]
pub struct KeyDecoder {
    sequence: Sequence,
}

impl KeyDecoder {
    /// Takes a byte, and gives the keys that it completes: none within a sequence, two if the byte
    /// breaks a sequence off and is a key itself.
    pub fn feed(&mut self, byte: u8) -> impl Iterator<Item = Key> + use<> {
        let (first, second) = match (core::mem::take(&mut self.sequence), byte) {
            (Sequence::Escape, b'[' | b'O') => {
                self.sequence = Sequence::Parameters(0, false);
                (None, None)
            }
            (Sequence::Parameters(number, has_ended), 0x20..=0x3F) => {
                self.sequence = match byte {
                    b'0'..=b'9' if !has_ended => {
                        let number = number.saturating_mul(10).saturating_add(byte - b'0');
                        Sequence::Parameters(number, false)
                    }
                    _ => Sequence::Parameters(number, true),
                };
                (None, None)
            }
            (Sequence::Parameters(number, _), 0x40..=0x7E) => {
                (Some(escape_sequence_key(number, byte)), None)
            }
            (Sequence::Escape | Sequence::Parameters(..), _) => {
                (Some(Key::Unknown), self.begin(byte))
            }
            (Sequence::Character(bytes, length), 0x80..=0xBF) => {
                match self.go_on(bytes, length, byte) {
                    Ok(key) => (key, None),
                    Err(key) => (Some(key), self.begin(byte)),
                }
            }
            (Sequence::Character(..), _) => {
                (Some(Key::Character(char::REPLACEMENT_CHARACTER)), self.begin(byte))
            }
            (Sequence::Ground, _) => (self.begin(byte), None),
        };
        first.into_iter().chain(second)
    }

    /// Takes the first byte of a key.
    fn begin(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            b' '..=b'~' => Key::Character(char::from(byte)),
            b'\n' | b'\r' => Key::Enter,
            b'\t' => Key::Tab,
            0x7F => Key::Backspace,
            0x1B => {
                self.sequence = Sequence::Escape;
                return None;
            }
            // Control and a letter, in the order of the alphabet.
            0x01..=0x1A => match byte + b'@' {
                b'A' => Key::Home,
                b'B' => Key::Left,
                b'C' => Key::Interrupt,
                b'D' => Key::EndOrDelete,
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
            0x80.. => return self.go_on([0; 4], 0, byte).unwrap_or_else(Some),
            _ => Key::Unknown,
        })
    }

    /// Takes the next byte of a character that begins with the first `length` of `bytes`. Returns its key if it is
    /// complete, and a key as the error if no character goes on so.
    fn go_on(&mut self, mut bytes: [u8; 4], length: usize, byte: u8) -> Result<Option<Key>, Key> {
        bytes[length] = byte;
        match core::str::from_utf8(&bytes[..=length]) {
            Ok(text) => {
                // Some terminals obey control characters beyond ASCII too, so these have no meaning here.
                let c = text.chars().next().filter(|c| !c.is_control());
                Ok(Some(c.map_or(Key::Unknown, Key::Character)))
            }
            Err(error) if error.error_len().is_none() => {
                self.sequence = Sequence::Character(bytes, length + 1);
                Ok(None)
            }
            Err(_) => Err(Key::Character(char::REPLACEMENT_CHARACTER)),
        }
    }
}

/// The key of an escape sequence of VT220 or xterm. `number` is its first parameter: xterm's second one says which of
/// Shift, Alt and Ctrl are held, and the key stays the same.
fn escape_sequence_key(number: u8, last: u8) -> Key {
    match (last, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'~', 3) => Key::Delete,
        _ => Key::Unknown,
    }
}
