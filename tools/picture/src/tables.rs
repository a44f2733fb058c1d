//! Page tables as a tree of decoded entries, with runs of equal entries folded.

use std::collections::BTreeMap;

use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::{self, Format, Geometry, Perm};
use libjos::paging::word::Word;

use crate::frames::Tables;
use crate::shot::{Entry, Row, Table};

/// The most tables to show for one address space. Broken tables may link to each other in very many ways.
const MOST: usize = 4096;

/// Reads the tables of one address space.
pub(crate) struct Reader<'a, M> {
    mem: &'a M,
    root: PhysAddr,
    /// The tables that another address space shows already, by their addresses.
    known: &'a Tables,
    /// Every table that was read: its address, its level and the first virtual address it is for.
    pub(crate) seen: BTreeMap<u64, (u32, u64)>,
}

impl<'a, M: PhysMem> Reader<'a, M> {
    /// The tables of format `F` below `root`, and the reader that knows where they are.
    /// Tables that are `known` are not shown again.
    pub(crate) fn read<F: Format>(mem: &'a M, root: PhysAddr, known: &'a Tables) -> (Table, Self) {
        let mut reader = Self { mem, root, known, seen: BTreeMap::new() };
        let table = reader.table::<F>(F::ROOT, root, VirtAddr::new(0));
        (table, reader)
    }

    fn table<F: Format>(&mut self, level: u32, pa: PhysAddr, base: VirtAddr) -> Table {
        self.seen.insert(pa.as_u64(), (level, base.as_u64()));
        let mut table = Table { level, pa: pa.as_u64(), present: 0, rows: Vec::new() };
        for index in 0..F::ENTRIES {
            let word: F::Word = self.mem.load(pa + index as u64 * F::Word::BYTES);
            let va = F::address(level, base, index);
            let entry = match F::decode(level, word) {
                format::Entry::Absent | format::Entry::Pending { .. } => Entry::Absent,
                format::Entry::Leaf(leaf) => Entry::Pages {
                    pa: leaf.pa.as_u64(),
                    perm: leaf.perm.to_string(),
                    accessed: leaf.accessed.into(),
                    dirty: leaf.dirty.into(),
                },
                format::Entry::Table { pa, allows } => self.below::<F>(level, pa, va, allows),
            };
            table.present += usize::from(entry != Entry::Absent);
            let size = F::page_size(level);
            let row = Row {
                first: index,
                last: index,
                va: va.as_u64(),
                va_last: va.as_u64() + (size - 1),
                word: word.to_u64(),
                entry,
            };
            if !table.rows.last_mut().is_some_and(|last| fold(last, &row)) {
                table.rows.push(row);
            }
        }
        table
    }

    /// The decoded entry of the table of `level` that leads to a table at `pa`.
    fn below<F: Format>(&mut self, level: u32, pa: PhysAddr, va: VirtAddr, allows: Perm) -> Entry {
        // Show only permissions that a table can withhold.
        let allows = (allows & (Perm::URW | Perm::X)).to_string();
        let why = if pa == self.root {
            "the directory itself: all tables show here"
        } else if let Some(detail) = self.known.get(&pa.as_u64()) {
            return Entry::Elsewhere { pa: pa.as_u64(), allows, why: detail.clone() };
        } else if self.seen.contains_key(&pa.as_u64()) {
            "shown above: both entries lead to it"
        } else if self.seen.len() == MOST {
            "not shown: there are too many tables"
        } else {
            let table = Box::new(self.table::<F>(level - 1, pa, va));
            return Entry::Table { allows, table };
        };
        Entry::Elsewhere { pa: pa.as_u64(), allows, why: why.into() }
    }
}

/// Merges `next` into `row` if they are adjacent and alike; returns whether they are.
fn fold(row: &mut Row, next: &Row) -> bool {
    // Within a table, addresses are contiguous except for the gap between the halves.
    if row.va_last.wrapping_add(1) != next.va {
        return false;
    }
    let bytes = next.va - row.va;
    match (&mut row.entry, &next.entry) {
        (Entry::Absent, Entry::Absent) => {}
        (
            Entry::Pages { pa, perm, accessed, dirty },
            Entry::Pages { pa: next_pa, perm: next_perm, accessed: a, dirty: d },
        ) if *pa + bytes == *next_pa && perm == next_perm => {
            *accessed += a;
            *dirty += d;
        }
        _ => return false,
    }
    (row.last, row.va_last) = (next.last, next.va_last);
    true
}
