//! [`History`]: the lines that were typed before.

use super::text::{EditableText, Fixed, LONGEST};

/// The number of lines that are kept.
const LINES: usize = 16;

/// The last lines that were typed and have at most [`LONGEST`] bytes.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The latest first; places without a line are empty.
    lines: [Fixed<LONGEST>; LINES],
}

impl History {
    /// Keeps `line`, unless it is blank, too long, or the same as the last one.
    pub fn push(&mut self, line: &str) {
        let mut kept = Fixed::EMPTY;
        let fits = kept.replace(0..0, line).is_ok();
        if fits && !line.trim().is_empty() && self.get(1) != Some(line) {
            self.lines.copy_within(..LINES - 1, 1);
            self.lines[0] = kept;
        }
    }

    /// The line `back` lines ago; 1 is the last one.
    pub(super) fn get(&self, back: usize) -> Option<&str> {
        let line = self.lines.get(back.checked_sub(1)?)?;
        Some(&**line).filter(|line| !line.is_empty())
    }
}
