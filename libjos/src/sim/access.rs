//! Accesses to a simulated machine's memory through the page tables in use: what the processor does
//! for a load, a store or a fetch, of the kernel's or of the user's.

use layout::{MemLayout, PGSIZE};

use super::SimMachine;
use super::mmu::{Access, Kind, Mmu, Page, Refusal, Walk};
use crate::machine::Fault;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::paging::format::Format;

/// Where one of these fails, [`exception`](SimMachine::exception) tells what the processor raised.
impl<L: MemLayout, F: Format + Mmu> SimMachine<L, F> {
    /// Reads the 8 bytes at `va` as user code does, through the page tables in use.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    pub fn user_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, Access { kind: Kind::Load, user: true })
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
        self.read(va, Access { kind: Kind::Fetch, user: true })
    }

    /// Reads the 8 bytes at `va` as the processor does to execute them as the kernel's code.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    pub fn kernel_fetch(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, Access { kind: Kind::Fetch, user: false })
    }

    pub(super) fn kernel_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, Access { kind: Kind::Load, user: false })
    }

    pub(super) fn kernel_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        self.write(va, value, false)
    }

    fn read(&mut self, va: VirtAddr, access: Access) -> Result<u64, Fault> {
        self.translate(va, access).map(|pa| self.memory.load(pa))
    }

    fn write(&mut self, va: VirtAddr, value: u64, user: bool) -> Result<(), Fault> {
        let access = Access { kind: Kind::Store, user };
        self.translate(va, access).map(|pa| self.memory.store(pa, value))
    }

    /// Where `va` is for this access, or the exception that it raises.
    fn translate(&mut self, va: VirtAddr, access: Access) -> Result<PhysAddr, Fault> {
        self.last_va = va;
        self.exception = None;
        let refusal = match self.page(va, access) {
            Ok(page) if self.permits(&page, access) => {
                return Ok(PhysAddr::new(page.pa) + va.as_u64() % PGSIZE);
            }
            Ok(_) => Refusal::Forbidden,
            Err(refusal) => refusal,
        };
        self.exception = Some(F::PROCESSOR.exception(refusal, access, self.control));
        if refusal != Refusal::NonCanonical {
            self.caches.page_fault(va.as_u64());
            self.look_ahead(va);
        }
        let present = matches!(refusal, Refusal::Reserved | Refusal::Forbidden);
        Err(Fault { va, present, write: access.kind == Kind::Store })
    }

    fn permits(&self, page: &Page, access: Access) -> bool {
        F::PROCESSOR.permits(page, access, self.control)
    }

    /// The translation of `va`, as it is kept or, where there is none, as the tables have it.
    fn page(&mut self, va: VirtAddr, access: Access) -> Result<Page, Refusal> {
        if let Some(page) = self.caches.page(va.as_u64()) {
            // For the first write to a page x86 walks the tables, to set D (Intel SDM vol. 3A, 4.8).
            // On RISC-V such a page permits none.
            let sets_dirty =
                access.kind == Kind::Store && !page.dirty && self.permits(&page, access);
            if !sets_dirty {
                return Ok(page);
            }
        }
        self.walk(va, Some(access))
    }

    /// Walks the tables, and keeps what is found.
    fn walk(&mut self, va: VirtAddr, access: Option<Access>) -> Result<Page, Refusal> {
        let root = self.cr3.ok_or(Refusal::NotPresent)?.as_u64();
        let mut walk = Walk {
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
