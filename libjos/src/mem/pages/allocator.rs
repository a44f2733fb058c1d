//! [`PageAllocator`]: single frames, allocated, counted and freed, as [`Pages`] does it.

use layout::PGSIZE;

use super::{ALLOC_ZERO, AllocFlags, CountError, Frame, FreeList, PageError, PageInfo, Pages};
use crate::machine::PhysMem;
use crate::mem::addr::PhysAddr;

/// The operations of a page allocator. [`Pages`] is one, and `check_page_alloc` proves any.
pub trait PageAllocator {
    /// Takes a frame off the free list; its `pp_ref` is 0. `None` if no frame is free.
    fn page_alloc(&mut self, mem: &impl PhysMem, flags: AllocFlags) -> Option<Frame>;

    /// Puts a frame back on the free list.
    ///
    /// # Errors
    ///
    /// [`PageError::Free`], [`PageError::Reserved`] and [`PageError::Referenced`]; nothing has
    /// changed then.
    fn try_page_free(&mut self, frame: Frame) -> Result<(), PageError>;

    /// Counts one use more of `frame`.
    ///
    /// # Errors
    ///
    /// If it is free, or its `pp_ref` would overflow; nothing has changed then.
    fn page_incref(&mut self, frame: Frame) -> Result<(), CountError>;

    /// Counts one use less of `frame`, and frees it if no use is left.
    ///
    /// # Panics
    ///
    /// If its `pp_ref` is 0, or if it is reserved and only the reservation is left: a bug of the
    /// caller.
    fn page_decref(&mut self, frame: Frame);

    /// Empties the allocator. Until [`give_back`](Self::give_back) it has only the frames that are
    /// freed meanwhile, and no runs. Checks use this to see an allocator that has no memory.
    fn set_aside_free_list(&mut self) -> FreeList;

    /// Undoes [`set_aside_free_list`](Self::set_aside_free_list).
    ///
    /// # Panics
    ///
    /// If the allocator has free frames now, which would be lost.
    fn give_back(&mut self, list: FreeList);

    /// The number of free frames.
    fn nfree(&self) -> usize;

    /// The number of frames, free or not.
    fn npages(&self) -> usize;

    /// The physical address of `frame`.
    fn page2pa(&self, frame: Frame) -> PhysAddr;
}

impl PageAllocator for Pages {
    #[cfg_attr(debug_assertions, inline(never))]
    fn page_alloc(&mut self, mem: &impl PhysMem, flags: AllocFlags) -> Option<Frame> {
        // lab 2: begin page_alloc
        let frame = Frame(self.list.head);
        if frame.0 == PageInfo::END {
            return self.alloc_poisoned(mem, flags, 0);
        }
        let info = &mut self.array_mut()[frame.index()];
        let next = info.pp_link;
        *info = PageInfo::in_use(0);
        self.list.head = next;
        self.list.nfree -= 1;
        if flags.contains(ALLOC_ZERO) {
            mem.zero_frame(self.page2pa(frame));
        }
        Some(frame)
        // lab 2: end
    }

    #[inline(always)] // into page_free, where nobody wants the error as a value
    fn try_page_free(&mut self, frame: Frame) -> Result<(), PageError> {
        // lab 2: begin page_free
        let head = self.list.head;
        let infos = self.array_mut();
        let info = &mut infos[frame.index()];
        // Not by `word`: a processor that has just written the halves would wait for both.
        if *info != PageInfo::in_use(0) {
            let info = *info;
            return Err(cannot_free(&info, self.page2pa(frame)));
        }
        info.pp_link = head;
        let Some(next) = infos.get_mut(head as usize) else {
            self.free_on_empty_list(frame);
            return Ok(());
        };
        next.pp_ref_or_prev = frame.0;
        self.list.head = frame.0;
        self.list.nfree += 1;
        self.runs.note_free(frame.index());
        Ok(())
        // lab 2: end
    }

    #[inline]
    fn page_incref(&mut self, frame: Frame) -> Result<(), CountError> {
        let info = &mut self.array_mut()[frame.index()];
        if !info.count_further_use() {
            let info = *info;
            return Err(cannot_count(&info, self.page2pa(frame)));
        }
        Ok(())
    }

    #[cfg_attr(debug_assertions, inline(never))]
    fn page_decref(&mut self, frame: Frame) {
        if !self.array_mut()[frame.index()].drop_further_use() {
            self.drop_last_use(frame);
        }
    }

    fn set_aside_free_list(&mut self) -> FreeList {
        match self.with_poisoned(|pages, _| pages.set_aside_free_list()) {
            Some(list) => list,
            None => core::mem::replace(&mut self.list, FreeList::STAND_IN),
        }
    }

    fn give_back(&mut self, list: FreeList) {
        if self.is_poisoned() {
            self.with_poisoned(|pages, _| pages.give_back(list));
            return;
        }
        assert!(self.nfree() == 0, "{} pages would be lost", self.nfree());
        self.list = list;
    }

    fn nfree(&self) -> usize {
        self.list.nfree
    }

    #[inline(always)] // as `page_free_list`
    fn npages(&self) -> usize {
        self.memory.as_ptr().len()
    }

    #[inline]
    fn page2pa(&self, frame: Frame) -> PhysAddr {
        PhysAddr::new((self.base + frame.index()) as u64 * PGSIZE)
    }
}

impl Pages {
    /// Puts a frame back on the free list.
    ///
    /// # Panics
    ///
    /// If it is free, reserved or still referenced: a bug of the caller.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_free(&mut self, frame: Frame) {
        if let Err(error) = self.try_page_free(frame) {
            panic!("page_free: {error}");
        }
    }

    // lab 2: begin omit
    /// Finishes `try_page_free` on a list that looks empty. `frame` is marked as free already.
    #[cold]
    #[inline(never)]
    fn free_on_empty_list(&mut self, frame: Frame) {
        if self.is_poisoned() {
            self.free_poisoned(frame);
        } else {
            (self.list.head, self.list.end) = (frame.0, frame.0);
            self.list.nfree += 1;
            self.runs.note_free(frame.index());
        }
    }
    // lab 2: end
}

/// Why no use of a frame can be counted, if [`PageInfo::can_count`] says so.
#[cold]
pub(super) fn cannot_count(info: &PageInfo, pa: PhysAddr) -> CountError {
    if info.is_free() { CountError::Free { pa } } else { CountError::Overflow { pa } }
}

/// Why a frame cannot be freed, if it is not in use with `pp_ref` 0.
#[cold]
pub(super) fn cannot_free(info: &PageInfo, pa: PhysAddr) -> PageError {
    match info.pp_link {
        PageInfo::RESERVED => PageError::Reserved { pa },
        _ if info.is_free() => PageError::Free { pa },
        _ => PageError::Referenced { pa, pp_ref: info.pp_ref() },
    }
}
