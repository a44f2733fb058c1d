//! Mapping a range: first the count of tables that it takes, then the work, which cannot fail.

use super::{PageSizes, Span};
use crate::machine::Machine;
use crate::mem::addr::PhysAddr;
use crate::mem::pages::{ALLOC_ZERO, AllocFlags};
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::pgdir::WordOf;
use crate::paging::vm::Vm;
use crate::paging::word::Word;

/// Entries to be written, neighbours in one table. They come in the order of the range that they map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    level: u32,
    /// The address of the first one.
    at: PhysAddr,
    count: usize,
    /// The physical address that the range has for the first one.
    pa: PhysAddr,
    /// Whether the table is not linked yet.
    is_new: bool,
}

impl Slots {
    /// The addresses of the entries.
    pub(crate) fn addresses<F: Format>(&self) -> impl Iterator<Item = PhysAddr> + use<F> {
        let at = self.at;
        (0..self.count).map(move |i| F::slot(at, i))
    }
}

/// Writes the entries that [`Vm::map_in`] asks for. Closures implement it.
pub(crate) trait Put<M: Machine> {
    fn put(&mut self, vm: &mut Vm<M>, slots: &Slots);
}

impl<M: Machine, F: FnMut(&mut Vm<M>, &Slots)> Put<M> for F {
    fn put(&mut self, vm: &mut Vm<M>, slots: &Slots) {
        self(vm, slots);
    }
}

/// Maps pages to the range's own physical addresses, with these permissions.
pub(crate) struct Neighbours(pub(crate) Perm);

impl<M: Machine> Put<M> for Neighbours {
    #[inline(always)] // so that at the last level the step is a constant; a closure cannot ask for it
    fn put(&mut self, vm: &mut Vm<M>, slots: &Slots) {
        let Slots { level, at, count, pa, is_new } = *slots;
        let (first, step) = (M::Format::leaf(level, pa, self.0), Vm::<M>::leaf_step(level));
        if is_new {
            vm.machine.fill_run(at, first, step, count);
        } else {
            vm.machine.store_run(at, first, step, count);
        }
    }
}

impl<M: Machine> Vm<M> {
    /// Whether `span` can begin with a page of `level`'s size.
    fn fits(&self, level: u32, span: &Span, sizes: PageSizes) -> bool {
        if level == 0 {
            return true;
        }
        let page_size = M::Format::page_size(level);
        sizes == PageSizes::Largest
            && self.machine.leaf_levels() & 1 << level != 0
            && span.size >= page_size
            && span.va.is_aligned(page_size)
            && span.pa.is_aligned(page_size)
    }

    /// How many pages of `level`'s size `span` begins with, up to the end of a table.
    pub(super) fn pages_here(level: u32, span: &Span) -> usize {
        let room = M::Format::ENTRIES - M::Format::index(level, span.va);
        (room as u64).min(span.size / M::Format::page_size(level)) as usize
    }

    /// How many entries of `level` map `span`, whole or in part; `usize::MAX` if they are more.
    fn entries_of(level: u32, span: &Span) -> usize {
        let number = |va: u64| va / M::Format::page_size(level);
        let (first, last) = (span.va.as_u64(), span.va.as_u64() + (span.size - 1));
        usize::try_from(number(last) - number(first) + 1).unwrap_or(usize::MAX)
    }

    /// Counts the tables that mapping `span` would add below the table of `level` at `table`.
    pub(crate) fn tables_to_map(
        &self,
        level: u32,
        table: PhysAddr,
        mut span: Span,
        sizes: PageSizes,
    ) -> Result<usize, MapError> {
        let page_size = M::Format::page_size(level);
        let mut tables = 0_usize;
        while span.size > 0 {
            let at = M::Format::entry(level, table, span.va);
            let absent = self.absent_entries(level, at, Self::entries_of(level, &span));
            let part = span.within(page_size, absent.max(1));
            if absent > 0 {
                tables = tables.saturating_add(self.tables_if_absent(level, part, sizes));
            } else {
                match M::Format::decode(level, self.machine.load(at)) {
                    Entry::Table { pa, .. } => {
                        let below = self.tables_to_map(level - 1, pa, part, sizes)?;
                        tables = tables.saturating_add(below);
                    }
                    _ if level == 0 => return Err(MapError::AlreadyMapped { va: span.va }),
                    _ => return Err(MapError::large_page(span.va, page_size)),
                }
            }
            span.advance(part.size);
        }
        Ok(tables)
    }

    /// Counts the tables that mapping `span` takes if all entries of `level` that map it are absent.
    fn tables_if_absent(&self, level: u32, span: Span, sizes: PageSizes) -> usize {
        if level == 0 || span.size == 0 {
            return 0;
        }
        let page_size = M::Format::page_size(level);
        // If a large page fits at the first boundary, one fits at all others.
        let mut behind = span;
        behind.advance(span.size.min(span.va.as_u64().wrapping_neg() & (page_size - 1)));
        if !self.fits(level, &behind, sizes) {
            let below = self.tables_if_absent(level - 1, span, sizes);
            return Self::entries_of(level, &span).saturating_add(below);
        }
        let before = Span { size: span.size - behind.size, ..span };
        behind.advance(behind.size / page_size * page_size);
        [before, behind]
            .into_iter()
            .filter(|end| end.size > 0)
            .fold(0, |tables, end| tables + 1 + self.tables_if_absent(level - 1, end, sizes))
    }

    /// Maps `span` in the directory whose root is at `root`, by entries that `put` writes.
    /// [`tables_to_map`](Self::tables_to_map) has found that this can be done.
    pub(crate) fn map_in(
        &mut self,
        root: PhysAddr,
        span: Span,
        put: &mut impl Put<M>,
        sizes: PageSizes,
    ) {
        self.map_in_table(M::Format::ROOT, root, span, put, sizes, false);
        self.machine.made_valid(None);
    }

    /// Maps `span` in the table of `level` at `table`, which maps all of its addresses. A table that `is_new`
    /// is not read.
    fn map_in_table(
        &mut self,
        level: u32,
        table: PhysAddr,
        mut span: Span,
        put: &mut impl Put<M>,
        sizes: PageSizes,
        is_new: bool,
    ) {
        let page_size = M::Format::page_size(level);
        while span.size > 0 {
            let at = M::Format::entry(level, table, span.va);
            let mut count = 0;
            if self.fits(level, &span, sizes) {
                count = Self::pages_here(level, &span);
                // At the last level all entries are absent. Above it a table may be in the way.
                if level > 0 && !is_new {
                    count = self.absent_entries(level, at, count);
                }
            }
            if count > 0 {
                put.put(self, &Slots { level, at, count, pa: span.pa, is_new });
                span.advance(count as u64 * page_size);
                continue;
            }
            let part = span.within(page_size, 1);
            if !is_new
                && let Entry::Table { pa, .. } = M::Format::decode(level, self.machine.load(at))
            {
                self.map_in_table(level - 1, pa, part, put, sizes, false);
            } else {
                self.map_in_new_table(level, at, part, put, sizes);
            }
            span.advance(part.size);
        }
    }

    /// Maps `span` in a new table of the level below `level`, and then links that at `at`.
    fn map_in_new_table(
        &mut self,
        level: u32,
        at: PhysAddr,
        span: Span,
        put: &mut impl Put<M>,
        sizes: PageSizes,
    ) {
        // All entries of a page table, and of a table that is filled whole, are written below.
        let is_filled = level == 1 || Self::entries_of(level - 1, &span) == M::Format::ENTRIES;
        let flags = if is_filled { AllocFlags::empty() } else { ALLOC_ZERO };
        let pa = self.alloc_expected(flags);
        match level {
            1 => self.fill_page_table(pa, &span, put),
            _ => self.map_in_table(level - 1, pa, span, put, sizes, true),
        }
        self.machine.store(at, M::Format::table(pa));
    }

    /// Writes all entries of a new page table: those of `span`, and zeros around them.
    #[inline]
    fn fill_page_table(&mut self, table: PhysAddr, span: &Span, put: &mut impl Put<M>) {
        let zero = WordOf::<M>::ZERO;
        let (start, count) = (M::Format::index(0, span.va), Self::pages_here(0, span));
        if count == M::Format::ENTRIES {
            // This is the code below with a count that the compiler knows.
            let (at, count) = (table, M::Format::ENTRIES);
            return put.put(self, &Slots { level: 0, at, count, pa: span.pa, is_new: true });
        }
        let end = start + count;
        self.machine.fill_run(table, zero, zero, start);
        let at = M::Format::slot(table, start);
        put.put(self, &Slots { level: 0, at, count, pa: span.pa, is_new: true });
        self.machine.fill_run(M::Format::slot(table, end), zero, zero, M::Format::ENTRIES - end);
    }

    /// How many of the `count` entries from `at` on are absent, up to the first that is not.
    fn absent_entries(&self, level: u32, at: PhysAddr, count: usize) -> usize {
        (0..count).take_while(|i| self.entry(level, at, *i) == Entry::Absent).count()
    }
}
