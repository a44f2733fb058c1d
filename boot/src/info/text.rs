//! [`LoaderText`]: a text from a loader, which may not be UTF-8.

use core::fmt::{self, Write};

/// The bytes of a text from a loader. `Display` shows invalid UTF-8 as U+FFFD and control characters
/// as escapes, so that no loader can send control sequences to the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct LoaderText<'a>(&'a [u8]);

impl<'a> LoaderText<'a> {
    /// The text before the first NUL in `bytes`, or all of it.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        Self(&bytes[..end])
    }

    /// The bytes, unchecked.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether the text is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The words between spaces, tabs and line ends.
    pub fn words(self) -> impl Iterator<Item = LoaderText<'a>> {
        self.0.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(LoaderText)
    }
}

impl fmt::Display for LoaderText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LoaderText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
