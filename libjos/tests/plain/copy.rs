//! Bytes copied between the kernel and user memory, and pages copied on write, in the model.

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Perm};
use libjos::space::uvm::UvmError;

use super::uvm::NewPage;
use super::{Plain, page_size};

impl<L: MemLayout, F: Format> Plain<L, F> {
    /// The frame of the copy-on-write page that the user writes to at `va`; `None` where it can be
    /// written already.
    fn cow_frame(&self, space: usize, va: u64) -> Result<Option<u64>, UvmError> {
        let no_access = Err(UvmError::NoAccess { va: VirtAddr::new(va) });
        let Some((_, level, leaf)) = self.leaf(space, va).filter(|_| va < L::UTOP) else {
            return no_access;
        };
        if !leaf.perm.contains(Perm::UR) {
            return no_access;
        }
        if leaf.perm.contains(Perm::W) {
            return Ok(None);
        }
        if !leaf.perm.contains(Perm::COW) {
            return no_access;
        }
        if level > 0 {
            let size = page_size::<F>(level);
            return Err(MapError::large_page(VirtAddr::new(va), size).into());
        }
        let pfn = leaf.pa.as_u64() / PGSIZE;
        if self.ram.contains(&pfn) { Ok(Some(pfn)) } else { no_access }
    }

    /// The permissions that a page gets if another space may have it too.
    pub(super) fn private(perm: Perm) -> Perm {
        let kept = perm - Perm::W - Perm::COW - Perm::PRIVATE;
        let asked = perm.contains(Perm::W) || perm.contains(Perm::COW);
        kept | if asked { Perm::COW } else { Perm::PRIVATE }
    }

    /// Gives the copy-on-write page at `va` to who writes to it; the page that is new, if it takes
    /// a copy.
    pub(crate) fn cow_fault(&mut self, space: usize, va: u64) -> Result<Option<NewPage>, UvmError> {
        let Some(pfn) = self.cow_frame(space, va)? else { return Ok(None) };
        let at = va / PGSIZE * PGSIZE;
        let (_, leaf) = self.spaces[space].leaves.get_mut(&at).expect("a small page was found");
        let perm = (leaf.perm - Perm::COW) | Perm::W;
        if self.in_use[&pfn] == 1 {
            let marks = Self::fresh(0, perm);
            leaf.perm = perm;
            leaf.accessed |= marks.accessed;
            leaf.dirty |= marks.dirty;
            return Ok(None);
        }
        if self.nfree == 0 {
            return Err(UvmError::NoMemory { va: VirtAddr::new(va) });
        }
        Ok(Some((at, perm, Some(pfn))))
    }

    /// Where the user's byte at `va` is, if it may be read and is RAM.
    fn user_byte(&self, space: usize, va: u64) -> Result<u64, UvmError> {
        let found = self.translate(space, va).filter(|_| va < L::UTOP);
        let found = found.filter(|(_, perm)| perm.contains(Perm::UR));
        match found.map(|(pa, _)| pa.as_u64()).filter(|pa| self.ram.contains(&(pa / PGSIZE))) {
            Some(pa) => Ok(pa),
            None => Err(UvmError::NoAccess { va: VirtAddr::new(va) }),
        }
    }

    /// The `len` bytes at `va`, as far as the user may read them, and why not further.
    pub(crate) fn copyin(
        &self,
        space: usize,
        va: u64,
        len: u64,
    ) -> (Vec<u8>, Result<(), UvmError>) {
        let mut bytes = vec![];
        for i in 0..len {
            match self.user_byte(space, va + i) {
                Ok(pa) => bytes.push(self.memory.byte(pa)),
                Err(error) => return (bytes, Err(error)),
            }
        }
        (bytes, Ok(()))
    }

    /// The length of the string at `va`, if it ends within `len` bytes.
    pub(crate) fn copyinstr(&self, space: usize, va: u64, len: u64) -> Result<usize, UvmError> {
        let (bytes, read) = self.copyin(space, va, len);
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => Ok(end),
            None => Err(read.err().unwrap_or(UvmError::TooLong { va: VirtAddr::new(va) })),
        }
    }

    /// The user may write `len` bytes at `va`, and there are pages enough for the copies that this
    /// takes: one for each page that is shared now.
    pub(crate) fn check_copyout(&self, space: usize, va: u64, len: u64) -> Result<(), UvmError> {
        let mut copies = 0;
        for at in Self::page_starts(va, len) {
            self.user_byte(space, at)?;
            copies +=
                usize::from(self.cow_frame(space, at)?.is_some_and(|pfn| self.in_use[&pfn] > 1));
        }
        if copies > self.nfree {
            return Err(UvmError::NoMemory { va: VirtAddr::new(va) });
        }
        Ok(())
    }

    /// Writes what [`check_copyout`](Self::check_copyout) has allowed, to pages that are no longer
    /// copy-on-write.
    pub(crate) fn copyout(&mut self, space: usize, va: u64, bytes: &[u8]) {
        for (at, byte) in (va..).zip(bytes) {
            let pa = self.user_byte(space, at).expect("that was checked");
            self.memory.write_byte(pa, *byte);
        }
    }

    /// The first address in each of the pages that `len` bytes at `va` lie in.
    pub(crate) fn page_starts(va: u64, len: u64) -> impl Iterator<Item = u64> {
        (va..va + len).filter(move |at| *at == va || at.is_multiple_of(PGSIZE))
    }
}
