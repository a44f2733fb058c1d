//! [`History`]: the lines that were typed before.

use super::text::{EditableText, Fixed, LONGEST};

/// The number of lines that are kept.
const LINES: usize = 16;

/// The last lines that were typed and have at most [`LONGEST`] bytes.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// A ring: `next` is the place of the next line, and of the oldest one if the ring is full.
    lines: [Fixed<LONGEST>; LINES],
    next: usize,
    count: usize,
}

impl History {
    /// Keeps `line`, unless it is blank, too long, or the same as the last one.
    pub fn push(&mut self, line: &str) {
        let mut kept = Fixed::EMPTY;
        let fits = kept.replace(0..0, line).is_ok();
        if line.trim().is_empty() || !fits || self.get(1) == Some(line) {
            return;
        }
        self.lines[self.next] = kept;
        self.next = (self.next + 1) % LINES;
        self.count = LINES.min(self.count + 1);
    }

    /// The line `back` lines ago; 1 is the last one.
    pub(super) fn get(&self, back: usize) -> Option<&str> {
        let within = (1..=self.count).contains(&back);
        within.then(|| &*self.lines[(self.next + LINES - back) % LINES])
    }
}
