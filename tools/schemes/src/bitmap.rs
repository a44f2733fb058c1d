//! A bitmap: a bit for each frame, set if the frame is in use; first fit.
//!
//! It has the smallest records of all schemes. An allocation searches it from the start.

use crate::{FrameScheme, Report, WrongFree};

/// Frames in a word.
const BITS: usize = u64::BITS as usize;

/// The bitmap.
#[derive(Debug)]
pub struct Bitmap<'a> {
    words: &'a mut [u64],
    frames: usize,
    free: usize,
    search_steps: u64,
}

impl<'a> Bitmap<'a> {
    /// `frames` frames, all free, with the bitmap in `words`.
    ///
    /// # Panics
    ///
    /// If there are fewer bits than frames.
    #[must_use]
    pub fn new(words: &'a mut [u64], frames: usize) -> Self {
        assert!(frames <= words.len() * BITS, "{frames} frames need as many bits");
        words.fill(0);
        Self { words, frames, free: frames, search_steps: 0 }
    }

    fn is_used(&self, frame: usize) -> bool {
        self.words[frame / BITS] >> (frame % BITS) & 1 != 0
    }

    /// Flips the bits of these frames, which are all alike.
    fn flip(&mut self, first: usize, count: usize) {
        for frame in first..first + count {
            self.words[frame / BITS] ^= 1 << (frame % BITS);
        }
    }

    /// The run of frames from `at` on that are alike, within one word: whether they are in use, and
    /// their end.
    fn stretch(&self, at: usize) -> (bool, usize) {
        let (word, left) = (self.words[at / BITS] >> (at % BITS), BITS - at % BITS);
        let is_used = word & 1 != 0;
        let length = if is_used { word.trailing_ones() } else { word.trailing_zeros() };
        (is_used, self.frames.min(at + left.min(length as usize)))
    }

    /// All runs of free frames from the lowest on: the start of each, and its end as known so far. A
    /// run appears again for each word that it extends into.
    fn free_runs(&self) -> impl Iterator<Item = Option<(usize, usize)>> + '_ {
        let (mut start, mut at) = (0, 0);
        core::iter::from_fn(move || {
            if at == self.frames {
                return None;
            }
            let (is_used, end) = self.stretch(at);
            at = end;
            if is_used {
                start = end;
            }
            Some((!is_used).then_some((start, end)))
        })
    }
}

impl FrameScheme for Bitmap<'_> {
    fn name(&self) -> &'static str {
        "bitmap, first fit"
    }

    fn alloc(&mut self, count: usize) -> Option<usize> {
        if count == 0 || count > self.free {
            return None;
        }
        let mut steps = 0;
        let place = self.free_runs().find_map(|run| {
            steps += 1;
            run.filter(|(start, end)| end - start >= count)
        });
        self.search_steps += steps;
        let (first, _) = place?;
        self.flip(first, count);
        self.free -= count;
        Some(first)
    }

    fn free(&mut self, first: usize, count: usize) -> Result<(), WrongFree> {
        let wrong = WrongFree { first, count };
        let end = first.checked_add(count).filter(|end| *end <= self.frames).ok_or(wrong)?;
        if count == 0 || !(first..end).all(|frame| self.is_used(frame)) {
            return Err(wrong);
        }
        self.flip(first, count);
        self.free += count;
        Ok(())
    }

    fn keeps_lengths(&self) -> bool {
        false
    }

    fn report(&self) -> Report {
        Report {
            frames: self.frames,
            free: self.free,
            largest: self.free_runs().flatten().map(|(start, end)| end - start).max().unwrap_or(0),
            internal_waste: 0,
            metadata_bytes: size_of_val(self.words),
            search_steps: self.search_steps,
        }
    }
}
