//! Loads, stores and fetches, of the kernel's and of the user's, through the page tables in use.

use layout::MemLayout;

use super::SimMachine;
use super::mmu::{Denial, MemoryAccess, Mmu, Ram};
use crate::machine::{AccessKind, Fault};
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
        self.read(va, AccessKind::Read, true)
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
        self.read(va, AccessKind::Fetch, true)
    }

    /// Reads the 8 bytes at `va` as the processor does to execute them as the kernel's code.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    pub fn kernel_fetch(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, AccessKind::Fetch, false)
    }

    /// Reads or fetches the 8 bytes at `va`.
    pub(super) fn read(
        &mut self,
        va: VirtAddr,
        kind: AccessKind,
        user: bool,
    ) -> Result<u64, Fault> {
        let pa = self.translate(va, MemoryAccess { kind, user })?;
        let is_fetch = kind == AccessKind::Fetch;
        Ok(if is_fetch { self.processor.fetch(&self.memory, pa) } else { self.memory.load(pa) })
    }

    /// Writes the 8 bytes at `va`.
    pub(super) fn write(&mut self, va: VirtAddr, value: u64, user: bool) -> Result<(), Fault> {
        let access = MemoryAccess { kind: AccessKind::Write, user };
        self.translate(va, access).map(|pa| self.memory.store(pa, value))
    }

    /// Translates `va` for this access, or raises the exception.
    fn translate(&mut self, va: VirtAddr, access: MemoryAccess) -> Result<PhysAddr, Fault> {
        let translated = self.processor.translate(&self.memory, va.as_u64(), access);
        self.exception = translated.err().map(|denial| self.processor.exception(denial, access));
        let fault =
            |denial: Denial| Fault { va, present: denial.is_present(), write: access.is_store() };
        translated.map_err(fault)
    }
}
