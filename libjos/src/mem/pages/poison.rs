//! Poison: who writes to a frame that is free is found out.
//!
//! Every free frame is full of [`POISON`], from when it is freed on, and must still be so when it is
//! allocated. That takes no instruction where nobody asks for it: with poison the list at hand is
//! always empty, and the frames are on one behind it. So whoever allocates or frees comes to where the
//! list is empty, which has a branch of its own without poison too, and from there to here. Here the
//! two lists change places for as long as the ordinary function takes.

use core::fmt;

use layout::PGSIZE;

use super::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageInfo, Pages};
use crate::machine::PhysMem;
use crate::mem::addr::PhysAddr;

/// The value of every word of a free frame. As an entry of a page table it is malformed, as a pointer
/// non-canonical.
pub const POISON: u64 = 0xDFDF_DFDF_DFDF_DFDF;

/// Fills the frame at an address with [`POISON`]. Who frees a frame has no machine at hand.
#[cfg(not(any(test, feature = "std")))]
pub type Fill = fn(PhysAddr);
/// Fills the frame at an address with [`POISON`]. Who frees a frame has no machine at hand. A simulated
/// machine's has a share in its memory.
#[cfg(any(test, feature = "std"))]
pub type Fill = std::rc::Rc<dyn Fn(PhysAddr)>;

/// The list behind the empty one.
pub(super) struct Poison {
    /// What `page_free_list` and `is_set_aside` are without poison.
    page_free_list: u32,
    is_set_aside: bool,
    fill: Fill,
}

impl Poison {
    /// The first free frame, or [`PageInfo::END`].
    pub(super) fn head(&self) -> u32 {
        self.page_free_list
    }
}

impl fmt::Debug for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page_free_list, is_set_aside, .. } = self;
        f.debug_struct("Poison")
            .field("page_free_list", page_free_list)
            .field("is_set_aside", is_set_aside)
            .finish_non_exhaustive()
    }
}

impl Pages {
    /// From here on watches all free frames, which must be reachable: fills them now.
    pub(crate) fn poison(&mut self, fill: Fill) {
        if self.is_poisoned() {
            return;
        }
        for frame in self.page_free_list() {
            fill(self.page2pa(frame));
        }
        let mut poison = Poison { page_free_list: PageInfo::END, is_set_aside: true, fill };
        self.change_places(&mut poison);
        self.poison = Some(poison);
    }

    /// Whether free frames are watched.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_some()
    }

    fn change_places(&mut self, poison: &mut Poison) {
        core::mem::swap(&mut self.page_free_list, &mut poison.page_free_list);
        core::mem::swap(&mut self.is_set_aside, &mut poison.is_set_aside);
    }

    /// Does `work` with the list behind the empty one in its place. `None` without poison.
    pub(super) fn with_poisoned<R>(
        &mut self,
        work: impl FnOnce(&mut Self, &Fill) -> R,
    ) -> Option<R> {
        let mut poison = self.poison.take()?;
        self.change_places(&mut poison);
        let result = work(self, &poison.fill);
        self.change_places(&mut poison);
        self.poison = Some(poison);
        Some(result)
    }

    /// What `page_alloc` does where the list at hand is empty.
    #[cold]
    #[inline(never)]
    pub(super) fn alloc_poisoned(
        &mut self,
        mem: &impl PhysMem,
        flags: AllocFlags,
    ) -> Option<Frame> {
        self.alloc_poisoned_run(mem, flags, 0)
    }

    /// What `page_alloc_run` does where the list at hand has no run.
    #[cold]
    #[inline(never)]
    pub(super) fn alloc_poisoned_run(
        &mut self,
        mem: &impl PhysMem,
        flags: AllocFlags,
        order: u32,
    ) -> Option<Frame> {
        let take =
            |pages: &mut Self, _: &Fill| pages.page_alloc_run(mem, flags - ALLOC_ZERO, order);
        let first = self.with_poisoned(take)??;
        for index in (first.0..).take(1 << order) {
            let pa = self.page2pa(Frame(index));
            check_frame(mem, pa);
            if flags.contains(ALLOC_ZERO) {
                mem.zero_frame(pa);
            }
        }
        Some(first)
    }

    /// What `page_free` does with poison. `frame` says that it is free already.
    pub(super) fn free_poisoned(&mut self, frame: Frame) {
        let pa = self.page2pa(frame);
        self.array_mut()[frame.index()] = PageInfo::in_use(0);
        self.with_poisoned(|pages, fill| {
            fill(pa);
            pages.page_free(frame);
        });
    }

    /// What `append_linked` does with poison.
    #[cold]
    #[inline(never)]
    pub(super) fn append_poisoned(&mut self, first: usize, last: usize) {
        self.with_poisoned(|pages, fill| {
            (first..=last).for_each(|index| fill(pages.page2pa(Frame(index as u32))));
            pages.append_linked(first, last);
        });
    }

    /// What `prepend_linked` does with poison.
    #[cold]
    #[inline(never)]
    pub(super) fn prepend_poisoned(&mut self, first: u32, last: u32, count: usize) {
        self.with_poisoned(|pages, fill| {
            let mut next = first;
            for _ in 0..count {
                fill(pages.page2pa(Frame(next)));
                next = pages.array()[next as usize].pp_link;
            }
            pages.prepend_linked(first, last, count);
        });
    }

    /// Panics unless all free frames are as they were left.
    pub(crate) fn check_poison(&self, mem: &impl PhysMem) {
        self.page_free_list().for_each(|frame| check_frame(mem, self.page2pa(frame)));
    }
}

/// Panics unless the free frame at `pa` is as it was left.
fn check_frame(mem: &impl PhysMem, pa: PhysAddr) {
    let words = || (0..PGSIZE).step_by(8).map(|offset| (offset, mem.load::<u64>(pa + offset)));
    // One branch for all of them, for nearly always there is nothing to be found.
    if words().fold(0, |differs, (_, word)| differs | (word ^ POISON)) == 0 {
        return;
    }
    if let Some((offset, word)) = words().find(|(_, word)| *word != POISON) {
        panic!(
            "page {pa} was used after it was freed: {word:#x} was written at offset {offset:#x}"
        );
    }
}
