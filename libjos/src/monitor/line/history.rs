//! [`History`]: the lines that were typed before.

use super::Buffer;

/// Lines that are kept.
const LINES: usize = 16;

/// The last lines that were typed.
#[derive(Clone, Debug)]
pub struct History {
    /// A ring: `next` is the place of the next line, and of the oldest one if the ring is full.
    lines: [Buffer; LINES],
    next: usize,
    count: usize,
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// No lines.
    #[must_use]
    pub const fn new() -> Self {
        Self { lines: [Buffer::EMPTY; LINES], next: 0, count: 0 }
    }

    /// Keeps `line`, unless it is blank or the same as the last one.
    pub fn push(&mut self, line: &str) {
        let is_last = self.get(1).is_some_and(|last| last.as_str() == line);
        if line.trim().is_empty() || is_last {
            return;
        }
        self.lines[self.next].set(line.as_bytes());
        self.next = (self.next + 1) % LINES;
        self.count = LINES.min(self.count + 1);
    }

    /// The line `back` lines ago; 1 is the last one.
    pub(crate) fn get(&self, back: usize) -> Option<&Buffer> {
        let within = (1..=self.count).contains(&back);
        within.then(|| &self.lines[(self.next + LINES - back) % LINES])
    }
}
