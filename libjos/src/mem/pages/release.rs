//! Ends many uses at once: those of pages that were unmapped, after the flush.
//!
//! Frames come as neighbours far more often than not, since an address space is mostly mapped in one
//! go. Runs of neighbours are counted and linked by loops of their own. Frames that come alone are linked to
//! each other first and join the free list in the end, so that each costs the cache line of its own
//! [`PageInfo`] and no other.

use layout::PGSHIFT;

use super::{Frame, PageAllocator, PageInfo, Pages, leading, link_upwards};
use crate::mem::addr::PhysAddr;

/// A frame with one use, which nothing else has.
const ONE_USE: PageInfo = PageInfo::in_use(1);

/// Frames that are checked and linked at a time: what `pages` keeps of them is a page.
const AT_ONCE: usize = 512;

/// Counts uses of pages less, one after the other, and frees those that have none left.
/// [`Pages::release`] makes it.
#[derive(Debug)]
pub(crate) struct Releases<'a> {
    /// Not the array in it: who makes the calls may call the machine in between.
    pages: &'a mut Pages,
    /// Frames that were freed with neighbours.
    freed: usize,
    alone: Chain,
}

/// Frames without use that came alone, each linked to the one before.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// The last that came.
    head: u32,
    /// The first that came.
    end: u32,
    len: usize,
}

impl Releases<'_> {
    /// Counts one use less of each of the `count` pages from `pa` on that `pages` describes.
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
            // Physical addresses have less than 63 bits. A page below frame 0 has a negative number.
            let offset = pa.as_u64().wrapping_sub(self.pages.base.as_u64());
            let number = offset.cast_signed() >> PGSHIFT;
            match count {
                1 => self.pages.release_one(number.cast_unsigned(), &mut alone),
                _ => self.freed += self.pages.release_run(number, number + count as i64),
            }
        }
        self.alone = alone;
    }

    /// Counts one use less of the page table at `pa`.
    ///
    /// # Panics
    ///
    /// As [`release`](Self::release), and where it is no page of RAM.
    pub(crate) fn release_table(&mut self, pa: PhysAddr) {
        assert!(self.pages.pa2page(pa).is_some(), "page table at {pa} lies outside RAM");
        self.release(pa, 1);
    }
}

impl Pages {
    /// Lets `release` count uses less, frees the pages that have none left, and returns how many
    /// these were.
    #[inline]
    pub(crate) fn release(&mut self, release: impl FnOnce(&mut Releases<'_>)) -> usize {
        let none = PageInfo::END;
        let alone = Chain { head: none, end: none, len: 0 };
        let mut releases = Releases { pages: self, freed: 0, alone };
        release(&mut releases);
        let Releases { freed, alone: Chain { head, end, len }, .. } = releases;
        if len > 0 {
            self.prepend_linked(head, end, len);
        }
        freed + len
    }

    /// Counts one use less of page `number`, if `pages` describes it, and puts it in front of `alone` if
    /// that was the last one.
    #[inline(always)]
    fn release_one(&mut self, number: u64, alone: &mut Chain) {
        let infos = self.array_mut();
        // The number of a page below frame 0 is far beyond the end.
        let Some(info) = infos.get_mut(number as usize) else { return };
        if info.word() != ONE_USE.word() {
            return self.page_decref(Frame(number as u32));
        }
        *info = PageInfo::from_word(u64::from(alone.head));
        match infos.get_mut(alone.head as usize) {
            Some(before) => before.pp_ref_or_prev = number as u32,
            None => alone.end = number as u32,
        }
        alone.head = number as u32;
        alone.len += 1;
        self.note_free(number as usize);
    }

    /// Counts one use less of the pages from number `start` on up to `end`, as far as there are such;
    /// how many are free by it.
    #[inline(never)]
    fn release_run(&mut self, start: i64, end: i64) -> usize {
        // What `pages` describes may begin or end in the middle of them.
        let npages = self.npages() as i64;
        let mut at = start.clamp(0, npages) as usize;
        let end = end.clamp(0, npages) as usize;
        let mut freed = 0;
        while at < end {
            let last_uses = self.free_last_uses(at, end);
            freed += last_uses;
            at += last_uses;
            // The frame behind them has another use, or none to give up.
            if at < end {
                self.page_decref(Frame(at as u32));
                at += 1;
            }
        }
        freed
    }

    /// Frees the frames from number `first` on, up to `end` at most, as long as they have one use;
    /// how many these were.
    fn free_last_uses(&mut self, first: usize, end: usize) -> usize {
        let mut at = first;
        // Each part is linked as soon as it is checked, while the cache still has it.
        while at < end {
            let part = &mut self.array_mut()[at..end.min(at + AT_ONCE)];
            let (len, good) = (part.len(), leading(part, ONE_USE));
            link_upwards(&mut part[..good], at);
            at += good;
            if good < len {
                break;
            }
        }
        if first < at {
            self.append_linked(first, at - 1);
        }
        at - first
    }
}
