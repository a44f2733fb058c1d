//! A census of a machine's tables, read entry by entry.

use std::collections::BTreeMap;

use layout::MemLayout;
use libjos::machine::Machine;
use libjos::mem::addr::PhysAddr;
use libjos::paging::format::{Entry, Format, Leaf, Perm};
use libjos::paging::word::Word;

use super::page_size;

/// All leaves and tables below some root entries, named as in [`Space`](super::Space).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Census {
    pub(crate) leaves: BTreeMap<u64, (u32, Leaf)>,
    pub(crate) tables: BTreeMap<(u32, u64), PhysAddr>,
}

impl Census {
    /// Reads the part of `pgdir` below UENVS, or the kernel's part from there on.
    pub(crate) fn new<M: Machine>(machine: &M, pgdir: PhysAddr, kernel: bool) -> Self {
        let mut census = Self::default();
        census.read(machine, M::Format::LEVELS - 1, pgdir, 0, |va, pa| {
            // A directory's entry for itself is no table below it.
            (va >= M::Layout::UENVS) == kernel && pa != pgdir
        });
        census
    }

    /// Reads the table of `level` at `table`, which maps addresses from `base` on, as far as
    /// `wanted` says so.
    fn read<M: Machine>(
        &mut self,
        machine: &M,
        level: u32,
        table: PhysAddr,
        base: u64,
        wanted: impl Fn(u64, PhysAddr) -> bool + Copy,
    ) {
        type WordOf<M> = <<M as Machine>::Format as Format>::Word;
        let size = page_size::<M::Format>(level);
        for index in 0..1 << M::Format::INDEX_BITS {
            let word: WordOf<M> = machine.load(table + index * WordOf::<M>::BYTES);
            if word == WordOf::<M>::ZERO {
                continue;
            }
            let mut va = base + index * size;
            if base == 0 && M::Layout::HALVES && va >= M::Layout::LOWER_END {
                va += M::Layout::UPPER_START - M::Layout::LOWER_END;
            }
            match M::Format::decode(level, word) {
                Entry::Pending { .. } => panic!("entry {word:#x} for {va:#x} is pending"),
                Entry::Absent => panic!("entry {word:#x} for {va:#x} is absent, but not zero"),
                Entry::Table { pa, allows } if wanted(va, pa) => {
                    assert!(
                        allows.contains(Perm::URW | Perm::X),
                        "the table for {va:#x}: {allows}"
                    );
                    let again = self.tables.insert((level, va / size), pa);
                    assert_eq!(again, None, "two tables for {va:#x}");
                    self.read(machine, level - 1, pa, va, wanted);
                }
                Entry::Leaf(leaf) if wanted(va, leaf.pa) => {
                    self.leaves.insert(va, (level, leaf));
                }
                Entry::Table { .. } | Entry::Leaf(_) => {}
            }
        }
    }
}
