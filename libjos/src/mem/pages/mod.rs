//! The page allocator: the array `pages`, with a [`PageInfo`] for each frame, and `page_free_list`.
//!
//! As in JOS, a frame's whole state is its `PageInfo`: its place on the free list, or how many
//! mappings and tables use it. Links are indices, not pointers, so that the array means the same at
//! every address where it is mapped. The invariant: a frame is on `page_free_list` if and only if
//! its `pp_link` says that it is free, and the frame that it links to links back.
//!
//! | file | holds |
//! |---|---|
//! | `allocator.rs` | [`PageAllocator`]: single frames, allocated, counted and freed |
//! | `count.rs` | uses counted by physical address, singly and in runs |
//! | `free_list.rs` | the free list, made by `page_init` and linked both ways |
//! | `runs.rs` | runs of neighbours, taken off the list and put back |
//! | `release.rs` | many uses counted down at once |
//! | `poison.rs` | finds out who writes to a free frame |
//! | `info.rs`, `array.rs` | a frame and its state; the memory of `pages` |

mod allocator;
pub(crate) mod array;
mod count;
mod free_list;
pub(crate) mod globals;
mod info;
mod poison;
mod release;
mod runs;
#[cfg(test)]
mod tests;

use layout::PGSIZE;

use crate::mem::addr::PhysAddr;
use poison::Poison;
use runs::RunTable;

pub use allocator::PageAllocator;
pub use array::PageArray;
pub use free_list::FreeList;
pub use globals::{Globals, PagesAt};
pub use info::{ALLOC_ZERO, AllocFlags, CountError, Frame, PageError, PageInfo};
pub use poison::{Fill, POISON, fill_by};
// lab 2: begin omit
pub(crate) use release::Releases;
// lab 2: end
pub use runs::{Block, MAX_ORDER};

/// The page allocator: `pages` and `page_free_list`.
///
/// The machine can write to the memory of `pages` too, so a `Pages` stays on its thread, as the
/// memory system around it does:
///
/// ```
/// # use libjos::{mem::addr::PhysAddr, mem::pages::{Block, Pages}, sim::memory::SimMemory};
/// # let memory = SimMemory::new(0, 1 << 20);
/// // SAFETY: nobody has references into simulated memory.
/// let array = |pa, len| unsafe { memory.page_array(PhysAddr::new(pa), len) };
/// let pages = Pages::new(array(0, 512), array(0x1000, Block::table_len(512)), PhysAddr::new(0));
/// let moved = pages;
/// ```
///
/// ```compile_fail,E0277
/// # use libjos::{mem::addr::PhysAddr, mem::pages::{Block, Pages}, sim::memory::SimMemory};
/// # let memory = SimMemory::new(0, 1 << 20);
/// # let array = |pa, len| unsafe { memory.page_array(PhysAddr::new(pa), len) };
/// # let pages = Pages::new(array(0, 512), array(0x1000, Block::table_len(512)), PhysAddr::new(0));
/// std::thread::spawn(move || drop(pages));
/// ```
#[derive(Debug)]
pub struct Pages {
    /// The memory of `pages`.
    memory: PageArray,
    /// The physical address of frame 0, counted in pages.
    base: usize,
    /// The free frames. With poison this list looks empty, and `poison` has its head.
    list: FreeList,
    /// The upper bounds by which runs of free frames are found.
    runs: RunTable,
    /// The head of the list, while free frames are watched.
    poison: Option<Poison>,
}

impl Pages {
    /// An allocator for the frames from `base` on, one for each element of `array`. It knows
    /// nothing of them until [`page_init`](Self::page_init) has run. `table` is further memory, for
    /// [`Block::table_len`] elements.
    ///
    /// # Panics
    ///
    /// If there are more frames than [`PageInfo::MAX_FRAMES`] or than this machine's words can number, if `table` is
    /// too small for them, or if `base` is no multiple of the size of the largest run.
    #[must_use]
    pub fn new(array: PageArray, table: PageArray, base: PhysAddr) -> Self {
        let npages = array.as_ptr().len();
        assert!(npages <= PageInfo::MAX_FRAMES, "more frames than links can name");
        assert!(base.is_aligned(PGSIZE << MAX_ORDER), "{base}: no run would be aligned");
        let runs = RunTable::new(table, npages);
        let base = usize::try_from(base.as_u64() / PGSIZE).ok();
        let base = base.filter(|base| base.checked_add(npages).is_some());
        let base = base.expect("a word can number all frames");
        Self { memory: array, base, list: FreeList::EMPTY, runs, poison: None }
    }

    /// The physical address of frame 0.
    fn base(&self) -> PhysAddr {
        PhysAddr::new(self.base as u64 * PGSIZE)
    }

    /// Copies of all frames' states, in order. No reference into `pages` leaves [`Pages`], since
    /// the machine can write there too.
    #[must_use]
    pub fn infos(&self) -> impl ExactSizeIterator<Item = PageInfo> + Clone + '_ {
        let first = self.memory.as_ptr().cast::<PageInfo>();
        // SAFETY: as in `array`, for an element that there is. If the machine has written to it
        // meanwhile, on this thread, this reads the new value.
        (0..self.memory.as_ptr().len()).map(move |index| unsafe { first.add(index).read() })
    }

    /// All frames' states, for callers that let no machine write there while they hold this
    /// borrow: the methods of this type, and some checks.
    pub(crate) fn array(&self) -> &[PageInfo] {
        // SAFETY: `memory` promises that the array is valid, and that nobody on another thread
        // accesses it meanwhile. On this thread only the machine can, and it does not while a borrow
        // from here lives: nobody outside this crate can have one, and all in it keep to that.
        unsafe { self.memory.as_ptr().as_ref() }
    }

    /// The frame states, mutable. The caller must keep them consistent: nothing here checks them.
    fn array_mut(&mut self) -> &mut [PageInfo] {
        // SAFETY: as in `array`, and `self` is borrowed mutably, so there is no other borrow.
        unsafe { self.memory.as_ptr().as_mut() }
    }

    /// The state of `frame`.
    #[must_use]
    pub fn info(&self, frame: Frame) -> PageInfo {
        self.array()[frame.index()]
    }

    /// The state of the frame that `pa` lies in; `None` if `pages` does not describe it.
    #[must_use]
    pub fn info_at(&self, pa: PhysAddr) -> Option<PageInfo> {
        self.array().get(self.index_of(pa)).copied()
    }

    /// Sets the state of `frame` without any check, to plant faults.
    pub(crate) fn set_info(&mut self, frame: Frame, info: PageInfo) {
        self.array_mut()[frame.index()] = info;
    }

    /// The `pp_ref` of `frame`.
    #[must_use]
    pub fn pp_ref(&self, frame: Frame) -> u32 {
        self.info(frame).pp_ref()
    }

    /// The addresses that a debugger is told, right until this value moves or is poisoned.
    pub(crate) fn at(&self) -> PagesAt {
        PagesAt {
            array: self.memory.as_ptr().as_ptr().cast(),
            page_free_list: match &self.poison {
                Some(poison) => &raw const poison.head,
                None => &raw const self.list.head,
            },
            nfree: &raw const self.list.nfree,
        }
    }

    /// The frame that `pa` lies in; `None` if `pages` does not describe it.
    #[must_use]
    pub fn pa2page(&self, pa: PhysAddr) -> Option<Frame> {
        let index = self.index_of(pa);
        (index < self.array().len()).then_some(Frame(index as u32))
    }

    // lab 2: begin omit
    /// The indices of the frames in `[pa, pa + size)` that `pages` describes.
    fn described_run(&self, pa: PhysAddr, size: u64) -> core::ops::Range<usize> {
        let (base, npages) = (self.base().as_u64(), self.npages() as u64);
        let index = |pa: u64| npages.min(pa.saturating_sub(base) / PGSIZE) as usize;
        index(pa.as_u64())..index(pa.as_u64().saturating_add(size))
    }

    // lab 2: end
    /// The index of the frame that `pa` lies in. It is beyond the end of `pages` if `pages` does
    /// not describe that frame: an address below frame 0 wraps.
    fn index_of(&self, pa: PhysAddr) -> usize {
        match usize::try_from(pa.as_u64() / PGSIZE) {
            Ok(number) => number.wrapping_sub(self.base),
            Err(_) => usize::MAX,
        }
    }
}

/// Counts the frames at the start of `infos` that are in `state`.
#[inline]
fn count_leading(infos: &[PageInfo], state: PageInfo) -> usize {
    /// The most frames that are looked at without a branch.
    const MOST: usize = 512;
    let differs = |info: &PageInfo| info.word() ^ state.word();
    // Steps double, so that short runs are found as fast as long ones. With a branch for each frame a
    // tear-down of 65,536 neighbours takes a third longer.
    let (mut found, mut step) = (0, 4);
    while let Some(part) = infos.get(found..found + step) {
        if part.iter().fold(0, |any, info| any | differs(info)) != 0 {
            break;
        }
        found += step;
        step = MOST.min(2 * step);
    }
    found + infos[found..].iter().take_while(|info| differs(info) == 0).count()
}
