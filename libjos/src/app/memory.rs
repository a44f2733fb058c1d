//! How much memory there is ([`memory_use`]), and an application's operations on pages, on the memory
//! system of any machine ([`Memory`]).

use core::fmt;

use layout::{KB, PGSIZE};

use super::access::{Access, Translation, VmError};
use super::with;
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::Perm;
use crate::paging::mappings::leaves;
use crate::pmap::Pmap;

/// The size of the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeapUse {
    /// Bytes that the application has allocated and not freed.
    pub asked: u64,
    /// Bytes of the pages that the heap has for them.
    pub held: u64,
}

/// How much memory there is, and how much is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryUse {
    /// All frames that `pages` describes.
    pub total_pages: usize,
    /// Frames on the free list.
    pub free_pages: usize,
    /// The size of the heap.
    pub heap: HeapUse,
}

impl fmt::Display for MemoryUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kilobytes = |pages: usize| pages as u64 * PGSIZE / KB;
        let HeapUse { asked, held } = self.heap;
        let (free, total) = (kilobytes(self.free_pages), kilobytes(self.total_pages));
        write!(f, "{free} KB of {total} KB free; heap: {asked} bytes in {} KB", held / KB)
    }
}

/// Returns how much memory there is now, and how much is free.
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().run(|| {
/// let before = memory_use().free_pages;
/// let area = VmArea::allocate(10).expect("there is memory");
/// assert!(memory_use().free_pages <= before - 10);
/// drop(area);
/// assert_eq!(memory_use().free_pages, before);
/// # });
/// # assert!(run.code.is_success());
/// ```
#[must_use]
pub fn memory_use() -> MemoryUse {
    with(|platform| {
        let heap = platform.heap_use();
        let mut result = MemoryUse { total_pages: 0, free_pages: 0, heap };
        platform.with_memory(&mut |memory| {
            (result.total_pages, result.free_pages) = memory.count();
        });
        result
    })
}

/// The memory system as applications know it. Addresses are those of pages below UTOP, in the page
/// directory in use. [`Pmap`] implements this for every machine.
pub trait Memory {
    /// The number of frames, and of free ones.
    fn count(&self) -> (usize, usize);

    /// Maps `npages` pages at `va` to frames of zeros.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfMemory`], and [`VmError::Map`] if one of them is mapped already. Nothing has
    /// changed then.
    fn map(&mut self, va: VirtAddr, npages: usize, access: Access) -> Result<(), VmError>;

    /// Maps the page at `to` to the frame of the page at `from`, in place of its own frame, if any.
    ///
    /// # Errors
    ///
    /// [`VmError::Map`] if `from` is not mapped, or no frame is free for a table. Nothing has changed
    /// then.
    fn alias(&mut self, from: VirtAddr, to: VirtAddr, access: Access) -> Result<(), VmError>;

    /// Unmaps the `npages` pages at `va`, as far as they are mapped, and frees each frame that is
    /// mapped nowhere else. With `prune`, page tables that are empty then are freed too.
    fn unmap(&mut self, va: VirtAddr, npages: usize, prune: bool);

    /// Gives the `npages` pages at `va` the permissions `access`.
    ///
    /// # Errors
    ///
    /// [`VmError::Map`] if one of them is not mapped. Nothing has changed then.
    fn protect(&mut self, va: VirtAddr, npages: usize, access: Access) -> Result<(), VmError>;

    /// Makes the page at `va` writable in a frame of its own: a copy, if its frame is mapped elsewhere
    /// too.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfMemory`] if no frame is free for the copy, and [`VmError::Map`] if the page is
    /// not mapped. Nothing has changed then.
    fn make_private(&mut self, va: VirtAddr) -> Result<(), VmError>;

    /// The translation of the page at `va`, or `None` if it is not mapped.
    fn translate(&self, va: VirtAddr) -> Option<Translation>;
}

impl<M: Machine> Memory for Pmap<M> {
    fn count(&self) -> (usize, usize) {
        (self.pages().npages(), self.pages().nfree())
    }

    fn map(&mut self, va: VirtAddr, npages: usize, access: Access) -> Result<(), VmError> {
        map_pages(self, va, npages, access.perm(), ALLOC_ZERO)
    }

    fn alias(&mut self, from: VirtAddr, to: VirtAddr, access: Access) -> Result<(), VmError> {
        let frame = mapped_frame(self, from)?;
        let (vm, pgdir) = self.split();
        Ok(vm.page_insert(pgdir, frame, to, access.perm())?)
    }

    fn unmap(&mut self, va: VirtAddr, npages: usize, prune: bool) {
        let size = npages as u64 * PGSIZE;
        let (vm, pgdir) = self.split();
        if let Err(error) = vm.unmap_range(pgdir, va, size) {
            // An application has no large pages, and the caller has checked the addresses.
            unreachable!("{npages} pages at {va}: {error}");
        }
        if prune && npages > 0 {
            vm.prune_range(pgdir, va, va + (size - 1));
        }
    }

    fn protect(&mut self, va: VirtAddr, npages: usize, access: Access) -> Result<(), VmError> {
        let size = npages as u64 * PGSIZE;
        let (vm, pgdir) = self.split();
        Ok(vm.protect_range(pgdir, va, size, access.perm())?)
    }

    fn make_private(&mut self, va: VirtAddr) -> Result<(), VmError> {
        let frame = mapped_frame(self, va)?;
        if self.pages().pp_ref(frame) == 1 {
            return self.protect(va, 1, Access::ReadWrite);
        }
        let (vm, pgdir) = self.split();
        let free = vm.pages().nfree();
        let copied = vm.map_copy(pgdir, frame, va, Access::ReadWrite.perm());
        copied.map_err(|error| vm_error(error, 1, free))
    }

    fn translate(&self, va: VirtAddr) -> Option<Translation> {
        let leaf =
            leaves::<M::Format, M>(self.machine(), self.kern_pgdir().address(), va, va).next()?;
        let frame = self.pages().pa2page(leaf.pa)?;
        let access = Access::of(leaf.perm);
        Some(Translation { pa: leaf.pa, access, pp_ref: self.pages().pp_ref(frame) })
    }
}

/// Maps `npages` pages at `va` to new frames.
///
/// # Errors
///
/// [`VmError::OutOfMemory`], and [`VmError::Map`] if one of them is mapped already. Nothing has
/// changed then.
pub fn map_pages<M: Machine>(
    pmap: &mut Pmap<M>,
    va: VirtAddr,
    npages: usize,
    perm: Perm,
    flags: AllocFlags,
) -> Result<(), VmError> {
    let (vm, pgdir) = pmap.split();
    let free = vm.pages().nfree();
    if npages > free {
        return Err(VmError::OutOfMemory { asked: npages, free });
    }
    let mapped = vm.map_new(pgdir, va, npages as u64, perm, flags);
    mapped.map_err(|error| vm_error(error, npages, free))
}

/// The error of a request for `asked` pages when `free` frames were free.
fn vm_error(error: MapError, asked: usize, free: usize) -> VmError {
    match error {
        MapError::NoMemory { .. } => VmError::OutOfMemory { asked, free },
        error => error.into(),
    }
}

/// The frame of the page at `va`.
fn mapped_frame<M: Machine>(pmap: &Pmap<M>, va: VirtAddr) -> Result<Frame, VmError> {
    let found = pmap.page_lookup(pmap.kern_pgdir(), va);
    found.map(|(frame, _)| frame).ok_or(MapError::NotMapped { va }.into())
}
