//! Poison: finds out who writes to a free frame.
//!
//! A frame is filled with [`POISON`] when it is freed, and must still hold it when it is allocated.
//! Without poison this takes no instruction. With poison the free list looks empty, and its head is
//! kept here. So allocating and freeing end in their branch for an empty list, which they have anyway,
//! and that leads here. Here the head goes back to its place for as long as the ordinary function runs.

use core::fmt;
use core::mem::swap;

use layout::PGSIZE;

use super::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageInfo, Pages};
use crate::machine::PhysMem;
use crate::mem::addr::PhysAddr;

/// The value of every word of a free frame. As an entry of a page table it is malformed, as a pointer
/// non-canonical.
pub const POISON: u64 = 0xDFDF_DFDF_DFDF_DFDF;

/// Fills the frame at an address with [`POISON`]: whoever frees a frame has no machine at hand.
#[cfg(not(any(test, feature = "std")))]
pub type Fill = fn(PhysAddr);
/// Fills the frame at an address with [`POISON`]: whoever frees a frame has no machine at hand. A
/// simulated machine's has a share in its memory.
#[cfg(any(test, feature = "std"))]
pub type Fill = std::rc::Rc<dyn Fn(PhysAddr)>;

/// The [`Fill`] that calls a plain function.
#[must_use]
pub fn fill_by(fill: fn(PhysAddr)) -> Fill {
    #[cfg(any(test, feature = "std"))]
    let fill = std::rc::Rc::new(fill);
    fill
}

/// The part of the free list that is hidden, so that the list looks empty.
pub(super) struct Poison {
    /// The first free frame, or [`PageInfo::END`]. Without poison this and the next are in `Pages::list`.
    pub(super) head: u32,
    stands_in: bool,
    fill: Fill,
}

impl fmt::Debug for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, stands_in, .. } = self;
        f.debug_struct("Poison")
            .field("head", head)
            .field("stands_in", stands_in)
            .finish_non_exhaustive()
    }
}

impl Pages {
    /// Watches all free frames from here on. Fills them now, so they must be reachable.
    pub(crate) fn poison(&mut self, fill: Fill) {
        if self.is_poisoned() {
            return;
        }
        for frame in self.page_free_list() {
            fill(self.page2pa(frame));
        }
        // A list that stands in for another one gives no runs: so `page_alloc_run` comes here too.
        let mut poison = Poison { head: PageInfo::END, stands_in: true, fill };
        self.exchange(&mut poison);
        self.poison = Some(poison);
    }

    /// Whether free frames are watched.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_some()
    }

    /// Exchanges the part of the list that is hidden with the part that stands in its place.
    fn exchange(&mut self, poison: &mut Poison) {
        swap(&mut self.list.head, &mut poison.head);
        swap(&mut self.list.stands_in, &mut poison.stands_in);
    }

    /// Does `work` with the whole list in its place. `None` without poison.
    pub(super) fn with_poisoned<R>(
        &mut self,
        work: impl FnOnce(&mut Self, &Fill) -> R,
    ) -> Option<R> {
        let mut poison = self.poison.take()?;
        self.exchange(&mut poison);
        let result = work(self, &poison.fill);
        self.exchange(&mut poison);
        self.poison = Some(poison);
        Some(result)
    }

    /// Finishes `page_alloc` if the list looks empty, and `page_alloc_run` if it gives no runs. `None` without
    /// poison: then the list is as it looks.
    #[cold]
    #[inline(never)]
    pub(super) fn alloc_poisoned(
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

    // lab 2: begin omit
    /// Finishes `page_free` with poison. `frame` is marked as free already.
    pub(super) fn free_poisoned(&mut self, frame: Frame) {
        let pa = self.page2pa(frame);
        self.array_mut()[frame.index()] = PageInfo::in_use(0);
        self.with_poisoned(|pages, fill| {
            fill(pa);
            pages.page_free(frame);
        });
    }

    /// Fills `count` frames, linked from `first` on, and lets `add` put them on the list.
    #[cold]
    #[inline(never)]
    pub(super) fn add_poisoned(&mut self, first: usize, count: usize, add: impl FnOnce(&mut Self)) {
        self.with_poisoned(|pages, fill| {
            let mut frame = Frame(first as u32);
            for _ in 0..count {
                fill(pages.page2pa(frame));
                frame = Frame(pages.info(frame).pp_link);
            }
            add(pages);
        });
    }
    // lab 2: end

    /// Panics unless all free frames hold what they were filled with.
    pub(crate) fn check_poison(&self, mem: &impl PhysMem) {
        self.page_free_list().for_each(|frame| check_frame(mem, self.page2pa(frame)));
    }
}

/// Panics unless the free frame at `pa` holds what it was filled with.
fn check_frame(mem: &impl PhysMem, pa: PhysAddr) {
    let half = |offset| u64::from(mem.load::<u32>(pa + offset));
    let words =
        || (0..PGSIZE).step_by(8).map(|offset| (offset, half(offset) | half(offset + 4) << 32));
    // One branch for all words, since nearly always nothing is to be found.
    if words().fold(0, |differs, (_, word)| differs | (word ^ POISON)) == 0 {
        return;
    }
    if let Some((offset, word)) = words().find(|(_, word)| *word != POISON) {
        panic!(
            "page {pa} was used after it was freed: {word:#x} was written at offset {offset:#x}"
        );
    }
}
