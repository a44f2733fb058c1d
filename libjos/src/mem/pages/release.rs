//! Many uses counted down at once: those of unmapped pages, after the flush.
//!
//! Frames come as neighbours far more often than not, since an address space is mostly mapped in one
//! go. So runs of neighbours are counted and linked by loops of their own. A frame that comes alone
//! costs one cache line, that of its [`PageInfo`]: such frames are linked to each other, each to the
//! one before, which was written to last, and the whole chain joins the free list in the end. Freed
//! singly, shuffled frames take a quarter longer.

use core::ops::Range;

use layout::PGSHIFT;

use super::free_list::link_upwards;
use super::{Frame, PageAllocator, PageInfo, Pages, count_leading};
use crate::mem::addr::PhysAddr;

/// A frame with one use and nothing else.
const ONE_USE: PageInfo = PageInfo::in_use(1);

/// Frames that are checked and linked at a time, so that the cache still has what was checked. In one
/// go, freeing 65,536 neighbours takes a tenth longer.
const AT_ONCE: usize = 512;

/// Counts uses down, one after the other, and frees the frames that have none left. Made by
/// [`Pages::release`].
///
/// Neighbours are gathered, and counted when their run ends.
#[derive(Debug)]
pub(crate) struct Releases<'a> {
    /// Not the array in it: the caller may use the machine between two calls.
    pages: &'a mut Pages,
    /// The neighbours that were gathered and not counted yet, by their numbers from frame 0 on. Those
    /// below frame 0 are negative.
    start: i64,
    end_exclusive: i64,
    /// How many frames were freed with neighbours.
    freed: usize,
    /// The frames that were freed alone, a chain: the last to come, the first, and how many.
    head: u32,
    end: u32,
    alone: usize,
}

impl Releases<'_> {
    /// Counts one use less of each of the `count` frames from `pa` on that `pages` describes.
    ///
    /// # Panics
    ///
    /// As [`page_decref`](PageAllocator::page_decref), now or when the last one is counted.
    #[inline(always)]
    pub(crate) fn release(&mut self, pa: PhysAddr, count: usize) {
        // Physical addresses have less than 63 bits.
        let offset = pa.as_u64().wrapping_sub(self.pages.base.as_u64());
        let number = offset.cast_signed() >> PGSHIFT;
        if number != self.end_exclusive {
            self.count_gathered();
            self.start = number;
        }
        // No machine has 2^63 pages.
        self.end_exclusive = number + count as i64;
    }

    /// Counts one use less of the page table at `pa`.
    ///
    /// # Panics
    ///
    /// As [`release`](Self::release), and if it is no frame of RAM.
    pub(crate) fn release_table(&mut self, pa: PhysAddr) {
        assert!(self.pages.pa2page(pa).is_some(), "page table at {pa} lies outside RAM");
        self.release(pa, 1);
    }

    /// Counts the gathered frames.
    #[inline(always)]
    fn count_gathered(&mut self) {
        match self.end_exclusive - self.start {
            0 => {}
            1 => self.count_one(self.start.cast_unsigned() as usize),
            _ => self.freed += self.pages.release_run(self.start, self.end_exclusive),
        }
    }

    /// Counts one use less of frame `index`, if `pages` describes it. A negative number has become an
    /// index far beyond its end.
    #[inline(always)]
    fn count_one(&mut self, index: usize) {
        let infos = self.pages.array_mut();
        let Some(info) = infos.get_mut(index) else { return };
        let frame = Frame(index as u32);
        if *info != ONE_USE {
            return self.pages.page_decref(frame);
        }
        *info = PageInfo { pp_link: self.head, pp_ref_or_prev: 0 };
        match infos.get_mut(self.head as usize) {
            Some(before) => before.pp_ref_or_prev = frame.0,
            None => self.end = frame.0,
        }
        self.head = frame.0;
        self.alone += 1;
        self.pages.runs.note_free(index);
    }
}

impl Pages {
    /// Lets `release` count uses down, frees the frames that have none left, and returns how many
    /// these were.
    #[inline]
    pub(crate) fn release(&mut self, release: impl FnOnce(&mut Releases<'_>)) -> usize {
        let mut releases = Releases {
            pages: self,
            start: 0,
            end_exclusive: 0,
            freed: 0,
            head: PageInfo::END,
            end: PageInfo::END,
            alone: 0,
        };
        release(&mut releases);
        releases.count_gathered();
        let Releases { freed, head, end, alone, .. } = releases;
        if alone > 0 {
            self.prepend_linked(head as usize, end as usize, alone);
        }
        freed + alone
    }

    /// Counts one use less of the frames from number `start` up to `end` that `pages` describes, and
    /// returns how many this has freed.
    #[inline(never)]
    fn release_run(&mut self, start: i64, end: i64) -> usize {
        let npages = self.npages() as i64;
        let mut run = start.clamp(0, npages) as usize..end.clamp(0, npages) as usize;
        let mut freed = 0;
        while run.start < run.end {
            let last_uses = self.free_last_uses(run.clone());
            freed += last_uses;
            run.start += last_uses;
            // The frame behind them has another use, or none to give up.
            if let Some(index) = run.next() {
                self.page_decref(Frame(index as u32));
            }
        }
        freed
    }

    /// Frees frames of `run` from its start on, as long as they have one use, and returns how many
    /// these were.
    fn free_last_uses(&mut self, run: Range<usize>) -> usize {
        let mut end = run.start;
        while end < run.end {
            let part = &mut self.array_mut()[end..run.end.min(end + AT_ONCE)];
            let (len, good) = (part.len(), count_leading(part, ONE_USE));
            link_upwards(&mut part[..good], end);
            end += good;
            if good < len {
                break;
            }
        }
        if run.start < end {
            self.append_linked(run.start, end - 1);
        }
        end - run.start
    }
}

#[cfg(test)]
mod tests;
