//! The slow paths of [`Heap`]: blocks that are not small, blocks with poison, stacks that are empty or
//! full, and memory that has run out.

use core::alloc::Layout;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use super::classes::{CLASSES, class_of};
use super::error::Refusal;
use super::shared::{grains, is_huge};
use super::{Heap, HeapError, HeapPages, poison};

impl<P: HeapPages> Heap<P> {
    /// Allocates a block, as [`alloc`](Self::alloc) does.
    #[cold]
    #[inline(never)]
    pub(super) fn alloc_slowly(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        if layout.size() == 0 {
            let align = NonZeroUsize::new(layout.align()).expect("no alignment is 0");
            return Ok(NonNull::without_provenance(align));
        }
        let whole = if self.segments.poison { poison::padded(layout) } else { Some(layout) };
        let whole = whole.ok_or_else(|| self.out_of_memory(layout.size()))?;
        let block = match self.take(whole) {
            // Memory that is kept for later is needed now.
            Err(Refusal::OutOfPages) if self.give_back()? => self.take(whole),
            result => result,
        };
        let mut block = block.map_err(|refusal| match refusal {
            Refusal::OutOfPages => self.out_of_memory(layout.size()),
            Refusal::Misused(error) => error,
        })?;
        if self.segments.poison {
            let small = class_of(whole).map(|class| CLASSES[class].size);
            // SAFETY: taken just now, and nobody's yet; a small block has its class's size.
            block = unsafe {
                poison::seal(block, small.unwrap_or(whole.size()), small.is_some(), layout)?
            };
        }
        self.asked += layout.size();
        Ok(block)
    }

    /// Frees a block, as [`dealloc`](Self::dealloc) does.
    ///
    /// # Safety
    ///
    /// As for [`dealloc`](Self::dealloc).
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn dealloc_slowly(
        &mut self,
        addr: usize,
        layout: Layout,
    ) -> Result<(), HeapError> {
        if layout.size() == 0 {
            return Ok(());
        }
        let (mut base, mut whole) = (addr, layout);
        // SAFETY: the caller's promise; with poison it is checked.
        let freed = unsafe {
            if self.segments.poison {
                whole = self.check(addr, layout)?;
                base = addr - poison::front(layout);
                if class_of(whole).is_some() {
                    poison::fill(self.segments.at(base), whole.size());
                }
            }
            self.give(base, whole)
        };
        if let Ok(()) | Err(HeapError::UseAfterFree { .. }) = freed {
            self.asked -= layout.size();
        }
        freed
    }

    /// Checks a block that was allocated with poison, and returns the layout of all that was allocated
    /// for it.
    ///
    /// # Errors
    ///
    /// The errors of [`dealloc`](Self::dealloc).
    ///
    /// # Safety
    ///
    /// As for [`dealloc`](Self::dealloc).
    pub(super) unsafe fn check(&self, addr: usize, layout: Layout) -> Result<Layout, HeapError> {
        let size = layout.size();
        let foreign = HeapError::Foreign { at: addr, size };
        let base = addr.checked_sub(poison::front(layout)).ok_or(foreign)?;
        if !self.segments.holds(base, poison::front(layout)) {
            return Err(foreign);
        }
        let block = self.segments.at(addr);
        // SAFETY: the bytes in front of the block are mapped, as was just checked. If its seal has
        // this layout, all that was allocated for it is mapped.
        unsafe {
            poison::check_seal(block, layout)?;
            let whole = poison::padded(layout).ok_or(foreign)?;
            let size = class_of(whole).map_or(whole.size(), |class| CLASSES[class].size);
            poison::check_zones(block, size, layout)?;
            Layout::from_size_align(size, whole.align()).map_err(|_| foreign)
        }
    }

    /// Takes memory for `layout`.
    fn take(&mut self, layout: Layout) -> Result<NonNull<u8>, Refusal> {
        if let Some(class) = class_of(layout) {
            loop {
                if let Some(block) = self.slabs.alloc(class) {
                    return Ok(block);
                }
                self.slabs.fill(class, &mut self.segments)?;
            }
        }
        if !is_huge(layout) {
            let layout = grains(layout);
            let block = self.segments.alloc_shared(layout)?;
            self.large.blocks += 1;
            self.large.bytes += layout.size();
            return Ok(block);
        }
        Ok(self.segments.alloc_huge(layout)?)
    }

    /// Gives back the memory that [`take`](Self::take) took for `layout`.
    ///
    /// # Safety
    ///
    /// As for [`dealloc`](Self::dealloc).
    unsafe fn give(&mut self, addr: usize, layout: Layout) -> Result<(), HeapError> {
        let foreign = HeapError::Foreign { at: addr, size: layout.size() };
        if !self.segments.may_hold(addr) {
            return Err(foreign);
        }
        // SAFETY: the caller's promise; the layout decides where a block came from.
        unsafe {
            if let Some(class) = class_of(layout) {
                return self.slabs.free_slowly(class, addr, layout, &mut self.segments);
            }
            if !is_huge(layout) {
                let size = grains(layout).size();
                self.segments.free_shared(addr, size);
                self.large.blocks -= 1;
                self.large.bytes -= size;
                return Ok(());
            }
            if !self.segments.is_huge_block(addr) {
                return Err(foreign);
            }
            self.segments.free_huge(addr);
        }
        Ok(())
    }

    /// Changes a block's size in place, without poison. Returns whether it could.
    ///
    /// # Safety
    ///
    /// The block at `addr` is allocated with `old`, and the caller gives up the bytes beyond `new`.
    pub(super) unsafe fn resize(&mut self, addr: usize, old: Layout, new: Layout) -> bool {
        if old.size() == 0 || new.size() == 0 {
            return false;
        }
        match (class_of(old), class_of(new)) {
            (None, None) => {}
            (old, new) => return old == new,
        }
        match (is_huge(old), is_huge(new)) {
            (false, false) => {
                let (old, new) = (grains(old).size(), grains(new).size());
                if new < old {
                    // SAFETY: the end of the block, which the caller gives up.
                    unsafe { self.segments.free_shared(addr + new, old - new) };
                    self.large.bytes -= old - new;
                }
                new <= old
            }
            // SAFETY: the caller's promise.
            (true, true) => unsafe {
                self.segments.is_huge_block(addr) && self.segments.resize_huge(addr, new.size())
            },
            _ => false,
        }
    }
}
