//! Frames whose last use is gone, and that wait for a TLB flush: counted down, kept, taken back.
//!
//! The last use of a frame passes to [`FreeFrames`], so until the flush the frame is in use and
//! `pp_ref` says so. Frames come as neighbours far more often than not (an address space was
//! mostly mapped in one go), so all of this works on runs of neighbours. What a run needs is
//! written at its ends: the last frame leads to the first, and the first to the run before.

use layout::{PGSHIFT, PGSIZE};

use super::{Frame, PageAllocator, PageError, PageInfo, Pages, leading, link_upwards, refusal};
use crate::mem::addr::PhysAddr;

/// A frame with one use, which nothing else has.
const ONE_USE: PageInfo = PageInfo::in_use(1);

/// Frames that are checked and linked at a time: what `pages` keeps of them is a page.
const AT_ONCE: usize = 512;

/// Frames without use, that are not on the free list yet: they wait for a TLB flush.
#[must_use = "these frames are lost unless they are given back"]
#[derive(Debug)]
pub struct FreeFrames {
    /// The last frame of the run that came last, from which links lead to all others.
    last: u32,
}

impl FreeFrames {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { last: PageInfo::END }
    }

    /// Adds `run`, whose first frame is `first`. All of them say [`ONE_USE`].
    fn push(&mut self, run: &mut [PageInfo], first: usize) {
        let before = self.last;
        let link = |pp_link, to| PageInfo { pp_link, pp_ref_or_prev: to };
        match run {
            [] => return,
            [only] => *only = link(PageInfo::WAITING, before),
            [start, .., end] => {
                *start = link(PageInfo::WAITING_RUN, before);
                *end = link(PageInfo::WAITING_RUN, first as u32);
            }
        }
        self.last = (first + run.len() - 1) as u32;
    }

    /// Takes the run away that came last: its first frame and its last one.
    fn pop(&mut self, infos: &mut [PageInfo]) -> Option<(usize, usize)> {
        let last = self.last as usize;
        let end = infos.get_mut(last)?;
        let (first, before) = match *end {
            PageInfo { pp_link: PageInfo::WAITING, pp_ref_or_prev } => (last, pp_ref_or_prev),
            PageInfo { pp_ref_or_prev: first, .. } => {
                *end = ONE_USE;
                (first as usize, infos[first as usize].pp_ref_or_prev)
            }
        };
        infos[first] = ONE_USE;
        self.last = before;
        Some((first, last))
    }
}

/// Counts uses of pages less, one after the other; [`Pages::release_into`] makes it.
///
/// Neighbours are gathered, and counted when the run of them ends.
#[derive(Debug)]
pub(crate) struct Releases<'a> {
    base: PhysAddr,
    /// Not the array in it: who makes the calls may call the machine in between.
    pages: &'a mut Pages,
    waiting: FreeFrames,
    /// The pages gathered: page numbers from `base` on, the end exclusive. Those below `base` are
    /// negative.
    start: i64,
    end_exclusive: i64,
}

impl Releases<'_> {
    /// Counts one use less of each of the `count` pages from `pa` on that `pages` describes.
    ///
    /// # Panics
    ///
    /// As [`page_decref`](super::PageAllocator::page_decref), now or when the last one is counted.
    #[inline]
    pub(crate) fn release(&mut self, pa: PhysAddr, count: usize) {
        // Physical addresses have less than 63 bits.
        let number = pa.as_u64().wrapping_sub(self.base.as_u64()).cast_signed() >> PGSHIFT;
        if number != self.end_exclusive {
            self.count_gathered();
            self.start = number;
        }
        // No machine has 2^63 pages.
        self.end_exclusive = number + count as i64;
    }

    /// Counts what was gathered.
    fn count_gathered(&mut self) {
        let infos = self.pages.array_mut();
        // What `pages` describes may begin or end in the middle of them.
        let npages = infos.len() as i64;
        let mut at = self.start.clamp(0, npages) as usize;
        let end = self.end_exclusive.clamp(0, npages) as usize;
        while at < end {
            let run = &mut infos[at..end];
            let without_use = leading(run, ONE_USE);
            self.waiting.push(&mut run[..without_use], at);
            at += without_use;
            // The frame behind them has another use, or none to give up.
            match run.get_mut(without_use) {
                None => {}
                Some(info) if info.has_count() && info.pp_ref_or_prev > 1 => {
                    info.pp_ref_or_prev -= 1;
                    at += 1;
                }
                Some(info) => no_use_left(self.base + at as u64 * PGSIZE, info),
            }
        }
    }
}

/// A use was counted less that had not been counted.
#[cold]
pub(super) fn no_use_left(pa: PhysAddr, info: &PageInfo) -> ! {
    match info.pp_link {
        PageInfo::RESERVED => panic!("page_decref: {}", PageError::Reserved { pa }),
        PageInfo::WAITING | PageInfo::WAITING_RUN => {
            panic!("page_decref: {}", PageError::Waiting { pa })
        }
        _ => panic!("page_decref: {}", PageError::Unreferenced { pa }),
    }
}

impl Pages {
    /// Lets `release` count uses less. Pages without use then go to `waiting`, not to the free
    /// list.
    #[inline]
    pub(crate) fn release_into(
        &mut self,
        waiting: &mut FreeFrames,
        release: impl FnOnce(&mut Releases<'_>),
    ) {
        let base = self.base;
        let taken = core::mem::replace(waiting, FreeFrames::new());
        let mut releases =
            Releases { base, pages: self, waiting: taken, start: 0, end_exclusive: 0 };
        release(&mut releases);
        releases.count_gathered();
        *waiting = releases.waiting;
    }

    /// Puts the frames that waited on the free list, and returns how many they were.
    ///
    /// # Panics
    ///
    /// Where one of them was used or freed meanwhile: a bug.
    pub(crate) fn take_back(&mut self, mut waiting: FreeFrames) -> usize {
        let mut count = 0;
        while let Some((first, last)) = waiting.pop(self.array_mut()) {
            // Each part is linked as soon as it is checked, while the cache still has it.
            for start in (first..=last).step_by(AT_ONCE) {
                let end = last.min(start + AT_ONCE - 1);
                let part = &mut self.array_mut()[start..=end];
                let good = leading(part, ONE_USE);
                if let Some(info) = part.get(good).copied() {
                    let pa = self.page2pa(Frame((start + good) as u32));
                    panic!("a page was used after it was unmapped: {}", refusal(&info, pa));
                }
                if first < last {
                    link_upwards(part, start);
                }
            }
            if first == last {
                self.array_mut()[first] = PageInfo::in_use(0);
                self.page_free(Frame(first as u32));
            } else {
                self.append_linked(first, last);
            }
            count += last + 1 - first;
        }
        count
    }
}
