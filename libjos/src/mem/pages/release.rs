//! Many uses counted less at once: what is unmapped, after the flush.
//!
//! Frames come as neighbours far more often than not (an address space was mostly mapped in one
//! go), so runs of neighbours are counted and linked by loops of their own. A frame that comes alone
//! costs the cache line of its [`PageInfo`] and no other: those are linked to each other, each to the
//! one before, which was written to last, and join the free list in the end.

use layout::PGSHIFT;

use super::{Frame, PageAllocator, PageInfo, Pages, leading, link_upwards};
use crate::mem::addr::PhysAddr;

/// A frame with one use, which nothing else has.
const ONE_USE: PageInfo = PageInfo::in_use(1);

/// Frames that are checked and linked at a time: what `pages` keeps of them is a page.
const AT_ONCE: usize = 512;

/// Counts uses of pages less, one after the other, and frees those that have none left.
/// [`Pages::release`] makes it.
///
/// Neighbours are gathered, and counted when the run of them ends.
#[derive(Debug)]
pub(crate) struct Releases<'a> {
    /// Not the array in it: who makes the calls may call the machine in between.
    pages: &'a mut Pages,
    /// The pages gathered: page numbers from frame 0 on, the end exclusive. Those below it are
    /// negative.
    start: i64,
    end_exclusive: i64,
    /// Frames that were freed with neighbours.
    freed: usize,
    /// Frames without use that came alone, each linked to the one before: the last that came, the
    /// first, and how many there are.
    head: u32,
    end: u32,
    alone: usize,
}

impl Releases<'_> {
    /// Counts one use less of each of the `count` pages from `pa` on that `pages` describes.
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
    /// As [`release`](Self::release), and where it is no page of RAM.
    pub(crate) fn release_table(&mut self, pa: PhysAddr) {
        assert!(self.pages.pa2page(pa).is_some(), "page table at {pa} lies outside RAM");
        self.release(pa, 1);
    }

    /// Counts what was gathered.
    #[inline(always)]
    fn count_gathered(&mut self) {
        match self.end_exclusive - self.start {
            0 => {}
            1 => self.count_one(self.start.cast_unsigned()),
            _ => self.freed += self.pages.release_run(self.start, self.end_exclusive),
        }
    }

    /// Counts page `number`, if `pages` describes it.
    #[inline(always)]
    fn count_one(&mut self, number: u64) {
        let infos = self.pages.array_mut();
        // The number of a page below frame 0 is far beyond the end.
        let Some(info) = infos.get_mut(number as usize) else { return };
        if *info != ONE_USE {
            return self.pages.page_decref(Frame(number as u32));
        }
        *info = PageInfo { pp_link: self.head, pp_ref_or_prev: 0 };
        match infos.get_mut(self.head as usize) {
            Some(before) => before.pp_ref_or_prev = number as u32,
            None => self.end = number as u32,
        }
        self.head = number as u32;
        self.alone += 1;
        self.pages.note_free(number as usize);
    }
}

impl Pages {
    /// Lets `release` count uses less, frees the pages that have none left, and returns how many
    /// these were.
    #[inline]
    pub(crate) fn release(&mut self, release: impl FnOnce(&mut Releases<'_>)) -> usize {
        let none = PageInfo::END;
        let mut releases = Releases {
            pages: self,
            start: 0,
            end_exclusive: 0,
            freed: 0,
            head: none,
            end: none,
            alone: 0,
        };
        release(&mut releases);
        releases.count_gathered();
        let Releases { freed, head, end, alone, .. } = releases;
        if alone > 0 {
            self.prepend_linked(head, end, alone);
        }
        freed + alone
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
