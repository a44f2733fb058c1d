//! What a processor does with a page table, for each format, from the manuals alone: `x86` and
//! `riscv`.
//!
//! Nothing here uses this crate's formats: what they encode is decoded a second time, by someone
//! else as it were. What both kinds of processor share is here: what an access is, what comes of
//! it, and the walk's steps that are the same. What they keep of tables is in
//! `caches`, beside this.
//!
//! Where a manual leaves the processor a choice, this one takes what is hardest for the kernel:
//! see [`SimMachine`](super::SimMachine).

mod riscv;
mod x86;

use crate::mem::addr::PhysAddr;
use crate::paging::format::i386::I386;
use crate::paging::format::riscv::Sv;
use crate::paging::format::x86_64::LongMode;
use crate::sim::caches::Caches;
use crate::sim::memory::SimMemory;

/// The processor that walks a format's tables.
pub trait Mmu {
    /// Which one.
    const PROCESSOR: Processor;
}

impl Mmu for I386 {
    const PROCESSOR: Processor = Processor::I386;
}

impl<const LEVELS: u32> Mmu for LongMode<LEVELS> {
    const PROCESSOR: Processor = Processor::LongMode { levels: LEVELS };
}

impl<const LEVELS: u32> Mmu for Sv<LEVELS> {
    const PROCESSOR: Processor = Processor::RiscV { levels: LEVELS };
}

/// A processor, by how it translates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Processor {
    /// x86 with 32-bit paging.
    I386,
    /// x86-64 with 4-level or 5-level paging.
    LongMode {
        /// Levels of tables.
        levels: u32,
    },
    /// RISC-V with Sv39 or Sv48.
    RiscV {
        /// Levels of tables.
        levels: u32,
    },
}

/// The control bits that have a say in translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// CR0.WP: the kernel, too, writes only to what is writable. RISC-V knows nothing else.
    pub wp: bool,
    /// CR4.SMEP: the kernel executes no page of the user's. RISC-V knows nothing else.
    pub smep: bool,
    /// CR4.SMAP, with EFLAGS.AC clear: the kernel does not touch pages of the user's. On RISC-V,
    /// sstatus.SUM is clear.
    pub smap: bool,
    /// CR4.PGE: there are global translations. RISC-V always has them.
    pub pge: bool,
    /// EFER.NXE: bit 63 of an entry forbids execution, and is not reserved.
    pub nxe: bool,
}

/// What a processor raises in place of an access.
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

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Load,
    Store,
    Fetch,
}

/// An access: what is done, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Access {
    pub(super) kind: Kind,
    /// By user code.
    pub(super) user: bool,
}

/// Why there is no translation, or not for this access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// The address has bits that cannot be translated.
    NonCanonical,
    /// An entry says so.
    NotPresent,
    /// An entry has a bit set that must not be.
    Reserved,
    /// What is there may not be used so.
    Forbidden,
}

/// What the entries of a walk, so far, grant together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rights {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) executable: bool,
    /// To user code.
    pub(super) user: bool,
    /// In every address space.
    pub(super) global: bool,
}

/// A table, as a walk comes to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Table {
    pub(super) level: u32,
    /// Where it is.
    pub(super) pa: u64,
    pub(super) rights: Rights,
}

/// A translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Page {
    /// The physical address of the 4 KB page.
    pub(super) pa: u64,
    /// Bytes of the page that it is part of.
    pub(super) size: u64,
    pub(super) rights: Rights,
    /// Whether its entry says dirty.
    pub(super) dirty: bool,
}

/// What a table walk works with.
pub(super) struct Walk<'a> {
    pub(super) processor: Processor,
    pub(super) control: Control,
    /// The levels at which the processor has leaves.
    pub(super) leaf_levels: u32,
    pub(super) memory: &'a SimMemory,
    pub(super) caches: &'a mut Caches,
    /// The table of the highest level.
    pub(super) root: u64,
    /// What it is for. A walk ahead of any access leaves no mark in memory.
    pub(super) access: Option<Access>,
}

impl Processor {
    /// Levels of tables.
    fn levels(self) -> u32 {
        match self {
            Self::I386 => 2,
            Self::LongMode { levels } | Self::RiscV { levels } => levels,
        }
    }

    /// Bits of an address that a table of `level` does not translate.
    pub(super) fn shift(self, level: u32) -> u32 {
        let index_bits = if self == Self::I386 { 10 } else { 9 };
        12 + level * index_bits
    }

    /// Whether it is one of Intel's or AMD's.
    #[must_use]
    pub fn is_x86(self) -> bool {
        !matches!(self, Self::RiscV { .. })
    }

    /// Whether the bits of `va` that are not translated, and the topmost one that is, are the same.
    /// Where addresses have 32 bits, there are no others.
    fn is_canonical(self, va: u64) -> bool {
        match self {
            Self::I386 => va >> 32 == 0,
            _ => {
                let bits = self.shift(self.levels()) - 1;
                va >> bits == 0 || va >> bits == u64::MAX >> bits
            }
        }
    }

    /// Whether an access finds what it needs in `page`.
    pub(super) fn permits(self, page: &Page, access: Access, control: Control) -> bool {
        match self {
            Self::RiscV { .. } => riscv::permits(page, access, control),
            _ => x86::permits(page.rights, access, control),
        }
    }

    /// What is raised where an access is refused.
    pub(super) fn exception(self, refusal: Refusal, access: Access, control: Control) -> Exception {
        match self {
            Self::RiscV { .. } => riscv::exception(access),
            _ => x86::exception(self, refusal, access, control),
        }
    }
}

impl Walk<'_> {
    /// Translates `va`: sets accessed bits on the way and, for a write that is permitted, the dirty
    /// bit, where the processor does that by itself.
    pub(super) fn translate(&mut self, va: u64) -> Result<Page, Refusal> {
        if !self.processor.is_canonical(va) {
            return Err(Refusal::NonCanonical);
        }
        match self.processor {
            Processor::RiscV { .. } => riscv::translate(self, va),
            _ => x86::translate(self, va),
        }
    }

    /// Where to begin: at the lowest table that the processor remembers, or at the root.
    fn first_table(&self, va: u64, rights: Rights) -> Table {
        let level = self.processor.levels() - 1;
        let root = Table { level, pa: self.root, rights };
        (0..level).find_map(|level| self.caches.table(level, va)).unwrap_or(root)
    }

    /// The place of the entry of `table` that maps `va`.
    fn entry_at(&self, table: &Table, va: u64) -> PhysAddr {
        let bits = self.processor.shift(1) - self.processor.shift(0);
        let index = va >> self.processor.shift(table.level) & ((1 << bits) - 1);
        // A table is a page of entries.
        PhysAddr::new(table.pa + index * (4096 >> bits))
    }

    fn has_leaves(&self, level: u32) -> bool {
        self.leaf_levels & 1 << level != 0
    }
}
