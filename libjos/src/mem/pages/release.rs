//! Many uses counted down at once: those of unmapped pages, after the flush.
//!
//! Frames come as neighbours far more often than not, since an address space is mostly mapped in one
//! go. So runs of neighbours are counted and linked by loops of their own. A frame that comes alone
//! costs one cache line, that of its [`PageInfo`]: such frames are linked to each other, each to the
//! one before, which was written to last, and the whole chain joins the free list in the end. Freed
//! singly, shuffled frames take a quarter longer.

use core::ops::Range;

use layout::PGSIZE;

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
#[derive(Debug)]
pub(crate) struct Releases<'a> {
    /// Not the array in it: the caller may use the machine between two calls.
    pages: &'a mut Pages,
    /// How many frames were freed with neighbours.
    freed: usize,
    alone: Chain,
}

/// The frames that were freed alone, each linked to the one before.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// The last that came.
    head: u32,
    /// The first that came.
    end: u32,
    len: usize,
}

impl Releases<'_> {
    /// Counts one use less of each of the `count` frames from `pa` on that `pages` describes.
    ///
    /// # Panics
    ///
    /// As [`page_decref`](PageAllocator::page_decref), now or when the last one is counted.
    pub(crate) fn release(&mut self, pa: PhysAddr, count: usize) {
        self.release_all(core::iter::once((pa, count)));
    }

    /// Counts one use less of each of the pages in `runs`, as [`release`](Self::release) does: the
    /// first page of each run and how many there are.
    #[inline(always)]
    pub(crate) fn release_all(&mut self, runs: impl Iterator<Item = (PhysAddr, usize)>) {
        let mut alone = self.alone;
        for (pa, count) in runs {
            match count {
                1 => self.pages.release_one(self.pages.index_of(pa), &mut alone),
                _ => self.freed += self.pages.release_run(pa, count),
            }
        }
        self.alone = alone;
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
}

impl Pages {
    /// Lets `release` count uses down, frees the frames that have none left, and returns how many
    /// these were.
    #[inline]
    pub(crate) fn release(&mut self, release: impl FnOnce(&mut Releases<'_>)) -> usize {
        let alone = Chain { head: PageInfo::END, end: PageInfo::END, len: 0 };
        let mut releases = Releases { pages: self, freed: 0, alone };
        release(&mut releases);
        let Releases { freed, alone: Chain { head, end, len }, .. } = releases;
        if len > 0 {
            self.note_free_chain(head as usize, len);
            self.prepend_linked(head as usize, end as usize, len);
        }
        freed + len
    }

    /// Counts one use less of frame `index`, if `pages` describes it, and puts it in front of `alone` if
    /// that was the last one.
    #[inline(always)]
    fn release_one(&mut self, index: usize, alone: &mut Chain) {
        let infos = self.array_mut();
        let Some(info) = infos.get_mut(index) else { return };
        if info.word() != ONE_USE.word() {
            return self.page_decref(Frame(index as u32));
        }
        *info = PageInfo::from_word(u64::from(alone.head));
        match infos.get_mut(alone.head as usize) {
            Some(before) => before.pp_ref_or_prev = index as u32,
            None => alone.end = index as u32,
        }
        alone.head = index as u32;
        alone.len += 1;
    }

    /// Counts one use less of each of the `count` frames from `pa` on that `pages` describes, and returns how
    /// many this has freed.
    #[inline(never)]
    fn release_run(&mut self, pa: PhysAddr, count: usize) -> usize {
        let mut run = self.described_run(pa, count as u64 * PGSIZE);
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
