//! Pages for a [`Heap`](crate::heap::Heap) on the host.

use core::cell::Cell;
use core::ops::Range;
use core::ptr::NonNull;
use std::alloc::{self, Layout};
use std::vec::Vec;

use layout::{MB, PGSIZE};

use crate::heap::{HeapPages, OutOfPages};
use crate::mem::addr::VirtAddr;

/// Memory with addresses of this process, of which pages can be mapped and unmapped: their state
/// is kept and asserted, and their content is lost each time. The host gives memory only for what
/// is touched.
#[derive(Debug)]
pub struct Arena {
    /// The block, allocated with `layout`.
    block: NonNull<u8>,
    layout: Layout,
    /// Of each page, whether it is mapped.
    mapped: Vec<bool>,
    /// Pages that are.
    nmapped: usize,
    /// Pages that may be.
    pages: Cell<usize>,
    /// Calls of `map` that succeed before one fails.
    calls: Cell<usize>,
    fills: bool,
}

impl Arena {
    /// What a page's bytes are when it is mapped, and again when it is unmapped.
    const JUNK: u8 = 0xA5;

    /// `size` bytes of addresses, and as many pages. Whether the pages' content is lost when they
    /// are mapped and unmapped is for the caller to say: filling them takes time.
    ///
    /// # Panics
    ///
    /// Where `size` is 0, no number of pages, or more than the host can address.
    #[must_use]
    pub fn new(size: usize, fills: bool) -> Self {
        assert!(size > 0 && size.is_multiple_of(PGSIZE as usize), "{size:#x} bytes are no pages");
        let layout = Layout::from_size_align(size, 2 * MB as usize).expect("far too large");
        // SAFETY: the size is not 0.
        let block = unsafe { alloc::alloc(layout) };
        let Some(block) = NonNull::new(block) else { alloc::handle_alloc_error(layout) };
        let npages = size / PGSIZE as usize;
        let (pages, calls) = (Cell::new(npages), Cell::new(usize::MAX));
        Self { block, layout, mapped: vec![false; npages], nmapped: 0, pages, calls, fills }
    }

    /// All of it, for [`Heap::new`](crate::heap::Heap::new). It lives as long as the arena.
    #[must_use]
    pub fn region(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.block, self.layout.size())
    }

    /// Bytes that are mapped.
    #[must_use]
    pub fn mapped(&self) -> usize {
        self.nmapped * PGSIZE as usize
    }

    /// Whether all `size` bytes from `addr` on are mapped.
    #[must_use]
    pub fn is_mapped(&self, addr: usize, size: usize) -> bool {
        let Some(offset) = addr.checked_sub(self.block.addr().get()) else { return false };
        let page = PGSIZE as usize;
        let pages = self.mapped.get(offset / page..(offset + size).div_ceil(page));
        pages.is_some_and(|pages| pages.iter().all(|mapped| *mapped))
    }

    /// From now on at most `pages` pages are mapped at a time.
    pub fn limit(&self, pages: usize) {
        self.pages.set(pages);
    }

    /// From now on `calls` calls to map succeed, then one fails, and then all succeed again.
    pub fn fail_after(&self, calls: usize) {
        self.calls.set(calls);
    }

    /// Whether the call that was to fail has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.calls.get() == usize::MAX
    }

    /// The numbers of the pages in these addresses.
    fn pages(&self, start: VirtAddr, size: u64) -> Range<usize> {
        assert!(start.is_aligned(PGSIZE) && size.is_multiple_of(PGSIZE) && size > 0);
        let first = ((start - VirtAddr::new(self.block.addr().get() as u64)) / PGSIZE) as usize;
        first..first + (size / PGSIZE) as usize
    }

    /// Changes the state of these pages, each of which has another one, and loses their content.
    fn set(&mut self, start: VirtAddr, size: u64, mapped: bool) {
        let pages = self.pages(start, size);
        let states = &mut self.mapped[pages.clone()];
        assert!(states.iter().all(|state| *state != mapped), "{size:#x} bytes at {start}: again");
        states.fill(mapped);
        if self.fills {
            let page = PGSIZE as usize;
            // SAFETY: these pages lie in the block, or there was a panic above; they are not
            // mapped, or just not any more, so nobody else uses them.
            unsafe { self.block.add(pages.start * page).write_bytes(Self::JUNK, size as usize) };
        }
    }
}

// SAFETY: the block is memory that nobody else uses, and `set` panics for what lies outside.
unsafe impl HeapPages for Arena {
    fn map(&mut self, start: VirtAddr, size: u64) -> Result<(), OutOfPages> {
        let calls = self.calls.get();
        self.calls.set(if calls == usize::MAX { calls } else { calls.wrapping_sub(1) });
        if size > self.left() || calls == 0 {
            return Err(OutOfPages);
        }
        self.set(start, size, true);
        self.nmapped += (size / PGSIZE) as usize;
        Ok(())
    }

    fn unmap(&mut self, start: VirtAddr, size: u64) {
        self.set(start, size, false);
        self.nmapped -= (size / PGSIZE) as usize;
    }

    fn left(&self) -> u64 {
        self.pages.get().saturating_sub(self.nmapped) as u64 * PGSIZE
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout. A heap owns its arena, so none is left; what is
        // still allocated from it was lent for as long as the heap lives.
        unsafe { alloc::dealloc(self.block.as_ptr(), self.layout) };
    }
}
