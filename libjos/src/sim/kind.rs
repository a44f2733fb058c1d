//! The kind of a simulated processor, and the results of its walks: the words that `mmu`, which walks tables,
//! and `caches`, which keep the results, have in common.

/// A kind of processor, by how it translates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
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

/// The rights that the entries of a walk, so far, grant together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Rights {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) executable: bool,
    /// To user code.
    pub(super) user: bool,
    /// In every address space.
    pub(super) global: bool,
}

/// A table that a walk has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Table {
    pub(super) level: u32,
    /// The physical address of its first entry.
    pub(super) pa: u64,
    pub(super) rights: Rights,
}

/// A translation of one 4 KB page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Page {
    /// The physical address.
    pub(super) pa: u64,
    /// Bytes of the page, of any size, that this one is part of.
    pub(super) size: u64,
    pub(super) rights: Rights,
    /// Whether the entry has D set.
    pub(super) dirty: bool,
}

impl Kind {
    /// Levels of tables.
    pub(super) fn levels(self) -> u32 {
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

    /// The entry of `level` that `va` leads to: the level, and the bits of `va` that lead there.
    pub(super) fn entry(self, level: u32, va: u64) -> (u32, u64) {
        (level, va >> self.shift(level))
    }

    /// Whether it is one of Intel's or AMD's.
    #[must_use]
    pub fn is_x86(self) -> bool {
        !matches!(self, Self::RiscV { .. })
    }

    /// Whether the bits of `va` that are not translated all equal the topmost one that is. Where
    /// addresses have 32 bits, no others are set.
    pub(super) fn is_canonical(self, va: u64) -> bool {
        match self {
            Self::I386 => va >> 32 == 0,
            _ => {
                let bits = self.shift(self.levels()) - 1;
                va >> bits == 0 || va >> bits == u64::MAX >> bits
            }
        }
    }
}
