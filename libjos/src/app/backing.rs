//! [`Backing`]: the pages beneath a heap, large ones where they fit.
//!
//! Unmapping a part of a large page splits it, which takes a frame for a table, perhaps when none is
//! free. So the first large page sets a spare frame aside, until the heap has no pages any more. A
//! range is unmapped one large page at a time: each step needs at most one table, and then frees
//! frames.

use layout::PGSIZE;

use super::memory::map_pages;
use crate::heap::OutOfPages;
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{AllocFlags, Frame, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::range::PageSizes;
use crate::pmap::Pmap;

/// The level of large pages. Each is as large as the range that a table of the last level maps.
const LARGE: u32 = 1;

/// The pages of a heap, in the kernel's page directory. A memory system and this together can be the
/// heap's [`HeapPages`](crate::heap::HeapPages).
#[derive(Debug, Default)]
pub struct Backing {
    /// The frame that is set aside for a table.
    spare: Option<Frame>,
    /// Bytes that are mapped for the heap.
    mapped: u64,
}

impl Backing {
    /// A backing without pages.
    #[must_use]
    pub const fn new() -> Self {
        Self { spare: None, mapped: 0 }
    }

    /// Maps `size` bytes at `start` to free frames, which are not cleared. The bytes are whole pages,
    /// none of which is mapped.
    ///
    /// # Errors
    ///
    /// [`OutOfPages`]; no page has been mapped then.
    pub fn map<M: Machine>(
        &mut self,
        pmap: &mut Pmap<M>,
        start: VirtAddr,
        size: u64,
    ) -> Result<(), OutOfPages> {
        let mut done = 0;
        while done < size {
            let va = start + done;
            let step = to_boundary::<M>(va).min(size - done);
            let npages = (step / PGSIZE) as usize;
            let mapped = self.map_large(pmap, va, step)
                || map_pages(pmap, va, npages, Perm::KRW, AllocFlags::empty()).is_ok();
            if !mapped {
                self.unmap(pmap, start, done);
                return Err(OutOfPages);
            }
            done += step;
            self.mapped += step;
        }
        Ok(())
    }

    /// Unmaps `size` bytes at `start`, whole pages that are all mapped.
    ///
    /// # Panics
    ///
    /// Panics if one of them is not mapped, which is a bug of the heap.
    pub fn unmap<M: Machine>(&mut self, pmap: &mut Pmap<M>, start: VirtAddr, size: u64) {
        let had_spare = self.spare.is_some();
        let mut done = 0;
        while done < size {
            let va = start + done;
            let step = to_boundary::<M>(va).min(size - done);
            let unmap = |pmap: &mut Pmap<M>| {
                let (vm, pgdir) = pmap.split();
                vm.unmap_range(pgdir, va, step).map(drop)
            };
            let mut unmapped = unmap(pmap);
            if let Err(MapError::NoMemory { .. }) = unmapped {
                self.release_spare(pmap);
                unmapped = unmap(pmap);
            }
            if let Err(error) = unmapped {
                panic!("{step:#x} bytes of the heap at {va}: {error}");
            }
            let (vm, pgdir) = pmap.split();
            vm.prune(pgdir, va);
            done += step;
        }
        self.mapped -= size;
        if self.mapped == 0 {
            self.release_spare(pmap);
        } else if had_spare && self.spare.is_none() {
            // At least one frame has just become free.
            self.keep_spare(pmap);
        }
    }

    /// Maps `size` bytes at `va` by a large page, if they are one, and enough frames in a row are free.
    fn map_large<M: Machine>(&mut self, pmap: &mut Pmap<M>, va: VirtAddr, size: u64) -> bool {
        // lab 2: begin map_large
        if size != M::Format::page_size(LARGE) || pmap.machine().leaf_levels() & 1 << LARGE == 0 {
            return false;
        }
        if self.spare.is_none() {
            self.keep_spare(pmap);
        }
        if self.spare.is_none() {
            return false;
        }
        let order = M::Format::INDEX_BITS;
        let (vm, pgdir) = pmap.split();
        let Some(run) = vm.page_alloc_run(AllocFlags::empty(), order) else { return false };
        let pa = vm.pages().page2pa(run);
        let mapped = vm.map_range(pgdir, va, size, pa, Perm::KRW, PageSizes::Largest);
        if mapped.is_err() {
            vm.pages_mut().page_free_run(run, order);
        }
        mapped.is_ok()
        // lab 2: end
    }

    /// Sets a frame aside, if one is free. It counts as used, so that no check takes it for lost.
    fn keep_spare<M: Machine>(&mut self, pmap: &mut Pmap<M>) {
        let spare = pmap.page_alloc(AllocFlags::empty());
        self.spare = spare.filter(|spare| pmap.pages_mut().page_incref(*spare).is_ok());
    }

    /// Frees the frame that is set aside.
    fn release_spare<M: Machine>(&mut self, pmap: &mut Pmap<M>) {
        if let Some(spare) = self.spare.take() {
            pmap.pages_mut().page_decref(spare);
        }
    }
}

/// Bytes from `va` to the next boundary of a large page.
fn to_boundary<M: Machine>(va: VirtAddr) -> u64 {
    let large = M::Format::page_size(LARGE);
    large - va.as_u64() % large
}
