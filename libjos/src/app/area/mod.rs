//! [`VmArea`]: pages of addresses that belong to the application.
//!
//! The pages of an area are mapped, unmapped, shared and protected one by one. Each mapping counts in
//! `pp_ref`, and none is accessible to the user. No Rust object lies in an area: the program reads and
//! writes it through the methods of [`VmArea`], which the compiler does not see through. So two
//! addresses of one frame, a fault amid an access, or a page that changes under the program break no
//! promise of the language.
//!
//! Between two areas lies a page that is never mapped.

pub(super) mod areas;

pub use super::access::{Access, Translation, VmError};
pub use areas::{AreaFault, Areas, area_addresses};

use core::mem::ManuallyDrop;
use core::ops::Range;

use alloc::boxed::Box;
use layout::PGSIZE;

use super::memory::Memory;
use super::with;
use crate::machine::Fault;
use crate::mem::addr::VirtAddr;
use areas::lock;

/// Pages of addresses that belong to the application, mapped or not.
///
/// Offsets count bytes and page numbers count pages, both from the area's start. Dropping an area
/// unmaps its pages.
///
/// Two addresses for one frame, and pages that are made when they are first used:
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
    /// Reserves addresses for `npages` pages, with nothing mapped there.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfAddresses`].
    pub fn reserve(npages: usize) -> Result<Self, VmError> {
        let base = with(|platform| lock(platform).reserve(npages));
        base.map(|base| Self { base, npages }).ok_or(VmError::OutOfAddresses { asked: npages })
    }

    /// Reserves `npages` pages and maps them to frames of zeros, to read and to write.
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

    /// The number of pages, mapped or not.
    #[must_use]
    #[inline(always)] // so that no function of this name hides the kernel's from gdb's `p npages`
    pub fn npages(&self) -> usize {
        self.npages
    }

    /// The size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.npages as u64 * PGSIZE
    }

    /// Maps `pages` to frames of zeros.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfMemory`], and [`VmError::Map`] if one of them is mapped already. Nothing has
    /// changed then.
    ///
    /// # Panics
    ///
    /// Panics if the area has no such pages.
    pub fn map(&self, pages: Range<usize>, access: Access) -> Result<(), VmError> {
        self.change(pages, |memory, va, npages| memory.map(va, npages, access))
    }

    /// Maps `page` to the frame of `page_of_other` in `other`, in place of its own frame, if any.
    ///
    /// # Errors
    ///
    /// [`VmError::Map`] if `page_of_other` is not mapped, or no frame is free for a table. Nothing has
    /// changed then.
    ///
    /// # Panics
    ///
    /// Panics if one of the areas has no such page.
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

    /// Unmaps `pages`, as far as they are mapped, and frees each frame that is mapped nowhere else.
    /// From now on an access is a fault.
    ///
    /// # Errors
    ///
    /// None yet. A later version may need memory for a table.
    ///
    /// # Panics
    ///
    /// Panics if the area has no such pages.
    pub fn unmap(&self, pages: Range<usize>) -> Result<(), VmError> {
        self.change(pages, |memory, va, npages| {
            memory.unmap(va, npages, false);
            Ok(())
        })
    }

    /// Gives `pages` the permissions `access`.
    ///
    /// # Errors
    ///
    /// [`VmError::Map`] if one of them is not mapped. Nothing has changed then.
    ///
    /// # Panics
    ///
    /// Panics if the area has no such pages.
    pub fn protect(&self, pages: Range<usize>, access: Access) -> Result<(), VmError> {
        self.change(pages, |memory, va, npages| memory.protect(va, npages, access))
    }

    /// Makes `page` writable in a frame of its own: a copy, if its frame is mapped elsewhere too. A
    /// handler calls this for a write to a copy-on-write page.
    ///
    /// # Errors
    ///
    /// [`VmError::OutOfMemory`] if no frame is free for the copy, and [`VmError::Map`] if the page is
    /// not mapped. Nothing has changed then.
    ///
    /// # Panics
    ///
    /// Panics if the area has no such page.
    pub fn make_private(&self, page: usize) -> Result<(), VmError> {
        self.change(page..page + 1, |memory, va, _| memory.make_private(va))
    }

    /// The translation of `page`, or `None` if it is not mapped.
    ///
    /// # Panics
    ///
    /// Panics if the area has no such page.
    #[must_use]
    pub fn translate(&self, page: usize) -> Option<Translation> {
        let (va, mut found) = (self.page(page), None);
        with(|platform| platform.with_memory(&mut |memory| found = memory.translate(va)));
        found
    }

    /// Sets the handler of the area's faults. If it returns true, and the page now permits the access,
    /// the access is tried again. Otherwise the fault is a panic that explains it. An attempt to
    /// execute the area always is one: the handler is not asked, since it could not help.
    ///
    /// The handler runs where the fault happened. It may make any of an application's calls, but must
    /// not print if the fault can happen while a line is being printed, nor take a lock that the
    /// interrupted code may hold. A fault of its own in the same area is not handled.
    pub fn on_fault(&self, mut handler: impl FnMut(&Self, AreaFault) -> bool + Send + 'static) {
        let Self { base, npages } = *self;
        // The handler's copy of the area must not unmap the pages.
        let area = ManuallyDrop::new(Self { base, npages });
        let handler = Box::new(move |fault| handler(&area, fault));
        let old = with(|platform| lock(platform).set_handler(base, handler));
        drop(old);
    }

    /// Reads the bytes at `offset` into `bytes`.
    ///
    /// # Panics
    ///
    /// Panics if they do not all lie in the area, and at a fault that no handler resolves.
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

    /// Reads the little-endian number at `offset`.
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

    /// Writes `number` to `offset`, little-endian.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    pub fn store(&self, offset: u64, number: u64) {
        self.write(offset, &number.to_le_bytes());
    }

    /// Reads the byte at `offset`, which may fault.
    ///
    /// # Errors
    ///
    /// The fault, if no handler resolves it.
    ///
    /// # Panics
    ///
    /// Panics if `offset` does not lie in the area.
    pub fn try_read(&self, offset: u64) -> Result<u8, Fault> {
        let va = self.at(offset, 1);
        with(|platform| platform.try_read(va))
    }

    /// Writes `byte` to `offset`, which may fault.
    ///
    /// # Errors
    ///
    /// The fault, if no handler resolves it.
    ///
    /// # Panics
    ///
    /// Panics if `offset` does not lie in the area.
    pub fn try_write(&self, offset: u64, byte: u8) -> Result<(), Fault> {
        let va = self.at(offset, 1);
        with(|platform| platform.try_write(va, byte))
    }

    /// The address at `offset`, from which on `length` bytes are the area's.
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

/// Unmaps the pages, and frees the tables that are empty then.
impl Drop for VmArea {
    fn drop(&mut self) {
        with(|platform| {
            platform.with_memory(&mut |memory| memory.unmap(self.base, self.npages, true));
            let released = lock(platform).release(self.base);
            drop(released);
        });
    }
}
