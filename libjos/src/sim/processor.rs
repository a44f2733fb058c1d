//! A simulated [`Processor`], as far as memory goes: its control bits, the page directory in use, and the
//! caches (`caches.rs`) of what it found in page tables.

use super::caches::Caches;
use super::mmu::{Control, Denial, Exception, Kind, MemoryAccess, Page, Ram, Walker};
use crate::mem::addr::PhysAddr;

/// A processor that translates addresses. The memory with its page tables is an argument of each call.
///
/// Where the manuals leave it a choice, the processor makes the one that is hardest for the kernel. It
/// keeps all that it has seen until it is told to forget it. And it looks ahead, as a processor may at
/// any time (Intel SDM vol. 3A, 4.10.2.3; RISC-V privileged specification, 12.2.1): right after each
/// flush, fence and page fault it walks the tables again, so that a flush which comes before the
/// change of an entry, or before its fault's repair, does not help. On RISC-V it faults instead of
/// setting accessed and dirty bits, and it remembers that an entry is not valid, which x86 forbids.
#[derive(Debug)]
pub struct Processor {
    /// The control bits. [`set_control`](Self::set_control) changes them as an instruction does.
    pub control: Control,
    /// Levels at which the processor accepts a leaf, as in
    /// [`Format::LEAF_LEVELS`](crate::paging::format::Format::LEAF_LEVELS).
    pub leaf_levels: u32,
    kind: Kind,
    /// The page directory in use.
    root: Option<PhysAddr>,
    caches: Caches,
    /// The address of the last access.
    last_va: u64,
}

impl Processor {
    /// Makes a processor without a page directory.
    #[must_use]
    pub const fn new(kind: Kind, leaf_levels: u32, control: Control) -> Self {
        Self { control, leaf_levels, kind, root: None, caches: Caches::new(kind), last_va: 0 }
    }

    /// The physical address that `va` leads to, for this access.
    ///
    /// # Errors
    ///
    /// The reason for the exception that the processor raises.
    pub fn translate(
        &mut self,
        memory: &impl Ram,
        va: u64,
        access: MemoryAccess,
    ) -> Result<PhysAddr, Denial> {
        self.last_va = va;
        let denial = match self.page(memory, va, access) {
            Ok(page) if self.permits(&page, access) => {
                return Ok(PhysAddr::new(page.pa + va % 4096));
            }
            Ok(_) => Denial::Forbidden,
            Err(denial) => denial,
        };
        if denial != Denial::NonCanonical {
            self.caches.page_fault(va);
            self.look_ahead(memory, va);
        }
        Err(denial)
    }

    /// Fetches the 8 bytes at `pa`. On RISC-V they are as when they were first fetched, until FENCE.I.
    pub fn fetch(&mut self, memory: &impl Ram, pa: PhysAddr) -> u64 {
        self.caches.instruction(pa.as_u64(), memory.load(pa))
    }

    /// Executes FENCE.I: instructions that were stored are fetched from now on.
    pub fn fence_i(&mut self) {
        self.caches.forget_instructions();
    }

    /// The exception that the processor raises for a denied access.
    #[must_use]
    pub fn exception(&self, denial: Denial, access: MemoryAccess) -> Exception {
        self.kind.exception(denial, access, self.control)
    }

    /// Uses the page directory at `pgdir`, by a write to CR3, or to satp with SFENCE.VMA for the address space.
    pub fn lcr3(&mut self, memory: &impl Ram, pgdir: PhysAddr) {
        self.root = Some(pgdir);
        self.caches.change_space();
        self.look_ahead(memory, self.last_va);
    }

    /// Sets the control bits. On x86, turning global pages on or off forgets everything (4.10.4.1).
    pub fn set_control(&mut self, control: Control) {
        if self.kind.is_x86() && control.pge != self.control.pge {
            self.caches.clear();
        }
        self.control = control;
    }

    /// Executes INVLPG, or SFENCE.VMA with an address.
    pub fn invlpg(&mut self, memory: &impl Ram, va: u64) {
        self.caches.invalidate(va);
        self.look_ahead(memory, va);
    }

    /// Forgets everything.
    pub fn flush(&mut self, memory: &impl Ram) {
        self.caches.clear();
        self.look_ahead(memory, self.last_va);
    }

    /// Executes SFENCE.VMA, with or without an address, after an entry became valid. It leaves translations
    /// alone, though the instruction would not: a flush that is missing is seen.
    pub fn made_valid(&mut self, memory: &impl Ram, page: Option<u64>) {
        self.caches.forget_invalid(page);
        self.look_ahead(memory, self.last_va);
    }

    fn permits(&self, page: &Page, access: MemoryAccess) -> bool {
        self.kind.permits(page, access, self.control)
    }

    /// The translation of `va`: the one that is kept, or else that of the tables.
    fn page(&mut self, memory: &impl Ram, va: u64, access: MemoryAccess) -> Result<Page, Denial> {
        if let Some(page) = self.caches.page(va) {
            // For the first write to a page x86 walks the tables, to set D (Intel SDM vol. 3A, 4.8).
            // On RISC-V a page that is not dirty permits no write.
            let sets_dirty = access.is_store() && !page.dirty && self.permits(&page, access);
            if !sets_dirty {
                return Ok(page);
            }
        }
        self.walk(memory, va, Some(access))
    }

    /// Walks the tables, and keeps the translation.
    fn walk(
        &mut self,
        memory: &impl Ram,
        va: u64,
        access: Option<MemoryAccess>,
    ) -> Result<Page, Denial> {
        let root = self.root.ok_or(Denial::NotPresent)?.as_u64();
        let Self { kind, control, leaf_levels, ref mut caches, .. } = *self;
        let mut walk = Walker { kind, control, leaf_levels, memory, caches, root, access };
        let page = walk.translate(va)?;
        self.caches.keep_page(va, page);
        Ok(page)
    }

    /// Walks the tables for an access to `va` that may never come.
    fn look_ahead(&mut self, memory: &impl Ram, va: u64) {
        if self.caches.page(va).is_none() {
            // Nothing is raised: there was no access.
            let _ = self.walk(memory, va, None);
        }
    }
}
