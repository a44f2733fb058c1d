//! [`Backing`]: the pages beneath a heap, by the largest that fit.
//!
//! A large page may later have to be split, when a part of it is unmapped, and that takes a page for
//! a table, perhaps when there is none left. So with the first large page another one is kept aside,
//! until nothing is mapped any more. Ranges are unmapped large page by large page: each such step needs one
//! table at most, and then gives pages back.

use layout::round_down;

use super::memory::map_pages;
use crate::heap::OutOfPages;
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{AllocFlags, Frame, PageAllocator};
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::pgdir::MapError;
use crate::paging::range::PageSizes;
use crate::pmap::Pmap;

/// The level of large pages: they are as large as what a table of the last level maps.
const LARGE: u32 = 1;

/// What is mapped for a heap, in the kernel's page directory. [`HeapPages`](crate::heap::HeapPages)
/// with a memory system.
#[derive(Debug, Default)]
pub struct Backing {
    /// The page that is kept aside.
    spare: Option<Frame>,
    /// Bytes that are mapped.
    mapped: u64,
}

impl Backing {
    /// Nothing is mapped yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { spare: None, mapped: 0 }
    }

    /// Maps `size` bytes at `start`, whole pages of which nothing is mapped, to whatever was in
    /// memory.
    ///
    /// # Errors
    ///
    /// [`OutOfPages`]; nothing of it is mapped then.
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
            let mapped = self.map_large(pmap, va, step) || map_small(pmap, va, step);
            if !mapped {
                self.unmap(pmap, start, done);
                return Err(OutOfPages);
            }
            done += step;
            self.mapped += step;
        }
        Ok(())
    }

    /// Unmaps `size` bytes at `start`, all of which are mapped.
    ///
    /// # Panics
    ///
    /// Where they are not: a bug of the heap.
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
            // At least one page has just come back.
            self.keep_spare(pmap);
        }
    }

    /// Maps `size` bytes at `va` by a large page, if that is what they are, and there is one.
    fn map_large<M: Machine>(&mut self, pmap: &mut Pmap<M>, va: VirtAddr, size: u64) -> bool {
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
    }

    /// Keeps a page aside, if there is one. It counts as used: no check takes it for lost.
    fn keep_spare<M: Machine>(&mut self, pmap: &mut Pmap<M>) {
        let spare = pmap.page_alloc(AllocFlags::empty());
        self.spare = spare.filter(|spare| pmap.pages_mut().page_incref(*spare).is_ok());
    }

    fn release_spare<M: Machine>(&mut self, pmap: &mut Pmap<M>) {
        if let Some(spare) = self.spare.take() {
            pmap.pages_mut().page_decref(spare);
        }
    }
}

/// Maps `size` bytes at `va` by small pages, if there are as many.
fn map_small<M: Machine>(pmap: &mut Pmap<M>, va: VirtAddr, size: u64) -> bool {
    let npages = (size / layout::PGSIZE) as usize;
    map_pages(pmap, va, npages, Perm::KRW, AllocFlags::empty()).is_ok()
}

/// Bytes from `va` to the end of the large page that it would lie in.
fn to_boundary<M: Machine>(va: VirtAddr) -> u64 {
    let large = M::Format::page_size(LARGE);
    round_down(va.as_u64(), large) + large - va.as_u64()
}
