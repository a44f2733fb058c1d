//! A list of holes in the order of their addresses; first fit or best fit.
//!
//! The record of a hole or an allocation belongs to its first frame, as in a heap whose headers lie in
//! the memory itself. Neighbouring holes are joined at once, so two never touch.

use crate::{FrameScheme, Report, WrongFree};

/// The record of a frame.
#[derive(Clone, Copy, Default, Debug)]
pub struct Chunk {
    /// Frames of the hole or allocation that begins here.
    len: u32,
    /// For a hole the next one, or [`END`]; else [`INSIDE`], [`GIVEN`] or a link of quick fit.
    link: u32,
}

/// The last hole of a list.
pub(super) const END: u32 = u32::MAX;
/// No hole or allocation begins here.
const INSIDE: u32 = u32::MAX - 1;
/// An allocation begins here.
const GIVEN: u32 = u32::MAX - 2;

/// The choice of a hole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// The first that is large enough.
    First,
    /// The smallest that is large enough.
    Best,
}

/// Holes in the order of their addresses.
#[derive(Debug)]
pub struct AddressOrdered<'a> {
    chunks: &'a mut [Chunk],
    fit: Fit,
    /// The lowest hole.
    head: u32,
    free: usize,
    search_steps: u64,
}

impl<'a> AddressOrdered<'a> {
    /// As many frames as `chunks` has elements, all free.
    ///
    /// # Panics
    ///
    /// If there are more than links can name.
    #[must_use]
    pub fn new(chunks: &'a mut [Chunk], fit: Fit) -> Self {
        let free = chunks.len();
        assert!(free <= GIVEN as usize, "more frames than links can name");
        chunks.fill(Chunk { len: 0, link: INSIDE });
        let mut head = END;
        if let Some(first) = chunks.first_mut() {
            *first = Chunk { len: free as u32, link: END };
            head = 0;
        }
        Self { chunks, fit, head, free, search_steps: 0 }
    }

    /// The link to the hole that follows `before`, or to the lowest hole.
    fn link_after(&mut self, before: u32) -> &mut u32 {
        match before {
            END => &mut self.head,
            before => &mut self.chunks[before as usize].link,
        }
    }

    /// Finds a hole for `count` frames. Returns the hole before it, or [`END`], and the hole.
    fn find(&mut self, count: usize) -> Option<(u32, u32)> {
        let (mut before, mut at) = (END, self.head);
        let mut found: Option<(u32, u32)> = None;
        while at != END {
            self.search_steps += 1;
            let Chunk { len, link } = self.chunks[at as usize];
            let is_better = |(_, best): (u32, u32)| len < self.chunks[best as usize].len;
            if len as usize >= count && found.is_none_or(is_better) {
                found = Some((before, at));
                if self.fit == Fit::First {
                    break;
                }
            }
            (before, at) = (at, link);
        }
        found
    }

    /// Whether `count` frames from `first` on were given out together.
    pub(super) fn was_given(&self, first: usize, count: usize) -> bool {
        let chunk = self.chunks.get(first);
        chunk.is_some_and(|chunk| chunk.link == GIVEN && chunk.len as usize == count)
    }

    /// Turns the allocation at `first` into a hole.
    pub(super) fn insert(&mut self, first: usize) {
        let (mut before, mut after) = (END, self.head);
        // END is above all frames.
        while after < first as u32 {
            self.search_steps += 1;
            (before, after) = (after, self.chunks[after as usize].link);
        }
        let mut len = self.chunks[first].len;
        self.free += len as usize;
        let mut link = after;
        if first + len as usize == after as usize {
            let next = &mut self.chunks[after as usize];
            (len, link) = (len + next.len, next.link);
            *next = Chunk { len: 0, link: INSIDE };
        }
        if before != END && before + self.chunks[before as usize].len == first as u32 {
            let joined = &mut self.chunks[before as usize];
            *joined = Chunk { len: joined.len + len, link };
            self.chunks[first] = Chunk { len: 0, link: INSIDE };
        } else {
            self.chunks[first] = Chunk { len, link };
            *self.link_after(before) = first as u32;
        }
    }

    /// Links the allocation at `first` into a list that is not the holes', as [`quick`](crate::quick)
    /// does.
    pub(super) fn link_given(&mut self, first: usize, to: u32) {
        self.chunks[first].link = to;
    }

    /// Removes the link of [`link_given`](Self::link_given), and returns it: the frames are given out again.
    pub(super) fn unlink_given(&mut self, first: usize) -> u32 {
        core::mem::replace(&mut self.chunks[first].link, GIVEN)
    }

    /// Counts a step that was made elsewhere.
    pub(super) fn count_step(&mut self) {
        self.search_steps += 1;
    }
}

impl FrameScheme for AddressOrdered<'_> {
    fn name(&self) -> &'static str {
        match self.fit {
            Fit::First => "list, first fit",
            Fit::Best => "list, best fit",
        }
    }

    fn alloc(&mut self, count: usize) -> Option<usize> {
        if count == 0 || count > self.free {
            return None;
        }
        let (before, at) = self.find(count)?;
        let first = at as usize;
        let Chunk { len, link } = self.chunks[first];
        let rest = len - count as u32;
        let mut next = link;
        if rest > 0 {
            next = at + count as u32;
            self.chunks[next as usize] = Chunk { len: rest, link };
        }
        *self.link_after(before) = next;
        self.chunks[first] = Chunk { len: count as u32, link: GIVEN };
        self.free -= count;
        Some(first)
    }

    fn free(&mut self, first: usize, count: usize) -> Result<(), WrongFree> {
        if !self.was_given(first, count) {
            return Err(WrongFree { first, count });
        }
        self.insert(first);
        Ok(())
    }

    fn keeps_lengths(&self) -> bool {
        true
    }

    fn report(&self) -> Report {
        let mut largest = 0;
        let mut at = self.head;
        while at != END {
            let Chunk { len, link } = self.chunks[at as usize];
            largest = largest.max(len);
            at = link;
        }
        Report {
            frames: self.chunks.len(),
            free: self.free,
            largest: largest as usize,
            internal_waste: 0,
            metadata_bytes: size_of_val(self.chunks),
            search_steps: self.search_steps,
        }
    }
}
