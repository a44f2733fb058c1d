//! `page_free_list`: how it is made, and how runs and chains of frames join and leave it.
//!
//! It is linked both ways, so that a frame can leave it from anywhere. Single frames come and go at
//! its head; runs join it at its end, where they stay together as long as other frames serve.

use layout::PGSIZE;

use super::{Frame, PageAllocator, PageInfo, Pages};
use crate::mem::addr::{PhysAddr, PhysRange};

/// A free list: an allocator's own, or one that [`PageAllocator::set_aside_free_list`] took out.
#[must_use = "these frames are lost unless they are given back"]
#[derive(Debug)]
pub struct FreeList {
    /// The first free frame, or [`PageInfo::END`].
    pub(super) head: u32,
    /// The last free frame, if there is one.
    pub(super) end: u32,
    /// How many frames are free.
    pub(super) nfree: usize,
    /// Whether this list stands in for another one. The table of runs describes that one, so no
    /// run can be taken from this.
    pub(super) stands_in: bool,
}

impl FreeList {
    pub(super) const EMPTY: Self =
        Self { head: PageInfo::END, end: PageInfo::END, nfree: 0, stands_in: false };
    /// An empty list in place of one that is set aside.
    pub(super) const STAND_IN: Self = Self { stands_in: true, ..Self::EMPTY };

    /// The number of frames on it.
    #[must_use]
    pub fn nfree(&self) -> usize {
        self.nfree
    }
}

impl Pages {
    /// Puts every frame of `free` on the free list, the lowest first, and reserves all others
    /// (`pp_ref` 1). `free` is runs of whole pages, from the lowest up, none of them empty. Any earlier
    /// state is forgotten.
    ///
    /// # Panics
    ///
    /// If `free` has a page that `pages` does not describe, or a run that begins or ends within a page,
    /// is empty, or begins before the end of the run before it.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_init(&mut self, free: &[PhysRange]) {
        assert_in_order(free);
        // lab 2: begin page_init
        let (base, npages) = (self.base(), self.npages());
        let index = |pa: PhysAddr| {
            let index = usize::try_from((pa - base) / PGSIZE).unwrap_or(usize::MAX);
            assert!(index <= npages, "page_init: {pa} lies beyond the end of pages");
            assert!(pa.is_aligned(PGSIZE), "page_init: {pa} lies within a page");
            index
        };
        self.list = FreeList::EMPTY;
        self.poison = None;
        self.runs.clear();
        // From the highest run down, so that the list and the table of runs begin with the lowest.
        let mut done = npages;
        for run in free.iter().rev() {
            let (start, end) = (index(run.start), index(run.end_exclusive));
            let infos = self.array_mut();
            infos[end..done].fill(PageInfo::reserved());
            link_upwards(&mut infos[start..end], start);
            self.prepend_linked(start, end - 1, end - start);
            self.runs.note_free_run(start, end - 1);
            done = start;
        }
        self.array_mut()[..done].fill(PageInfo::reserved());
        // lab 2: end
    }

    // lab 2: begin omit
    /// Puts the frames from `first` to `last`, which [`link_upwards`] has linked, at the end of the
    /// list.
    pub(super) fn append_linked(&mut self, first: usize, last: usize) {
        let count = last + 1 - first;
        let is_empty = self.list.head == PageInfo::END;
        if is_empty && self.is_poisoned() {
            return self.add_poisoned(first, count, |pages| pages.append_linked(first, last));
        }
        let end = self.list.end;
        let infos = self.array_mut();
        infos[last].pp_link = PageInfo::END;
        if is_empty {
            self.list.head = first as u32;
        } else {
            infos[first].pp_ref_or_prev = end;
            infos[end as usize].pp_link = first as u32;
        }
        self.list.end = last as u32;
        self.list.nfree += count;
        self.runs.note_free_run(first, last);
    }

    /// Puts a chain of `count` frames, from `first` to `last` linked both ways, in front of the
    /// list. The caller notes them in the table of runs.
    pub(super) fn prepend_linked(&mut self, first: usize, last: usize, count: usize) {
        if self.is_poisoned() {
            return self
                .add_poisoned(first, count, |pages| pages.prepend_linked(first, last, count));
        }
        let head = core::mem::replace(&mut self.list.head, first as u32);
        let infos = self.array_mut();
        infos[last].pp_link = head;
        match infos.get_mut(head as usize) {
            Some(next) => next.pp_ref_or_prev = last as u32,
            None => self.list.end = last as u32,
        }
        self.list.nfree += count;
    }

    // lab 2: end
    /// Takes the frames from `first` to `last`, each linked to the next, out of the list. They still
    /// count as free.
    pub(super) fn unlink(&mut self, first: usize, last: usize) {
        let is_head = self.list.head as usize == first;
        let infos = self.array_mut();
        let (before, next) = (infos[first].pp_ref_or_prev, infos[last].pp_link);
        match infos.get_mut(next as usize) {
            Some(info) => info.pp_ref_or_prev = before,
            None => self.list.end = before,
        }
        if is_head {
            self.list.head = next;
        } else {
            self.array_mut()[before as usize].pp_link = next;
        }
    }

    /// The first free frame, or [`PageInfo::END`].
    pub(crate) fn page_free_list_head(&self) -> u32 {
        self.poison.as_ref().map_or(self.list.head, |poison| poison.head)
    }

    /// The last free frame, if there is one.
    pub(crate) fn page_free_list_end(&self) -> u32 {
        self.list.end
    }

    /// The free frames in the order of the list. A broken list ends too: a circle after `npages` + 1
    /// frames, one more than there can be, and any other where a link leads out of `pages`.
    #[inline(always)] // so that no function of this name hides the list from gdb's `p page_free_list`
    pub fn page_free_list(&self) -> impl Iterator<Item = Frame> + '_ {
        let mut next = self.page_free_list_head();
        core::iter::from_fn(move || {
            let frame = Frame(next);
            next = self.array().get(frame.index())?.pp_link;
            Some(frame)
        })
        .take(self.npages() + 1)
    }
}

/// Panics unless no run of `free` is empty, and each begins behind the one before it.
fn assert_in_order(free: &[PhysRange]) {
    let mut end = PhysAddr::new(0);
    for run in free {
        let is_next = end <= run.start && run.start < run.end_exclusive;
        assert!(is_next, "page_init: the run {run} is empty, or out of order");
        end = run.end_exclusive;
    }
}

// lab 2: begin omit
/// Makes the frames of `run` free, each linked to its neighbours. The first one has index `first`.
///
/// With registers of 64 bits, both links are written as one word: on x86-64 `page_init` then takes 2.7
/// instructions a frame instead of 4. With registers of 32 bits one such word takes 12 instructions, and
/// two stores take 4: each index is computed once, for the frames on both sides.
pub(super) fn link_upwards(run: &mut [PageInfo], first: usize) {
    if size_of::<usize>() < size_of::<PageInfo>() {
        let mut index = first as u32;
        return in_turns(run, |info| {
            info.pp_link = index.wrapping_add(1);
            info.pp_ref_or_prev = index.wrapping_sub(1);
            index = index.wrapping_add(1);
        });
    }
    // The next frame in the lower half, the previous one in the upper half.
    const STEP: u64 = 1 | 1 << 32;
    let mut links = (first as u64 + 1) | (first as u64).wrapping_sub(1) << 32;
    in_turns(run, |info| {
        *info = PageInfo::from_word(links);
        links = links.wrapping_add(STEP);
    });
}

/// Calls `link` for each frame of `run`, eight to a turn of the loop: one to a turn takes twice as long.
#[inline(always)]
fn in_turns(run: &mut [PageInfo], mut link: impl FnMut(&mut PageInfo)) {
    let (turns, rest) = run.as_chunks_mut::<8>();
    turns.iter_mut().flatten().for_each(&mut link);
    rest.iter_mut().for_each(link);
}
// lab 2: end
