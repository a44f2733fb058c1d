//! Looking at page tables: the walk of one address level by level ([`steps`]), and all pages that are
//! mapped ([`leaves`], merged into [`runs`]).
//!
//! One iterator, `Cursor`, goes through whole tables for all users. [`runs`] serves the pictures,
//! `vmprint_folded`, and the monitor's `map`, `showmappings` and `dump`; [`leaves`] the monitor's
//! `pages`, the copy of an address space, and the checks.
//!
//! They need nothing but memory to read, so they work on the dump of a dead machine as well as on
//! a live one.

use core::marker::PhantomData;

use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::word::Word;

/// The most levels that a format has.
pub const MAX_LEVELS: usize = 5;

/// One level of a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The level of the table.
    pub level: u32,
    /// The table's physical address.
    pub table: PhysAddr,
    /// The index of the address's entry in the table.
    pub index: usize,
    /// The entry's physical address.
    pub at: PhysAddr,
    /// The entry as a word.
    pub word: u64,
    /// The entry as the processor sees it.
    pub entry: Entry,
}

/// Walks `va` in the tables of format `F` from the root at `pgdir`: an item a level, from the root down, up to the
/// entry that decides, a leaf or an absent one. Bits of `va` that the format does not translate are ignored.
pub fn steps<F: Format, Mem: PhysMem>(
    mem: &Mem,
    pgdir: PhysAddr,
    va: VirtAddr,
) -> impl Iterator<Item = Step> {
    steps_by::<F>(pgdir, va, |at| Some(mem.load(at)))
}

/// Walks `va` as [`steps`] does, with entries read by `load`. The walk ends if that gives `None`.
pub fn steps_by<F: Format>(
    pgdir: PhysAddr,
    va: VirtAddr,
    load: impl Fn(PhysAddr) -> Option<F::Word>,
) -> impl Iterator<Item = Step> {
    let mut next = Some((F::ROOT, pgdir));
    core::iter::from_fn(move || {
        let (level, table) = next?;
        let (index, at) = (F::index(level, va), F::entry(level, table, va));
        let word = load(at)?;
        let entry = F::decode(level, word);
        next = match entry {
            Entry::Table { pa, .. } => level.checked_sub(1).map(|below| (below, pa)),
            _ => None,
        };
        Some(Step { level, table, index, at, word: word.to_u64(), entry })
    })
}

/// A page of any size, or a run of pages: `size` bytes at `va` lead to as many at `pa`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The first virtual address.
    pub va: VirtAddr,
    /// The physical address it leads to.
    pub pa: PhysAddr,
    /// Bytes.
    pub size: u64,
    /// The permissions that all levels together grant.
    pub perm: Perm,
    /// Bytes of the smallest page in the run.
    pub smallest: u64,
    /// Bytes of the largest page in the run.
    pub largest: u64,
}

impl Mapping {
    /// The last virtual address. (The end may be 2^64.)
    #[must_use]
    pub fn last(&self) -> VirtAddr {
        self.va + (self.size - 1)
    }

    /// The part of it in `[first, last]`.
    ///
    /// # Panics
    ///
    /// If no part of it lies there.
    #[must_use]
    pub fn within(self, first: VirtAddr, last: VirtAddr) -> Self {
        let va = self.va.max(first);
        let pa = PhysAddr::new(self.pa.as_u64().wrapping_add(va - self.va));
        Self { va, pa, size: self.last().min(last) - va + 1, ..self }
    }

    /// The memory that it leads to.
    #[must_use]
    pub fn range(&self) -> PhysRange {
        PhysRange::from_size(self.pa, self.size)
    }

    /// Takes `next` in, if it goes on where this ends, in both address spaces and with the same
    /// permissions.
    fn merge(&mut self, next: &Self) -> bool {
        let follows = self.perm == next.perm
            && self.va.as_u64().wrapping_add(self.size) == next.va.as_u64()
            && self.pa.as_u64().wrapping_add(self.size) == next.pa.as_u64();
        if follows {
            self.size += next.size;
            self.smallest = self.smallest.min(next.smallest);
            self.largest = self.largest.max(next.largest);
        }
        follows
    }
}

/// A table that a [`Cursor`] is going through.
#[derive(Clone, Copy, Debug, Default)]
struct Table {
    pa: PhysAddr,
    /// The lowest address that the table maps.
    base: VirtAddr,
    /// The next entry to look at.
    index: usize,
    /// The permissions that the levels above grant.
    allows: Perm,
}

/// A place among the pages that are mapped between two addresses. It borrows no memory, so that other tables
/// can be changed between two steps.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<F> {
    /// The directory, if its entry for itself is passed over.
    hidden: Option<PhysAddr>,
    /// The last address of interest.
    last: VirtAddr,
    /// The first address of interest.
    first: VirtAddr,
    /// Tables on the way, by level.
    tables: [Table; MAX_LEVELS],
    /// The level at hand; `None` at the end.
    level: Option<u32>,
    format: PhantomData<fn() -> F>,
}

/// The pages mapped at any address of `[first, last]` by the tables of format `F` from the root
/// at `pgdir`, in order of address. The tables that a directory's entry for itself shows are left out.
pub fn leaves<F: Format, Mem: PhysMem>(
    mem: &Mem,
    pgdir: PhysAddr,
    first: VirtAddr,
    last: VirtAddr,
) -> impl Iterator<Item = Mapping> {
    let mut cursor = Cursor::<F>::new(pgdir, first, last);
    core::iter::from_fn(move || Some(cursor.next(mem)?.1))
}

/// The pages of [`leaves`], with neighbours that go on in both address spaces with the same permissions
/// merged into one.
pub fn runs<F: Format, Mem: PhysMem>(
    mem: &Mem,
    pgdir: PhysAddr,
    first: VirtAddr,
    last: VirtAddr,
) -> impl Iterator<Item = Mapping> {
    merged(leaves::<F, Mem>(mem, pgdir, first, last))
}

/// The runs of [`runs`], and the tables, as pages, that a directory's entry for itself shows. `load` reads
/// an entry; it gives `None` if there is no memory, and a table there maps nothing.
pub fn runs_and_tables<F: Format>(
    pgdir: PhysAddr,
    first: VirtAddr,
    last: VirtAddr,
    load: impl Fn(PhysAddr) -> Option<F::Word>,
) -> impl Iterator<Item = Mapping> {
    let mut cursor = Cursor::<F>::new(pgdir, first, last);
    cursor.hidden = None;
    merged(core::iter::from_fn(move || Some(cursor.next_by(&load)?.1)))
}

/// The runs that `leaves` make.
fn merged(leaves: impl Iterator<Item = Mapping>) -> impl Iterator<Item = Mapping> {
    let mut leaves = leaves.peekable();
    core::iter::from_fn(move || {
        let mut run = leaves.next()?;
        while leaves.next_if(|next| run.merge(next)).is_some() {}
        Some(run)
    })
}

impl<F: Format> Cursor<F> {
    /// A cursor before the first page that is mapped at any address of `[first, last]`, as [`leaves`].
    pub(crate) fn new(pgdir: PhysAddr, first: VirtAddr, last: VirtAddr) -> Self {
        // After an address that no table translates, the next one that is translated is the upper half's
        // first, or there is none.
        let upper_half = F::address(F::ROOT, VirtAddr::new(0), F::ENTRIES / 2);
        let (asked, first) = (first, if F::is_canonical(first) { first } else { upper_half });
        let mut tables = [Table::default(); MAX_LEVELS];
        let index = F::index(F::ROOT, first);
        tables[F::ROOT as usize] =
            Table { pa: pgdir, base: VirtAddr::new(0), index, allows: Perm::all() };
        let level = (asked <= first && first <= last).then_some(F::ROOT);
        Self { hidden: Some(pgdir), last, first, tables, level, format: PhantomData }
    }

    /// The next page, of any size, and the address of its entry.
    pub(crate) fn next(&mut self, mem: &impl PhysMem) -> Option<(PhysAddr, Mapping)> {
        self.next_by(|at| Some(mem.load(at)))
    }

    /// Does [`next`](Self::next), with entries read by `load`, as in [`runs_and_tables`].
    fn next_by(
        &mut self,
        load: impl Fn(PhysAddr) -> Option<F::Word>,
    ) -> Option<(PhysAddr, Mapping)> {
        loop {
            let level = self.level?;
            let table = &mut self.tables[level as usize];
            if table.index == F::ENTRIES {
                self.level = (level < F::ROOT).then_some(level + 1);
                continue;
            }
            let Table { pa, base, index, allows } = *table;
            table.index += 1;
            let va = F::address(level, base, index);
            if va > self.last {
                self.level = None;
                continue;
            }
            let at = F::slot(pa, index);
            match load(at).map_or(Entry::Absent, |word| F::decode(level, word)) {
                Entry::Absent | Entry::Pending { .. } => {}
                Entry::Table { pa, .. } if Some(pa) == self.hidden => {}
                Entry::Table { pa, allows: here } => {
                    // The first table on the way to `first` is entered in the middle.
                    let index = if va <= self.first { F::index(level - 1, self.first) } else { 0 };
                    self.tables[level as usize - 1] =
                        Table { pa, base: va, index, allows: allows & here };
                    self.level = Some(level - 1);
                }
                Entry::Leaf(Leaf { pa, perm, .. }) => {
                    let size = F::page_size(level);
                    let perm = perm & allows;
                    let leaf = Mapping { va, pa, size, perm, smallest: size, largest: size };
                    return Some((at, leaf));
                }
            }
        }
    }
}

#[cfg(all(test, not(miri)))]
mod tests;
