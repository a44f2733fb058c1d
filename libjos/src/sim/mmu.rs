//! How a processor walks page tables, for each format, from the manuals alone: `x86` and `riscv`.
//!
//! Nothing here uses this crate's formats: entries are decoded a second time, independently. This file
//! holds what both kinds of processor share: accesses, their outcomes, and the common steps of a walk.
//! Results of walks are kept in `caches`.

mod riscv;
mod x86;

use super::caches::Caches;
pub use super::kind::Kind;
pub(super) use super::kind::Page;
use super::kind::{Rights, Table};
use crate::machine::AccessKind;
use crate::mem::addr::PhysAddr;
use crate::paging::format::i386::I386;
use crate::paging::format::riscv::Sv;
use crate::paging::format::x86_64::LongMode;
use crate::paging::word::Word;

/// The processor that walks a format's tables.
pub trait Mmu {
    /// Its kind.
    const KIND: Kind;
}

impl Mmu for I386 {
    const KIND: Kind = Kind::I386;
}

impl<const LEVELS: u32> Mmu for LongMode<LEVELS> {
    const KIND: Kind = Kind::LongMode { levels: LEVELS };
}

impl<const LEVELS: u32> Mmu for Sv<LEVELS> {
    const KIND: Kind = Kind::RiscV { levels: LEVELS };
}

/// The control bits that translation depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// CR0.WP: the kernel, too, writes only to writable pages. RISC-V always obeys this.
    pub wp: bool,
    /// CR4.SMEP: the kernel executes no page of the user's. RISC-V always obeys this.
    pub smep: bool,
    /// CR4.SMAP, with EFLAGS.AC clear: the kernel does not touch pages of the user's. On RISC-V,
    /// sstatus.SUM is clear.
    pub smap: bool,
    /// CR4.PGE: there are global translations. RISC-V always has them.
    pub pge: bool,
    /// EFER.NXE: bit 63 of an entry forbids execution, and is not reserved.
    pub nxe: bool,
}

/// The exception that a processor raises in place of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exception {
    /// x86's #GP(0).
    GeneralProtection,
    /// x86's #PF, with its error code: bit 0 P, 1 W/R, 2 U/S, 3 RSVD, 4 I/D.
    PageFault(u32),
    /// RISC-V's exception, by its code in `scause`: 12, 13, 15 are the page faults of a fetch, a
    /// load and a store.
    Cause(u64),
}

/// An access to memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryAccess {
    /// Its kind.
    pub kind: AccessKind,
    /// Whether user code makes it.
    pub user: bool,
}

impl MemoryAccess {
    /// Whether it is a write.
    #[must_use]
    pub fn is_store(self) -> bool {
        self.kind == AccessKind::Write
    }
}

/// Why an access gets no translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denial {
    /// The address has bits that cannot be translated.
    NonCanonical,
    /// An entry is not present.
    NotPresent,
    /// A reserved bit of an entry is set.
    Reserved,
    /// The page does not permit the access.
    Forbidden,
}

impl Denial {
    /// Whether there is a page, or an entry with a reserved bit in place of one.
    #[must_use]
    pub fn is_present(self) -> bool {
        matches!(self, Self::Reserved | Self::Forbidden)
    }
}

/// Physical memory, as a processor's walks use it.
pub trait Ram {
    /// Reads the word at `pa`.
    fn load<W: Word>(&self, pa: PhysAddr) -> W;

    /// Writes the word at `pa`.
    fn store<W: Word>(&self, pa: PhysAddr, word: W);
}

/// A walk of the tables.
pub(super) struct Walker<'a, M> {
    pub(super) kind: Kind,
    pub(super) control: Control,
    /// The levels at which the processor has leaves.
    pub(super) leaf_levels: u32,
    pub(super) memory: &'a M,
    pub(super) caches: &'a mut Caches,
    /// The table of the highest level.
    pub(super) root: u64,
    /// The access that it is for. A walk ahead of any access leaves no mark in memory.
    pub(super) access: Option<MemoryAccess>,
}

impl Kind {
    /// Whether `page` permits the access.
    pub(super) fn permits(self, page: &Page, access: MemoryAccess, control: Control) -> bool {
        match self {
            Self::RiscV { .. } => riscv::permits(page, access, control),
            _ => x86::permits(page.rights, access, control),
        }
    }

    /// The exception for an access that is denied.
    pub(super) fn exception(
        self,
        denial: Denial,
        access: MemoryAccess,
        control: Control,
    ) -> Exception {
        match self {
            Self::RiscV { .. } => riscv::exception(access),
            _ => x86::exception(self, denial, access, control),
        }
    }
}

impl<M: Ram> Walker<'_, M> {
    /// Translates `va`: sets accessed bits on the way and, for a write that is permitted, the dirty
    /// bit, where the processor does that by itself.
    pub(super) fn translate(&mut self, va: u64) -> Result<Page, Denial> {
        if !self.kind.is_canonical(va) {
            return Err(Denial::NonCanonical);
        }
        if self.caches.is_invalid(va) {
            return Err(Denial::NotPresent);
        }
        match self.kind {
            Kind::RiscV { .. } => riscv::translate(self, va),
            _ => x86::translate(self, va),
        }
    }

    /// The table to begin at: the lowest one that the processor remembers, or the root.
    fn first_table(&self, va: u64, rights: Rights) -> Table {
        let level = self.kind.levels() - 1;
        let root = Table { level, pa: self.root, rights };
        (0..level).find_map(|level| self.caches.table(level, va)).unwrap_or(root)
    }

    /// The address of the entry of `table` that maps `va`.
    fn entry_at(&self, table: &Table, va: u64) -> PhysAddr {
        let bits = self.kind.shift(1) - self.kind.shift(0);
        let index = va >> self.kind.shift(table.level) & ((1 << bits) - 1);
        // A table is a page, whose size is divided by the number of entries.
        PhysAddr::new(table.pa + index * (4096 >> bits))
    }

    fn has_leaves(&self, level: u32) -> bool {
        self.leaf_levels & 1 << level != 0
    }
}
