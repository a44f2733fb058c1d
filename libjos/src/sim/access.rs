//! Loads, stores and fetches, of the kernel's and of the user's, through the page tables in use.

use layout::{MemLayout, PGSIZE};

use super::SimMachine;
use super::mmu::{AccessKind, Denial, MemoryAccess, Mmu, Walker};
use super::processor::Page;
use crate::machine::Fault;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::paging::format::Format;

/// Accesses. If one fails, [`exception`](SimMachine::exception) is what the processor raised.
impl<L: MemLayout, F: Format + Mmu> SimMachine<L, F> {
    /// Reads the 8 bytes at `va` as user code does, through the page tables in use.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    pub fn user_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, MemoryAccess { kind: AccessKind::Load, user: true })
    }

    /// Writes the 8 bytes at `va` as user code does, through the page tables in use.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    pub fn user_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        self.write(va, value, true)
    }

    /// Reads the 8 bytes at `va` as the processor does to execute them as user code.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    pub fn user_fetch(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, MemoryAccess { kind: AccessKind::Fetch, user: true })
    }

    /// Reads the 8 bytes at `va` as the processor does to execute them as the kernel's code.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    pub fn kernel_fetch(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, MemoryAccess { kind: AccessKind::Fetch, user: false })
    }

    pub(super) fn kernel_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, MemoryAccess { kind: AccessKind::Load, user: false })
    }

    pub(super) fn kernel_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        self.write(va, value, false)
    }

    fn read(&mut self, va: VirtAddr, access: MemoryAccess) -> Result<u64, Fault> {
        self.translate(va, access).map(|pa| self.memory.load(pa))
    }

    fn write(&mut self, va: VirtAddr, value: u64, user: bool) -> Result<(), Fault> {
        let access = MemoryAccess { kind: AccessKind::Store, user };
        self.translate(va, access).map(|pa| self.memory.store(pa, value))
    }

    /// Translates `va` for this access, or raises the exception.
    fn translate(&mut self, va: VirtAddr, access: MemoryAccess) -> Result<PhysAddr, Fault> {
        self.last_va = va;
        self.exception = None;
        let denial = match self.page(va, access) {
            Ok(page) if self.permits(&page, access) => {
                return Ok(PhysAddr::new(page.pa) + va.as_u64() % PGSIZE);
            }
            Ok(_) => Denial::Forbidden,
            Err(denial) => denial,
        };
        self.exception = Some(F::PROCESSOR.exception(denial, access, self.control));
        if denial != Denial::NonCanonical {
            self.caches.page_fault(va.as_u64());
            self.look_ahead(va);
        }
        let present = matches!(denial, Denial::Reserved | Denial::Forbidden);
        Err(Fault { va, present, write: access.kind == AccessKind::Store })
    }

    fn permits(&self, page: &Page, access: MemoryAccess) -> bool {
        F::PROCESSOR.permits(page, access, self.control)
    }

    /// The translation of `va`: the one that is kept, or else that of the tables.
    fn page(&mut self, va: VirtAddr, access: MemoryAccess) -> Result<Page, Denial> {
        if let Some(page) = self.caches.page(va.as_u64()) {
            // For the first write to a page x86 walks the tables, to set D (Intel SDM vol. 3A, 4.8).
            // On RISC-V a page that is not dirty permits no write.
            let sets_dirty =
                access.kind == AccessKind::Store && !page.dirty && self.permits(&page, access);
            if !sets_dirty {
                return Ok(page);
            }
        }
        self.walk(va, Some(access))
    }

    /// Walks the tables, and keeps the translation.
    fn walk(&mut self, va: VirtAddr, access: Option<MemoryAccess>) -> Result<Page, Denial> {
        let root = self.cr3.ok_or(Denial::NotPresent)?.as_u64();
        let mut walk = Walker {
            processor: F::PROCESSOR,
            control: self.control,
            leaf_levels: self.leaf_levels,
            memory: &self.memory,
            caches: &mut self.caches,
            root,
            access,
        };
        let page = walk.translate(va.as_u64())?;
        self.caches.keep_page(va.as_u64(), page);
        Ok(page)
    }

    /// Walks the tables for an access to `va` that may never come.
    pub(super) fn look_ahead(&mut self, va: VirtAddr) {
        if self.caches.page(va.as_u64()).is_none() {
            // Nothing is raised: there was no access.
            let _ = self.walk(va, None);
        }
    }
}
