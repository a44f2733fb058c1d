//! Pages for a [`Heap`](crate::heap::Heap) on the host.

use core::cell::Cell;
use core::ops::Range;
use core::ptr::NonNull;
use std::alloc::{self, Layout};
use std::vec::Vec;

use layout::{MB, PGSIZE};

use crate::heap::{HeapPages, OutOfPages};
use crate::mem::addr::VirtAddr;

/// Memory of this process whose pages can be mapped and unmapped: their state is kept and asserted,
/// and their content is lost each time. The host provides memory only for pages that are touched.
#[derive(Debug)]
pub struct Arena {
    /// The block, allocated with `layout`.
    block: NonNull<u8>,
    layout: Layout,
    /// Whether each page is mapped.
    mapped: Vec<bool>,
    /// How many pages are mapped.
    nmapped: usize,
    /// How many pages may be mapped.
    pages: Cell<usize>,
    /// How many calls of `map` succeed before one fails.
    calls: Cell<usize>,
    /// Whether pages are filled when they are mapped and unmapped.
    fills: bool,
}

impl Arena {
    /// The value of a page's bytes when it is mapped, and again when it is unmapped.
    const JUNK: u8 = 0xA5;

    /// Makes an arena of `size` bytes. If `fills`, pages lose their content when they are mapped and
    /// unmapped, which takes time.
    ///
    /// # Panics
    ///
    /// If `size` is 0, not of whole pages, or more than the host can address.
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

    /// The number of bytes that are mapped.
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

    /// Lets at most `pages` pages be mapped at a time from now on.
    pub fn limit(&self, pages: usize) {
        self.pages.set(pages);
    }

    /// Lets `calls` more calls of `map` succeed, then one fail, and then all succeed again.
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

    /// Maps or unmaps these pages, none of which is in that state already, and loses their content.
    fn set(&mut self, start: VirtAddr, size: u64, mapped: bool) {
        let pages = self.pages(start, size);
        let states = &mut self.mapped[pages.clone()];
        assert!(states.iter().all(|state| *state != mapped), "{size:#x} bytes at {start}: again");
        states.fill(mapped);
        if self.fills {
            let page = PGSIZE as usize;
            // SAFETY: these pages lie in the block, or there was a panic above; they were not mapped
            // until now, or no longer are, so nobody else uses them.
            unsafe { self.block.add(pages.start * page).write_bytes(Self::JUNK, size as usize) };
        }
    }
}

// SAFETY: the block is memory that nobody else uses, and `set` panics for pages outside of it.
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
        // SAFETY: allocated with this layout. A heap owns its arena, so no heap is left; blocks that
        // are still allocated from it were lent for as long as the heap lived.
        unsafe { alloc::dealloc(self.block.as_ptr(), self.layout) };
    }
}
