//! The page allocator: the array `pages`, one [`PageInfo`] a frame, and `page_free_list` in it.
//!
//! As in JOS, a frame's whole state is its `PageInfo`: its place on the free list, or how many
//! mappings and tables use it. Links are indices, not pointers, so that the array means the same
//! at every address it is mapped at. The invariant: a frame is on `page_free_list` exactly where
//! its `pp_link` says free, and the frame that it links to links back.
//!
//! `array.rs` holds the memory of `pages`; `info.rs` says what is kept of a frame; `runs.rs` takes
//! runs of neighbours off the list, `release.rs` counts many uses less at once, `poison.rs` finds
//! out who writes to a frame that is on it.

pub(crate) mod array;
pub(crate) mod globals;
mod info;
mod poison;
mod release;
mod runs;
#[cfg(test)]
mod tests;

use core::ptr::NonNull;

use layout::PGSIZE;

use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, PhysRange};
use poison::Poison;
use runs::Lists;

pub use array::PageArray;
pub use globals::{Globals, PagesAt};
pub use info::{ALLOC_ZERO, AllocFlags, Frame, PageError, PageInfo};
pub use poison::{Fill, POISON};
pub(crate) use release::Releases;
pub use runs::{Block, MAX_ORDER};

/// What a page allocator does: [`Pages`] does it, and `check_page_alloc` asks it of whatever it
/// is given.
pub trait PageAllocator {
    /// Takes a page off the free list; its `pp_ref` is 0. `None` where there is none.
    fn page_alloc(&mut self, mem: &impl PhysMem, flags: AllocFlags) -> Option<Frame>;

    /// Puts a page back on the free list.
    ///
    /// # Errors
    ///
    /// [`PageError::Free`], [`PageError::Reserved`] and [`PageError::Referenced`]; nothing has
    /// changed then.
    fn try_page_free(&mut self, frame: Frame) -> Result<(), PageError>;

    /// Counts one more use of `frame`.
    ///
    /// # Errors
    ///
    /// [`PageError::Free`] and [`PageError::Overflow`]; nothing has changed then.
    fn page_incref(&mut self, frame: Frame) -> Result<(), PageError>;

    /// Counts one use of `frame` less, and frees it when none is left.
    ///
    /// # Panics
    ///
    /// Where its `pp_ref` is 0, or it is reserved and nothing but the reservation is left: a bug
    /// of the caller.
    fn page_decref(&mut self, frame: Frame);

    /// Empties the allocator, so that it has no memory to give but what is freed until
    /// [`give_back`](Self::give_back), and of that no runs. For checks of what happens then.
    fn set_aside_free_list(&mut self) -> FreeList;

    /// Undoes [`set_aside_free_list`](Self::set_aside_free_list).
    ///
    /// # Panics
    ///
    /// Where the allocator has pages of its own now, which would be lost.
    fn give_back(&mut self, list: FreeList);

    /// Frames on the free list.
    fn nfree(&self) -> usize;

    /// Frames that there are, free or not.
    fn npages(&self) -> usize;

    /// The physical address of `frame`.
    fn page2pa(&self, frame: Frame) -> PhysAddr;
}

/// A free list, taken out of its allocator by [`PageAllocator::set_aside_free_list`].
#[must_use = "these pages are lost unless they are given back"]
#[derive(Debug)]
pub struct FreeList {
    head: u32,
    end: u32,
    nfree: usize,
    was_set_aside: bool,
}

impl FreeList {
    /// Frames on it.
    #[must_use]
    pub fn nfree(&self) -> usize {
        self.nfree
    }
}

/// The page allocator: `pages` and `page_free_list`.
///
/// Its memory is the machine's, which can write there too. So this stays on its thread, as its
/// [`Vm`](crate::paging::vm::Vm) does:
///
/// ```
/// # use libjos::{mem::addr::PhysAddr, mem::pages::{Block, Pages}, sim::memory::SimMemory};
/// # let memory = SimMemory::new(0, 1 << 20);
/// // SAFETY: nobody has references into simulated memory.
/// let array = |at, len| unsafe { memory.page_array(PhysAddr::new(at), len) };
/// let pages = Pages::new(array(0, 512), array(0x1000, Block::table_len(512)), PhysAddr::new(0));
/// let moved = pages;
/// ```
///
/// ```compile_fail,E0277
/// # use libjos::{mem::addr::PhysAddr, mem::pages::{Block, Pages}, sim::memory::SimMemory};
/// # let memory = SimMemory::new(0, 1 << 20);
/// # let array = |at, len| unsafe { memory.page_array(PhysAddr::new(at), len) };
/// # let pages = Pages::new(array(0, 512), array(0x1000, Block::table_len(512)), PhysAddr::new(0));
/// std::thread::spawn(move || drop(pages));
/// ```
#[derive(Debug)]
pub struct Pages {
    array: NonNull<[PageInfo]>,
    /// The memory of `array` and of `table`.
    _memory: [PageArray; 2],
    /// The physical address of frame 0.
    base: PhysAddr,
    /// The first free frame, or [`PageInfo::END`]. With poison that is in `poison`.
    page_free_list: u32,
    /// The last one, where the list is not empty.
    page_free_list_end: u32,
    /// Frames on the list.
    nfree: usize,
    /// What helps to find runs of free frames: blocks, then groups of them.
    table: NonNull<[Block]>,
    lists: Lists,
    /// Whether the free list is set aside.
    is_set_aside: bool,
    /// What there is to it if free frames are to be watched.
    poison: Option<Poison>,
}

impl Pages {
    /// An allocator for the frames from `base` on, one for each element of `array`, which says
    /// nothing of them until [`page_init`](Self::page_init) has run. `table` is memory of its own,
    /// for [`Block::table_len`] elements.
    ///
    /// # Panics
    ///
    /// Where there are more frames than [`PageInfo::MAX_FRAMES`], `table` is too small for them,
    /// or `base` no multiple of the size of the largest run.
    #[must_use]
    pub fn new(array: PageArray, table: PageArray, base: PhysAddr) -> Self {
        let memory = [array, table];
        let [array, table] = [memory[0].as_ptr(), memory[1].as_ptr()];
        assert!(array.len() <= PageInfo::MAX_FRAMES, "more frames than links can name");
        assert!(base.is_aligned(PGSIZE << MAX_ORDER), "{base}: no run would be aligned");
        let table = Block::table(table, array.len());
        Self {
            array,
            _memory: memory,
            base,
            page_free_list: PageInfo::END,
            page_free_list_end: PageInfo::END,
            nfree: 0,
            table,
            lists: Lists::new(),
            is_set_aside: false,
            poison: None,
        }
    }

    /// All frames' states, in their order. They are copies: no reference into `pages` leaves
    /// [`Pages`], since the machine can write there too.
    #[must_use]
    pub fn infos(&self) -> impl ExactSizeIterator<Item = PageInfo> + Clone + '_ {
        let first = self.array.cast::<PageInfo>();
        // SAFETY: as in `array`, for an element that there is. Where the machine has written to
        // it meanwhile, on this thread, this reads what it wrote.
        (0..self.npages()).map(move |index| unsafe { first.add(index).read() })
    }

    /// All frames' states, for those who let no machine write there as long as they have this
    /// borrow: the methods of this type, and some checks.
    pub(crate) fn array(&self) -> &[PageInfo] {
        // SAFETY: `_memory` promises that the array is valid, and that on other threads nobody
        // accesses it meanwhile. On this one only the machine can, and does not as long as a borrow
        // from here lives: nobody outside this crate can have one, and all in it keep to that.
        unsafe { self.array.as_ref() }
    }

    /// The same, to be changed. What is written here is not checked.
    fn array_mut(&mut self) -> &mut [PageInfo] {
        // SAFETY: as in `array`, and `self` is borrowed mutably, so there is no other borrow.
        unsafe { self.array.as_mut() }
    }

    /// The table of runs. The same holds of it.
    fn table(&self) -> &[Block] {
        // SAFETY: as in `array`. The memory holds numbers, whichever they are; it is aligned as
        // `PageInfo` is, which is enough, and `Block::table` saw that it is large enough.
        unsafe { self.table.as_ref() }
    }

    /// The same, to be changed.
    fn table_mut(&mut self) -> &mut [Block] {
        self.table_and_lists().0
    }

    /// The same, with the lists that begin outside it.
    fn table_and_lists(&mut self) -> (&mut [Block], &mut Lists) {
        // SAFETY: as in `table`, and `self` is borrowed mutably, so there is no other borrow.
        (unsafe { self.table.as_mut() }, &mut self.lists)
    }

    /// The state of `frame`.
    #[must_use]
    pub fn info(&self, frame: Frame) -> PageInfo {
        self.array()[frame.index()]
    }

    /// Makes `info` the state of `frame`. It is not checked: for faults to be planted.
    pub(crate) fn set_info(&mut self, frame: Frame, info: PageInfo) {
        self.array_mut()[frame.index()] = info;
    }

    /// The `pp_ref` of `frame`.
    #[must_use]
    pub fn pp_ref(&self, frame: Frame) -> u32 {
        self.info(frame).pp_ref()
    }

    /// Where a debugger finds this allocator, as long as it stays where it is.
    pub(crate) fn at(&self) -> PagesAt {
        PagesAt {
            array: self.array.as_ptr().cast(),
            page_free_list: &raw const self.page_free_list,
            nfree: &raw const self.nfree,
        }
    }

    /// The frame that `pa` lies in; `None` where `pages` does not describe it.
    #[must_use]
    pub fn pa2page(&self, pa: PhysAddr) -> Option<Frame> {
        let number = self.number(pa);
        (number < self.npages() as u64).then_some(Frame(number as u32))
    }

    /// The page number of `pa`, counted from frame 0. An address below that wraps, and its number
    /// lies far beyond the end of `pages`.
    fn number(&self, pa: PhysAddr) -> u64 {
        pa.as_u64().wrapping_sub(self.base.as_u64()) / PGSIZE
    }

    /// Puts every page of `free` on the free list, the lowest first, and reserves all others
    /// (`pp_ref` 1). `free` is runs of whole pages, from the lowest up. Nothing is kept of an earlier
    /// state.
    ///
    /// # Panics
    ///
    /// Where `free` has a page that `pages` does not describe, or a run that ends within a page.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_init(&mut self, free: &[PhysRange]) {
        let base = self.base;
        let npages = self.npages();
        let index = |pa: PhysAddr| {
            let index = ((pa - base) / PGSIZE) as usize;
            assert!(index <= npages, "page_init: {pa} lies beyond the end of pages");
            assert!(pa.is_aligned(PGSIZE), "page_init: {pa} lies within a page");
            index
        };
        // From the highest run down, so that each can link to the one behind it.
        self.clear_table();
        let infos = self.array_mut();
        let (mut next, mut done) = (PageInfo::END, npages);
        for run in free.iter().rev() {
            let (start, end) = (index(run.start), index(run.end_exclusive));
            infos[end..done].fill(PageInfo::reserved());
            link_upwards(&mut infos[start..end], start);
            infos[start].pp_ref_or_prev = 0;
            infos[end - 1].pp_link = next;
            if let Some(info) = infos.get_mut(next as usize) {
                info.pp_ref_or_prev = end as u32 - 1;
            }
            (next, done) = (start as u32, start);
        }
        infos[..done].fill(PageInfo::reserved());
        self.page_free_list = next;
        self.page_free_list_end =
            free.last().map_or(PageInfo::END, |run| index(run.end_exclusive) as u32 - 1);
        self.nfree = (free.iter().map(PhysRange::size).sum::<u64>() / PGSIZE) as usize;
        self.is_set_aside = false;
        self.poison = None;
        for run in free.iter().rev() {
            self.note_free_run(index(run.start), index(run.end_exclusive) - 1);
        }
    }

    /// Puts a page back on the free list.
    ///
    /// # Panics
    ///
    /// Where it is free, reserved or still referenced: a bug of the caller.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_free(&mut self, frame: Frame) {
        if let Err(error) = self.try_page_free(frame) {
            panic!("page_free: {error}");
        }
    }

    /// [`page_decref`](PageAllocator::page_decref) for the page at `pa`, where `pages` describes it.
    #[inline]
    pub(crate) fn page_decref_at(&mut self, pa: PhysAddr) {
        let number = self.number(pa);
        match self.array_mut().get_mut(number as usize) {
            None => {}
            Some(info) if !info.is_free() && info.pp_ref_or_prev > 1 => info.pp_ref_or_prev -= 1,
            Some(_) => self.drop_last_use(Frame(number as u32)),
        }
    }

    /// What `page_free` does where the list at hand is empty. `frame` says that it is free already.
    #[cold]
    #[inline(never)]
    fn free_on_empty_list(&mut self, frame: Frame) {
        if self.is_poisoned() {
            self.free_poisoned(frame);
        } else {
            self.page_free_list_end = frame.0;
            self.page_free_list = frame.0;
            self.nfree += 1;
            self.note_free(frame.index());
        }
    }

    /// Frees `frame`, of which at most one use is left.
    #[inline(never)]
    fn drop_last_use(&mut self, frame: Frame) {
        let pa = self.page2pa(frame);
        let info = &mut self.array_mut()[frame.index()];
        match *info {
            info if info == PageInfo::in_use(1) => {}
            PageInfo { pp_link: PageInfo::RESERVED, .. } => {
                panic!("page_decref: {}", PageError::Reserved { pa })
            }
            _ => panic!("page_decref: {}", PageError::Unreferenced { pa }),
        }
        *info = PageInfo::in_use(0);
        self.page_free(frame);
    }

    /// Takes back what [`page_incref`](PageAllocator::page_incref) counted. The frame stays
    /// allocated even where no use is left.
    pub(crate) fn page_uncount(&mut self, frame: Frame) {
        self.array_mut()[frame.index()].pp_ref_or_prev -= 1;
    }

    /// Refuses a frame that is free, where no use of it is to be counted.
    pub(crate) fn check_in_use(&self, frame: Frame) -> Result<(), PageError> {
        let info = self.info(frame);
        if info.is_free() { Err(uncountable(&info, self.page2pa(frame))) } else { Ok(()) }
    }

    /// Counts one more use of each of the pages in `[pa, pa + size)` that `pages` describes.
    ///
    /// # Errors
    ///
    /// Those of [`page_incref`](PageAllocator::page_incref), for the first page that has one;
    /// nothing has changed then.
    pub(crate) fn count_run(&mut self, pa: PhysAddr, size: u64) -> Result<(), PageError> {
        let base = self.base.as_u64();
        let index = |pa: u64| {
            let index = pa.saturating_sub(base) / PGSIZE;
            index.min(self.npages() as u64) as usize
        };
        let (start, end) = (index(pa.as_u64()), index(pa.as_u64().saturating_add(size)));
        let run = &mut self.array_mut()[start..end];
        let cannot = |info: &PageInfo| info.is_free() || info.pp_ref_or_prev == u32::MAX;
        if let Some(bad) = run.iter().position(cannot) {
            // Names the error; it changes nothing.
            return self.page_incref(Frame((start + bad) as u32));
        }
        for info in run {
            info.pp_ref_or_prev += 1;
        }
        Ok(())
    }

    /// The first frame on the free list, or [`PageInfo::END`].
    pub(crate) fn page_free_list_head(&self) -> u32 {
        self.poison.as_ref().map_or(self.page_free_list, Poison::head)
    }

    /// The last frame on the free list, where there is one.
    pub(crate) fn page_free_list_end(&self) -> u32 {
        self.page_free_list_end
    }

    /// The free frames in the order of the list. It ends after `npages` frames even where the
    /// list is broken and runs in a circle, and where a link leads out of `pages`.
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

impl PageAllocator for Pages {
    #[cfg_attr(debug_assertions, inline(never))]
    fn page_alloc(&mut self, mem: &impl PhysMem, flags: AllocFlags) -> Option<Frame> {
        let frame = Frame(self.page_free_list);
        if frame.0 == PageInfo::END {
            return self.alloc_poisoned(mem, flags);
        }
        let info = &mut self.array_mut()[frame.index()];
        let next = info.pp_link;
        *info = PageInfo::in_use(0);
        self.page_free_list = next;
        self.nfree -= 1;
        if flags.contains(ALLOC_ZERO) {
            mem.zero_frame(self.page2pa(frame));
        }
        Some(frame)
    }

    #[inline(always)] // into page_free, where nobody wants the error as a value
    fn try_page_free(&mut self, frame: Frame) -> Result<(), PageError> {
        let head = self.page_free_list;
        let infos = self.array_mut();
        let info = &mut infos[frame.index()];
        // Not by `word`: a processor that has just written the halves would wait for both.
        if *info != PageInfo::in_use(0) {
            let info = *info;
            return Err(refusal(&info, self.page2pa(frame)));
        }
        info.pp_link = head;
        match infos.get_mut(head as usize) {
            Some(info) => info.pp_ref_or_prev = frame.0,
            None => {
                self.free_on_empty_list(frame);
                return Ok(());
            }
        }
        self.page_free_list = frame.0;
        self.nfree += 1;
        self.note_free(frame.index());
        Ok(())
    }

    #[inline]
    fn page_incref(&mut self, frame: Frame) -> Result<(), PageError> {
        let info = &mut self.array_mut()[frame.index()];
        if info.is_free() || info.pp_ref_or_prev == u32::MAX {
            let info = *info;
            return Err(uncountable(&info, self.page2pa(frame)));
        }
        info.pp_ref_or_prev += 1;
        Ok(())
    }

    #[cfg_attr(debug_assertions, inline(never))]
    fn page_decref(&mut self, frame: Frame) {
        let info = &mut self.array_mut()[frame.index()];
        if !info.is_free() && info.pp_ref_or_prev > 1 {
            info.pp_ref_or_prev -= 1;
        } else {
            self.drop_last_use(frame);
        }
    }

    fn set_aside_free_list(&mut self) -> FreeList {
        if let Some(list) = self.with_poisoned(|pages, _| pages.set_aside_free_list()) {
            return list;
        }
        let (head, end) = (self.page_free_list, self.page_free_list_end);
        let was_set_aside = self.is_set_aside;
        let list = FreeList { head, end, nfree: self.nfree, was_set_aside };
        self.page_free_list = PageInfo::END;
        self.page_free_list_end = PageInfo::END;
        self.nfree = 0;
        self.is_set_aside = true;
        list
    }

    fn give_back(&mut self, list: FreeList) {
        if self.poison.is_some() {
            self.with_poisoned(|pages, _| pages.give_back(list));
            return;
        }
        assert!(self.nfree == 0, "{} pages would be lost", self.nfree);
        self.page_free_list = list.head;
        self.page_free_list_end = list.end;
        self.nfree = list.nfree;
        self.is_set_aside = list.was_set_aside;
    }

    fn nfree(&self) -> usize {
        self.nfree
    }

    #[inline(always)] // as `page_free_list`
    fn npages(&self) -> usize {
        self.array.len()
    }

    #[inline]
    fn page2pa(&self, frame: Frame) -> PhysAddr {
        PhysAddr::new(self.base.as_u64() + u64::from(frame.0) * PGSIZE)
    }
}

/// Why no use more of a frame can be counted.
#[cold]
fn uncountable(info: &PageInfo, pa: PhysAddr) -> PageError {
    if info.is_free() { PageError::Free { pa } } else { PageError::Overflow { pa } }
}

/// Why a frame that is not just allocated, without any use, is not freed.
#[cold]
fn refusal(info: &PageInfo, pa: PhysAddr) -> PageError {
    match info.pp_link {
        PageInfo::RESERVED => PageError::Reserved { pa },
        _ if info.is_free() => PageError::Free { pa },
        _ => PageError::Referenced { pa, pp_ref: info.pp_ref() },
    }
}

/// Makes `run`, whose first frame is at `first`, free, each frame linked to its neighbours.
fn link_upwards(run: &mut [PageInfo], first: usize) {
    /// Frames to a turn of the loop.
    const UNROLLED: usize = 8;
    // Both links as one word, which is how they are stored: next below, previous above.
    const STEP: u64 = 1 | 1 << 32;
    let mut links = (first as u64 + 1) | (first as u64).wrapping_sub(1) << 32;
    let mut link = |info: &mut PageInfo| {
        *info = PageInfo::from_word(links);
        links = links.wrapping_add(STEP);
    };
    let (turns, rest) = run.as_chunks_mut::<UNROLLED>();
    turns.iter_mut().flatten().for_each(&mut link);
    rest.iter_mut().for_each(link);
}

/// How many of `infos`, from the first on, are `state`.
#[inline]
fn leading(infos: &[PageInfo], state: PageInfo) -> usize {
    /// Frames that are looked at without a branch, at most.
    const MOST: usize = 512;
    let differs = |info: &PageInfo| info.word() ^ state.word();
    // Steps grow with what is found, so that short runs are found as fast as they are long.
    let (mut found, mut step) = (0, 4);
    while let Some(next) = infos.get(found..found + step) {
        if next.iter().fold(0, |all, info| all | differs(info)) != 0 {
            break;
        }
        found += step;
        step = MOST.min(2 * step);
    }
    found + infos[found..].iter().take_while(|info| differs(info) == 0).count()
}
