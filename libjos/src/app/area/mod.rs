//! [`VmArea`]: whole pages of addresses that the application has for itself.
//!
//! An area's pages are mapped and unmapped, shared and protected one by one, always by
//! `page_insert` and its like, counted in `pp_ref`, and never accessible to the user. No Rust object
//! lies in them: they are read and written through the area, by accesses that the compiler takes
//! for what they are, so that two addresses of one frame, a fault in the middle, or a page that
//! changes under the program break no promise of the language.
//!
//! Between two areas lies a page that is never mapped.

mod access;
mod areas;

pub use access::{Access, Translation, VmError};
pub(super) use areas::resolve;
pub use areas::{AREAS_END, AREAS_START, AreaFault, Areas};

use alloc::boxed::Box;
use core::ops::Range;

use layout::PGSIZE;

use super::memory::Memory;
use super::with;
use crate::machine::Fault;
use crate::mem::addr::VirtAddr;
use areas::{Handler, lock};

/// Whole pages of addresses that the application has for itself. All offsets count bytes, and all
/// page numbers pages, from the area's start. When it is dropped its pages go back.
///
/// Two addresses for one frame, and a page that is only made when it is first used:
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use libjos::prelude::*;
///
/// # fn application() -> Result<(), VmError> {
/// let (one, other) = (VmArea::allocate(1)?, VmArea::reserve(1)?);
/// other.alias(0, &one, 0, Access::Read)?;
/// one.store(16, 7);
/// assert_eq!(other.load(16), 7);
///
/// let squares = VmArea::reserve(1000)?;
/// squares.on_fault(|squares, fault| {
///     if squares.map(fault.page..fault.page + 1, Access::ReadWrite).is_err() {
///         return false;
///     }
///     let page = fault.page as u64;
///     squares.store(page * PGSIZE, page * page);
///     true
/// });
/// assert_eq!(squares.load(999 * PGSIZE), 998_001);
/// # Ok(())
/// # }
/// # let run = SimPlatform::new().run(application);
/// # assert!(run.code.is_success() && run.pages_kept == 0, "{run:?}");
/// ```
#[derive(Debug)]
pub struct VmArea {
    base: VirtAddr,
    npages: usize,
}

impl VmArea {
    /// Addresses for `npages` pages, with nothing mapped there.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfAddresses`].
    pub fn reserve(npages: usize) -> Result<Self, VmError> {
        let base = with(|platform| lock(platform).reserve(npages));
        base.map(|base| Self { base, npages }).ok_or(VmError::OutOfAddresses { asked: npages })
    }

    /// `npages` pages of zeros, to read and to write.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfAddresses`] and [`VmError::OutOfMemory`]; nothing has changed then.
    pub fn allocate(npages: usize) -> Result<Self, VmError> {
        let area = Self::reserve(npages)?;
        area.map(0..npages, Access::ReadWrite)?;
        Ok(area)
    }

    /// The first address.
    #[must_use]
    pub fn base(&self) -> VirtAddr {
        self.base
    }

    /// Pages in the area, mapped or not.
    #[must_use]
    #[inline(always)] // so that no function of this name hides the kernel's from gdb's `p npages`
    pub fn npages(&self) -> usize {
        self.npages
    }

    /// Bytes in the area.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.npages as u64 * PGSIZE
    }

    /// Maps `pages` to frames of zeros.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfMemory`], and [`VmError::Map`] where one of them is mapped already. Nothing
    /// has changed then.
    ///
    /// # Panics
    ///
    /// Where the area has no such pages; so do the others.
    pub fn map(&self, pages: Range<usize>, access: Access) -> Result<(), VmError> {
        self.change(pages, |memory, va, npages| memory.map(va, npages, access))
    }

    /// Maps `page` to the frame that `page_of_other` of `other` is mapped to. What was there before
    /// is unmapped.
    ///
    /// # Errors
    ///
    /// [`VmError::Map`] where nothing is mapped there, or no page is free for a table. Nothing has
    /// changed then.
    ///
    /// # Panics
    ///
    /// Where one of the areas has no such page.
    pub fn alias(
        &self,
        page: usize,
        other: &Self,
        page_of_other: usize,
        access: Access,
    ) -> Result<(), VmError> {
        let from = other.page(page_of_other);
        self.change(page..page + 1, |memory, to, _| memory.alias(from, to, access))
    }

    /// Unmaps those of `pages` that are mapped: from here on an access is a fault. A frame that is
    /// mapped nowhere else is free then.
    ///
    /// # Errors
    ///
    /// None yet; it may come to need memory for a table.
    ///
    /// # Panics
    ///
    /// Where the area has no such pages.
    pub fn unmap(&self, pages: Range<usize>) -> Result<(), VmError> {
        self.change(pages, |memory, va, npages| {
            memory.unmap(va, npages, false);
            Ok(())
        })
    }

    /// Gives `pages` these permissions.
    ///
    /// # Errors
    ///
    /// [`VmError::Map`] where one of them is not mapped. Nothing has changed then.
    ///
    /// # Panics
    ///
    /// Where the area has no such pages.
    pub fn protect(&self, pages: Range<usize>, access: Access) -> Result<(), VmError> {
        self.change(pages, |memory, va, npages| memory.protect(va, npages, access))
    }

    /// Makes `page` writable, in a frame of its own: a copy of what it was mapped to, if that is
    /// mapped elsewhere too. What a handler does about a write to a page that is copy-on-write.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfMemory`] for the copy, and [`VmError::Map`] where nothing is mapped there.
    /// Nothing has changed then.
    ///
    /// # Panics
    ///
    /// Where the area has no such page.
    pub fn make_private(&self, page: usize) -> Result<(), VmError> {
        self.change(page..page + 1, |memory, va, _| memory.make_private(va))
    }

    /// What `page` is mapped to; `None` where nothing is there.
    ///
    /// # Panics
    ///
    /// Where the area has no such page.
    #[must_use]
    pub fn translate(&self, page: usize) -> Option<Translation> {
        let (va, mut found) = (self.page(page), None);
        with(|platform| platform.with_memory(&mut |memory| found = memory.translate(va)));
        found
    }

    /// From here on faults in the area go to `handler`. If it returns true, and the page can now be
    /// accessed so, the access is tried again; otherwise the fault is a panic that explains it. So is
    /// every attempt to execute the area, of which the handler never hears: it could not help.
    ///
    /// The handler runs where the fault happened. It may call whatever an application may call, but
    /// print only if the fault cannot happen within a line that is being printed, and take no lock
    /// that the interrupted code may hold; a fault of its own in the same area is not handled.
    pub fn on_fault(&self, handler: impl FnMut(&Self, AreaFault) -> bool + Send + 'static) {
        let handler: Handler = Box::new(handler);
        // The old one is dropped when nothing is locked any more: it may own other areas.
        let old = with(|platform| lock(platform).set_handler(self.base, handler));
        drop(old);
    }

    /// Reads the bytes at `offset`.
    ///
    /// # Panics
    ///
    /// Where they do not all lie in the area, or at a fault that no handler resolves; so do the
    /// others.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) {
        let va = self.at(offset, bytes.len());
        with(|platform| platform.read(va, bytes));
    }

    /// Writes `bytes` to `offset`.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        let va = self.at(offset, bytes.len());
        with(|platform| platform.write(va, bytes));
    }

    /// Reads a number, little-endian as the processor's.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    #[must_use]
    pub fn load(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.read(offset, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Writes a number, little-endian.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    pub fn store(&self, offset: u64, number: u64) {
        self.write(offset, &number.to_le_bytes());
    }

    /// Reads a byte where perhaps none can be read.
    ///
    /// # Errors
    ///
    /// The fault, where no handler resolves it.
    ///
    /// # Panics
    ///
    /// Where `offset` does not lie in the area.
    pub fn try_read(&self, offset: u64) -> Result<u8, Fault> {
        let va = self.at(offset, 1);
        with(|platform| platform.try_read(va))
    }

    /// Writes a byte where perhaps none can be written.
    ///
    /// # Errors
    ///
    /// The fault, where no handler resolves it.
    ///
    /// # Panics
    ///
    /// Where `offset` does not lie in the area.
    pub fn try_write(&self, offset: u64, byte: u8) -> Result<(), Fault> {
        let va = self.at(offset, 1);
        with(|platform| platform.try_write(va, byte))
    }

    /// The address at `offset`, with `length` bytes of the area from there on.
    #[track_caller]
    fn at(&self, offset: u64, length: usize) -> VirtAddr {
        let size = self.size();
        let fits = offset.checked_add(length as u64).is_some_and(|end| end <= size);
        assert!(fits, "{length} bytes at {offset:#x} of an area of {size:#x} bytes");
        self.base + offset
    }

    /// The address of `page`.
    #[track_caller]
    fn page(&self, page: usize) -> VirtAddr {
        assert!(page < self.npages, "page {page} of an area of {} pages", self.npages);
        self.base + page as u64 * PGSIZE
    }

    /// Makes `change` to `pages`.
    #[track_caller]
    fn change(
        &self,
        pages: Range<usize>,
        change: impl Fn(&mut dyn Memory, VirtAddr, usize) -> Result<(), VmError>,
    ) -> Result<(), VmError> {
        let Range { start, end } = pages;
        let fits = start <= end && end <= self.npages;
        assert!(fits, "pages {start}..{end} of an area of {} pages", self.npages);
        let va = self.base + start as u64 * PGSIZE;
        let mut result = Ok(());
        with(|platform| {
            platform.with_memory(&mut |memory| result = change(memory, va, end - start));
        });
        result
    }
}

/// All of its pages go back, and the tables that are empty then.
impl Drop for VmArea {
    fn drop(&mut self) {
        with(|platform| {
            platform.with_memory(&mut |memory| memory.unmap(self.base, self.npages, true));
            let taken = lock(platform).release(self.base);
            drop(taken);
        });
    }
}
