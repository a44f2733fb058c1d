//! [`LineEditor`]: a line as it is typed, byte by byte. It knows no device: it says what to echo.

/// What the terminal is to do about a byte that was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Echo {
    /// Nothing.
    Nothing,
    /// Show this character.
    Character(u8),
    /// Take back so many characters.
    Erase(usize),
    /// Ring the bell: there is no room, nothing to erase, or no meaning to the byte.
    Bell,
    /// The line is complete.
    Done,
    /// The line was given up (Ctrl-C), and is empty now.
    Interrupt,
}

/// A line that is being typed, in `buffer`. It only ever holds printable ASCII.
#[derive(Debug)]
pub struct LineEditor<'a> {
    buffer: &'a mut [u8],
    length: usize,
    escape: Escape,
}

/// Where in an escape sequence of a terminal (ECMA-48, 5.4) the input is: arrow keys send such.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Escape {
    /// In none.
    No,
    /// After ESC.
    Begun,
    /// After ESC and an introducer: up to a final byte.
    Parameters,
}

const CTRL_C: u8 = 0x03;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const ESC: u8 = 0x1B;
const DELETE: u8 = 0x7F;

impl<'a> LineEditor<'a> {
    /// An empty line, at most as long as `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0, escape: Escape::No }
    }

    /// Takes a byte that was typed.
    pub fn feed(&mut self, byte: u8) -> Echo {
        match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => {
                self.escape = Escape::Parameters;
                return Echo::Nothing;
            }
            (Escape::Parameters, 0x20..=0x3F) => return Echo::Nothing,
            (Escape::Parameters, 0x40..=0x7E) => {
                self.escape = Escape::No;
                return Echo::Nothing;
            }
            // Anything else ends the sequence and is taken for itself.
            _ => self.escape = Escape::No,
        }
        match byte {
            b'\n' | b'\r' => Echo::Done,
            CTRL_C => {
                self.length = 0;
                Echo::Interrupt
            }
            CTRL_U => self.erase(self.length),
            BACKSPACE | DELETE => self.erase(1),
            ESC => {
                self.escape = Escape::Begun;
                Echo::Nothing
            }
            b'\t' => self.insert(b' '),
            b' '..=b'~' => self.insert(byte),
            _ => Echo::Bell,
        }
    }

    /// The line as it stands.
    #[must_use]
    pub fn finish(self) -> &'a str {
        // Only printable ASCII was inserted.
        core::str::from_utf8(&self.buffer[..self.length]).unwrap_or_default()
    }

    fn insert(&mut self, byte: u8) -> Echo {
        let Some(slot) = self.buffer.get_mut(self.length) else { return Echo::Bell };
        *slot = byte;
        self.length += 1;
        Echo::Character(byte)
    }

    fn erase(&mut self, count: usize) -> Echo {
        let count = count.min(self.length);
        self.length -= count;
        if count == 0 { Echo::Bell } else { Echo::Erase(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `typed` in a line of `N` bytes, and what the last byte did.
    fn typed<const N: usize>(typed: &[u8], line: &str) -> Echo {
        let mut buffer = [0; N];
        let mut editor = LineEditor::new(&mut buffer);
        let last = typed.iter().fold(Echo::Nothing, |_, &byte| editor.feed(byte));
        assert_eq!(editor.finish(), line, "{typed:?}");
        last
    }

    #[test]
    fn characters_are_kept_and_echoed() {
        assert_eq!(typed::<8>(b"help", "help"), Echo::Character(b'p'));
        assert_eq!(typed::<8>(b"a\tb", "a b"), Echo::Character(b'b'));
        assert_eq!(typed::<8>(b"help\r", "help"), Echo::Done);
        assert_eq!(typed::<8>(b"\n", ""), Echo::Done);
    }

    #[test]
    fn a_full_line_rings_and_loses_nothing() {
        assert_eq!(typed::<4>(b"abcdefgh", "abcd"), Echo::Bell);
        assert_eq!(typed::<4>(b"abcdefgh\x7f\x7fX", "abX"), Echo::Character(b'X'));
        assert_eq!(typed::<0>(b"a", ""), Echo::Bell);
    }

    #[test]
    fn erasing_stops_at_the_start() {
        assert_eq!(typed::<8>(b"ab\x08", "a"), Echo::Erase(1));
        assert_eq!(typed::<8>(b"ab\x7f\x7f\x7f", ""), Echo::Bell);
        assert_eq!(typed::<8>(b"abc\x15", ""), Echo::Erase(3));
        assert_eq!(typed::<8>(b"abc\x15\x15", ""), Echo::Bell);
        assert_eq!(typed::<8>(b"abc\x03", ""), Echo::Interrupt);
    }

    #[test]
    fn what_has_no_meaning_rings() {
        for byte in (0..=255u8).filter(|b| !b.is_ascii_graphic()) {
            let echo = typed::<8>(&[byte], if byte == b' ' || byte == b'\t' { " " } else { "" });
            let known = matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | CTRL_C | ESC);
            assert_eq!(echo == Echo::Bell, !known, "{byte:#x}");
        }
        assert_eq!(typed::<8>("aä€".as_bytes(), "a"), Echo::Bell);
    }

    #[test]
    fn arrow_keys_leave_no_trace() {
        assert_eq!(typed::<8>(b"a\x1b[Ab\x1bOHc\x1b[15~d", "abcd"), Echo::Character(b'd'));
        assert_eq!(typed::<8>(b"\x1b[1;5\n", ""), Echo::Done);
        assert_eq!(typed::<8>(b"\x1bx", "x"), Echo::Character(b'x'));
    }
}
