//! Quick fit: a freed allocation of a small size waits on a list of that size.
//!
//! The list serves the next request for the size at once. The lists are joined with the other holes
//! only when no hole is large enough.

use crate::lists::{AddressOrdered, Chunk, END, Fit};
use crate::{FrameScheme, Report, WrongFree};

/// The largest size that has a list of its own.
const MOST: usize = 8;

/// Lists of small sizes before a list of holes.
#[derive(Debug)]
pub struct QuickFit<'a> {
    holes: AddressOrdered<'a>,
    /// The waiting allocations, by their size from 1 on.
    heads: [u32; MOST],
    /// Frames that wait.
    waiting: usize,
}

impl<'a> QuickFit<'a> {
    /// As many frames as `chunks` has elements, all free.
    ///
    /// # Panics
    ///
    /// If there are more than links can name.
    #[must_use]
    pub fn new(chunks: &'a mut [Chunk]) -> Self {
        let holes = AddressOrdered::new(chunks, Fit::First);
        Self { holes, heads: [END; MOST], waiting: 0 }
    }

    /// Takes the first waiting allocation of that size off its list.
    fn pop(&mut self, count: usize) -> Option<usize> {
        let head = self.heads.get_mut(count - 1).filter(|head| **head != END)?;
        let first = *head as usize;
        *head = self.holes.unlink_given(first);
        self.holes.count_step();
        self.waiting -= count;
        Some(first)
    }

    /// Turns all waiting allocations into holes.
    fn join(&mut self) {
        for count in 1..=MOST {
            while let Some(first) = self.pop(count) {
                self.holes.insert(first);
            }
        }
    }
}

impl FrameScheme for QuickFit<'_> {
    fn name(&self) -> &'static str {
        "quick fit"
    }

    fn alloc(&mut self, count: usize) -> Option<usize> {
        if count == 0 {
            return None;
        }
        if let Some(first) = self.pop(count).or_else(|| self.holes.alloc(count)) {
            return Some(first);
        }
        if self.waiting == 0 {
            return None;
        }
        self.join();
        self.holes.alloc(count)
    }

    fn free(&mut self, first: usize, count: usize) -> Result<(), WrongFree> {
        match count.checked_sub(1).and_then(|size| self.heads.get_mut(size)) {
            Some(head) if self.holes.was_given(first, count) => {
                self.holes.link_given(first, *head);
                *head = first as u32;
                self.waiting += count;
                Ok(())
            }
            _ => self.holes.free(first, count),
        }
    }

    fn keeps_lengths(&self) -> bool {
        true
    }

    /// The largest request is the largest hole now; joining the waiting allocations might make it larger.
    fn report(&self) -> Report {
        let holes = self.holes.report();
        let waits = (1..=MOST).rev().find(|count| self.heads[count - 1] != END).unwrap_or(0);
        let metadata_bytes = holes.metadata_bytes + size_of_val(&self.heads);
        Report {
            free: holes.free + self.waiting,
            largest: holes.largest.max(waits),
            metadata_bytes,
            ..holes
        }
    }
}
