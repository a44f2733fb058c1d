//! Many uses counted less at once: what is unmapped, after the flush.
//!
//! Frames come as neighbours far more often than not (an address space was mostly mapped in one
//! go), so runs of neighbours are counted and linked by loops of their own. A frame that comes alone
//! costs the cache line of its [`PageInfo`] and no other: it becomes the head of the free list, and
//! the head before it was written to last.

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
    pages: &'a mut Pages,
    /// The pages gathered: page numbers from frame 0 on, the end exclusive. Those below it are
    /// negative.
    start: i64,
    end_exclusive: i64,
    freed: usize,
}

impl Releases<'_> {
    /// Counts one use less of each of the `count` pages from `pa` on that `pages` describes.
    ///
    /// # Panics
    ///
    /// As [`page_decref`](PageAllocator::page_decref), now or when the last one is counted.
    #[inline]
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
    #[inline]
    fn count_gathered(&mut self) {
        if self.end_exclusive - self.start > 1 {
            return self.count_run();
        }
        // One frame, or none yet.
        if self.start < self.end_exclusive && (0..self.pages.npages() as i64).contains(&self.start)
        {
            self.freed += usize::from(self.pages.drop_use(Frame(self.start as u32)));
        }
    }

    /// Counts a run of neighbours.
    fn count_run(&mut self) {
        // What `pages` describes may begin or end in the middle of them.
        let npages = self.pages.npages() as i64;
        let mut at = self.start.clamp(0, npages) as usize;
        let end = self.end_exclusive.clamp(0, npages) as usize;
        while at < end {
            let freed = self.pages.free_last_uses(at, end);
            self.freed += freed;
            at += freed;
            // The frame behind them has another use, or none to give up.
            if at < end {
                self.freed += usize::from(self.pages.drop_use(Frame(at as u32)));
                at += 1;
            }
        }
    }
}

impl Pages {
    /// Lets `release` count uses less, frees the pages that have none left, and returns how many
    /// these were.
    #[inline]
    pub(crate) fn release(&mut self, release: impl FnOnce(&mut Releases<'_>)) -> usize {
        let mut releases = Releases { pages: self, start: 0, end_exclusive: 0, freed: 0 };
        release(&mut releases);
        releases.count_gathered();
        releases.freed
    }

    /// Counts one use of `frame` less. Whether it is free then.
    #[inline]
    fn drop_use(&mut self, frame: Frame) -> bool {
        let info = &mut self.array_mut()[frame.index()];
        let is_last = *info == ONE_USE;
        if is_last {
            *info = PageInfo::in_use(0);
            self.page_free(frame);
        } else {
            self.page_decref(frame);
        }
        is_last
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
