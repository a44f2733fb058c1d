//! The page allocator: the array `pages`, one [`PageInfo`] a frame, and `page_free_list` in it.
//!
//! As in JOS, a frame's whole state is its `PageInfo`: its place on the free list, or how many
//! mappings and tables use it. Links are indices, not pointers, so that the array means the same
//! at every address it is mapped at. The invariant: a frame is on `page_free_list` exactly where
//! its `pp_link` says free, and then its `pp_ref` is 0.

use core::fmt;
use core::ptr::NonNull;

use layout::PGSIZE;

use crate::addr::PhysAddr;
use crate::machine::PhysMem;
use crate::range_set::RangeSet;

/// A frame of physical memory, by its place in `pages`.
///
/// Holding one does not prove that the frame is in use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Frame(u32);

impl Frame {
    /// The frame at `index` in `pages`.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The frame's index in `pages`.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the allocator keeps of one frame (JOS's `struct PageInfo`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct PageInfo {
    /// On the free list: the index of the next free frame, or [`PageInfo::END`]. Off it:
    /// [`PageInfo::IN_USE`] or [`PageInfo::RESERVED`].
    pub pp_link: u32,
    /// Mappings of the frame below UTOP, plus 1 where it is a page table (and 1 for each
    /// further address space that shares it), plus 1 where it is reserved.
    pub pp_ref: u32,
}

const _: () = assert!(size_of::<PageInfo>() == 8);

impl PageInfo {
    /// `pp_link` of a frame that was allocated.
    pub const IN_USE: u32 = u32::MAX;
    /// `pp_link` of a frame that is never allocated: no RAM, or the loader's or the kernel's own.
    pub const RESERVED: u32 = u32::MAX - 1;
    /// `pp_link` of the last frame on the free list.
    pub const END: u32 = u32::MAX - 2;
    /// The most frames that links can name.
    pub const MAX_FRAMES: usize = Self::END as usize;

    /// Whether the frame is on the free list.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.pp_link <= Self::END
    }
}

bitflags::bitflags! {
    /// What [`Pages::page_alloc`] is to do with the page.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct AllocFlags: u8 {
        /// Fill it with zeros.
        const ZERO = 1 << 0;
    }
}

/// Asks [`Pages::page_alloc`] for a page of zeros (JOS's name).
pub const ALLOC_ZERO: AllocFlags = AllocFlags::ZERO;

/// Why a frame cannot be freed or counted as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageError {
    /// It is on the free list already.
    Free {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// It is never allocated, and so never freed.
    Reserved {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// It is still in use.
    Referenced {
        /// The frame's address.
        pa: PhysAddr,
        /// By how many.
        pp_ref: u32,
    },
    /// Its `pp_ref` would overflow.
    Overflow {
        /// The frame's address.
        pa: PhysAddr,
    },
    /// Its `pp_ref` is 0 and cannot be lowered.
    Unreferenced {
        /// The frame's address.
        pa: PhysAddr,
    },
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Free { pa } => write!(f, "page {pa} is free already"),
            Self::Reserved { pa } => write!(f, "page {pa} is reserved"),
            Self::Referenced { pa, pp_ref } => {
                write!(f, "page {pa} is still in use: pp_ref is {pp_ref}")
            }
            Self::Overflow { pa } => write!(f, "pp_ref of page {pa} would overflow"),
            Self::Unreferenced { pa } => write!(f, "pp_ref of page {pa} is 0"),
        }
    }
}

impl core::error::Error for PageError {}

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

    /// Empties the allocator, so that it has no memory to give, until
    /// [`give_back`](Self::give_back). For checks of what happens then.
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
    nfree: usize,
}

impl FreeList {
    /// Frames on it.
    #[must_use]
    pub fn nfree(&self) -> usize {
        self.nfree
    }
}

/// Frames without use, linked like the free list but not on it: they wait for a TLB flush.
#[must_use = "these frames are lost unless they are given back"]
#[derive(Debug)]
pub struct FreeFrames {
    /// The frame that came last, from which the links lead to the others.
    last: u32,
    /// The frame that came first, where they end.
    first: u32,
    count: usize,
}

impl FreeFrames {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { last: PageInfo::END, first: PageInfo::END, count: 0 }
    }

    /// Notes that the list now begins with frame `index`, whose link leads to the last one.
    #[inline]
    fn push(&mut self, index: u32) {
        if self.count == 0 {
            self.first = index;
        }
        self.last = index;
        self.count += 1;
    }
}

/// Counts uses of pages less, one after the other; [`Pages::release_into`] makes it.
#[derive(Debug)]
pub(crate) struct Releases<'a> {
    base: PhysAddr,
    infos: &'a mut [PageInfo],
    /// Held by value, so that it stays in registers while many are released.
    waiting: FreeFrames,
}

impl Releases<'_> {
    /// Counts one use less of the page at `pa`, if `pages` describes it.
    ///
    /// # Panics
    ///
    /// As [`page_decref`](PageAllocator::page_decref).
    #[inline]
    pub(crate) fn release(&mut self, pa: PhysAddr) {
        // An address below `base` wraps, and lies beyond the end of `pages` then.
        let index = (pa.as_u64().wrapping_sub(self.base.as_u64()) / PGSIZE) as usize;
        let Some(info) = self.infos.get_mut(index) else { return };
        if *info == (PageInfo { pp_link: PageInfo::IN_USE, pp_ref: 1 }) {
            *info = PageInfo { pp_link: self.waiting.last, pp_ref: 0 };
            self.waiting.push(index as u32);
        } else if info.pp_ref > 1 {
            info.pp_ref -= 1;
        } else {
            no_use_left(pa, info.pp_ref)
        }
    }
}

/// A use was counted less that had not been counted.
#[cold]
fn no_use_left(pa: PhysAddr, pp_ref: u32) -> ! {
    match pp_ref {
        0 => panic!("page_decref: {}", PageError::Unreferenced { pa }),
        _ => panic!("page_decref: {}", PageError::Reserved { pa }),
    }
}

/// The page allocator: `pages` and `page_free_list`.
#[derive(Debug)]
pub struct Pages {
    array: NonNull<[PageInfo]>,
    /// The physical address of frame 0.
    base: PhysAddr,
    /// The first free frame, or [`PageInfo::END`].
    page_free_list: u32,
    /// Frames on the list.
    nfree: usize,
}

// SAFETY: `array` is reached through this `Pages` alone (`new` asks for that), so moving it to
// another processor moves all access to it.
unsafe impl Send for Pages {}

impl Pages {
    /// An allocator for the frames from `base` on, one for each element of `array`, all of them
    /// reserved until [`page_init`](Self::page_init).
    ///
    /// # Safety
    ///
    /// `array` is valid for reads and writes as long as this value lives, and nothing else
    /// accesses it in that time except by reading while no method runs.
    ///
    /// # Panics
    ///
    /// Where there are more frames than [`PageInfo::MAX_FRAMES`].
    #[must_use]
    pub unsafe fn new(array: NonNull<[PageInfo]>, base: PhysAddr) -> Self {
        assert!(array.len() <= PageInfo::MAX_FRAMES, "more frames than links can name");
        Self { array, base, page_free_list: PageInfo::END, nfree: 0 }
    }

    /// All frames' states.
    #[must_use]
    pub fn infos(&self) -> &[PageInfo] {
        // SAFETY: `new` was promised that the array is valid and no one else writes to it while
        // `self` is borrowed.
        unsafe { self.array.as_ref() }
    }

    /// All frames' states, to be changed. What is written here is not checked.
    pub(crate) fn infos_mut(&mut self) -> &mut [PageInfo] {
        // SAFETY: as in `infos`, and `self` is borrowed mutably, so there is no other borrow.
        unsafe { self.array.as_mut() }
    }

    /// The state of `frame`.
    #[must_use]
    pub fn info(&self, frame: Frame) -> PageInfo {
        self.infos()[frame.index()]
    }

    /// The `pp_ref` of `frame`.
    #[must_use]
    pub fn pp_ref(&self, frame: Frame) -> u32 {
        self.info(frame).pp_ref
    }

    /// The frame that `pa` lies in; `None` where `pages` does not describe it.
    #[must_use]
    pub fn pa2page(&self, pa: PhysAddr) -> Option<Frame> {
        let index = pa.as_u64().checked_sub(self.base.as_u64())? / PGSIZE;
        (index < self.npages() as u64).then_some(Frame(index as u32))
    }

    /// Puts every page of `free` on the free list, the lowest first, and reserves all others
    /// (`pp_ref` 1). Nothing is kept of an earlier state.
    ///
    /// # Panics
    ///
    /// Where `free` has a page that `pages` does not describe.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_init(&mut self, free: &RangeSet) {
        const RESERVED: PageInfo = PageInfo { pp_link: PageInfo::RESERVED, pp_ref: 1 };
        let base = self.base;
        let npages = self.npages();
        let index = |pa: PhysAddr| {
            let index = ((pa - base) / PGSIZE) as usize;
            assert!(index <= npages, "page_init: {pa} lies beyond the end of pages");
            index
        };
        let runs = free.runs();
        let infos = self.infos_mut();
        let mut done = 0;
        for (i, run) in runs.iter().enumerate() {
            let (start, end) = (index(run.start), index(run.end_exclusive));
            infos[done..start].fill(RESERVED);
            for (i, info) in infos[start..end].iter_mut().enumerate() {
                *info = PageInfo { pp_link: (start + i + 1) as u32, pp_ref: 0 };
            }
            // The run's last frame links to the next run.
            infos[end - 1].pp_link = match runs.get(i + 1) {
                Some(next) => index(next.start) as u32,
                None => PageInfo::END,
            };
            done = end;
        }
        infos[done..].fill(RESERVED);
        self.page_free_list = runs.first().map_or(PageInfo::END, |run| index(run.start) as u32);
        self.nfree = (free.size() / PGSIZE) as usize;
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

    /// Frees `frame`, of which at most one use is left.
    fn drop_last_use(&mut self, frame: Frame) {
        let pa = self.page2pa(frame);
        let info = &mut self.infos_mut()[frame.index()];
        match *info {
            PageInfo { pp_link: PageInfo::IN_USE, pp_ref: 1 } => info.pp_ref = 0,
            PageInfo { pp_ref, .. } => no_use_left(pa, pp_ref),
        }
        self.page_free(frame);
    }

    /// Takes back what [`page_incref`](PageAllocator::page_incref) counted. The frame stays
    /// allocated even where no use is left.
    pub(crate) fn page_uncount(&mut self, frame: Frame) {
        self.infos_mut()[frame.index()].pp_ref -= 1;
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
        let run = &mut self.infos_mut()[start..end];
        let cannot = |info: &PageInfo| info.is_free() || info.pp_ref == u32::MAX;
        if let Some(bad) = run.iter().position(cannot) {
            // Names the error; it changes nothing.
            return self.page_incref(Frame((start + bad) as u32));
        }
        for info in run {
            info.pp_ref += 1;
        }
        Ok(())
    }

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
        let mut releases = Releases { base, infos: self.infos_mut(), waiting: taken };
        release(&mut releases);
        *waiting = releases.waiting;
    }

    /// Puts the frames that waited on the free list, and returns how many they were.
    pub(crate) fn take_back(&mut self, waiting: FreeFrames) -> usize {
        let FreeFrames { last, first, count } = waiting;
        if count > 0 {
            let head = self.page_free_list;
            self.infos_mut()[first as usize].pp_link = head;
            self.page_free_list = last;
            self.nfree += count;
        }
        count
    }

    /// The first frame on the free list, or [`PageInfo::END`].
    pub(crate) fn page_free_list_head(&self) -> u32 {
        self.page_free_list
    }

    /// The free frames in the order of the list. It ends after `npages` frames even where the
    /// list is broken and runs in a circle, and where a link leads out of `pages`.
    pub fn page_free_list(&self) -> impl Iterator<Item = Frame> + '_ {
        let infos = self.infos();
        let mut next = self.page_free_list;
        core::iter::from_fn(move || {
            let frame = Frame(next);
            next = infos.get(frame.index())?.pp_link;
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
            return None;
        }
        let info = &mut self.infos_mut()[frame.index()];
        let next = info.pp_link;
        info.pp_link = PageInfo::IN_USE;
        self.page_free_list = next;
        self.nfree -= 1;
        if flags.contains(ALLOC_ZERO) {
            mem.zero_frame(self.page2pa(frame));
        }
        Some(frame)
    }

    fn try_page_free(&mut self, frame: Frame) -> Result<(), PageError> {
        let pa = self.page2pa(frame);
        let head = self.page_free_list;
        let info = &mut self.infos_mut()[frame.index()];
        match *info {
            PageInfo { pp_link: PageInfo::IN_USE, pp_ref: 0 } => info.pp_link = head,
            PageInfo { pp_link: PageInfo::IN_USE, pp_ref } => {
                return Err(PageError::Referenced { pa, pp_ref });
            }
            PageInfo { pp_link: PageInfo::RESERVED, .. } => {
                return Err(PageError::Reserved { pa });
            }
            _ => return Err(PageError::Free { pa }),
        }
        self.page_free_list = frame.0;
        self.nfree += 1;
        Ok(())
    }

    fn page_incref(&mut self, frame: Frame) -> Result<(), PageError> {
        let pa = self.page2pa(frame);
        let info = &mut self.infos_mut()[frame.index()];
        if info.is_free() {
            return Err(PageError::Free { pa });
        }
        info.pp_ref = info.pp_ref.checked_add(1).ok_or(PageError::Overflow { pa })?;
        Ok(())
    }

    #[cfg_attr(debug_assertions, inline(never))]
    fn page_decref(&mut self, frame: Frame) {
        let info = &mut self.infos_mut()[frame.index()];
        if info.pp_ref > 1 {
            info.pp_ref -= 1;
        } else {
            self.drop_last_use(frame);
        }
    }

    fn set_aside_free_list(&mut self) -> FreeList {
        let list = FreeList { head: self.page_free_list, nfree: self.nfree };
        self.page_free_list = PageInfo::END;
        self.nfree = 0;
        list
    }

    fn give_back(&mut self, list: FreeList) {
        assert!(self.nfree == 0, "{} pages would be lost", self.nfree);
        self.page_free_list = list.head;
        self.nfree = list.nfree;
    }

    fn nfree(&self) -> usize {
        self.nfree
    }

    fn npages(&self) -> usize {
        self.array.len()
    }

    #[inline]
    fn page2pa(&self, frame: Frame) -> PhysAddr {
        PhysAddr::new(self.base.as_u64() + u64::from(frame.0) * PGSIZE)
    }
}
