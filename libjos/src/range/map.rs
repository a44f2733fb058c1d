//! Mapping a range: first the count of tables that it takes, then the work, which cannot fail.

use layout::MemLayout;

use super::{PageSizes, Span};
use crate::addr::PhysAddr;
use crate::format::{Entry, Format, Geometry, Perm};
use crate::machine::Machine;
use crate::pages::{ALLOC_ZERO, AllocFlags, PageAllocator};
use crate::pgdir::{MapError, WordOf};
use crate::pmap::Pmap;
use crate::word::Word;

impl<M: Machine> Pmap<M> {
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

    /// How many pages of `level`'s size `span` begins with within one table.
    pub(super) fn pages_here(level: u32, span: &Span) -> usize {
        let room = M::Format::ENTRIES - M::Format::index(level, span.va);
        room.min((span.size / M::Format::page_size(level)) as usize)
    }

    /// Tables that mapping `span` takes, below the table of `level` at `table`; `None` is one
    /// that is still to be made.
    pub(super) fn tables_to_map(
        &self,
        level: u32,
        table: Option<PhysAddr>,
        mut span: Span,
        sizes: PageSizes,
    ) -> Result<usize, MapError> {
        let page_size = M::Format::page_size(level);
        let mut tables = 0;
        while span.size > 0 {
            let index = M::Format::index(level, span.va);
            let fits = self.fits(level, &span, sizes);
            let Some(table) = table else {
                if fits {
                    span.advance(Self::pages_here(level, &span) as u64 * page_size);
                } else {
                    let part = span.within(page_size);
                    tables += 1 + self.tables_to_map(level - 1, None, part, sizes)?;
                    span.advance(part.size);
                }
                continue;
            };
            let part = span.within(page_size);
            match self.entry(level, table, index) {
                Entry::Absent if fits => {}
                Entry::Absent => {
                    tables += 1 + self.tables_to_map(level - 1, None, part, sizes)?;
                }
                Entry::Table { pa, .. } => {
                    tables += self.tables_to_map(level - 1, Some(pa), part, sizes)?;
                }
                Entry::Leaf(_) if fits => return Err(MapError::AlreadyMapped { va: span.va }),
                Entry::Leaf(_) => {
                    return Err(MapError::LargePage { va: span.va, size: page_size });
                }
            }
            span.advance(part.size);
        }
        Ok(tables)
    }

    /// Counts a mapping of each page of `span` that counts.
    pub(super) fn count_range(&mut self, span: Span) -> Result<(), MapError> {
        let counted = M::Layout::LOWER_END.saturating_sub(span.va.as_u64()).min(span.size);
        Ok(self.pages.count_run(span.pa, counted)?)
    }

    /// Maps `span` in the table of `level` at `table`, which maps all of its addresses.
    /// [`tables_to_map`](Self::tables_to_map) has said that this can be done.
    pub(super) fn map_in(
        &mut self,
        level: u32,
        table: PhysAddr,
        mut span: Span,
        perm: Perm,
        sizes: PageSizes,
    ) {
        let page_size = M::Format::page_size(level);
        while span.size > 0 {
            let at = M::Format::entry(level, table, span.va);
            let mut count = 0;
            if self.fits(level, &span, sizes) {
                count = Self::pages_here(level, &span);
                // At the last level all entries are absent. Above it a table may be in the way.
                if level > 0 {
                    count = self.absent_entries(level, at, count);
                }
            }
            if count > 0 {
                let first = M::Format::leaf(level, span.pa, perm);
                self.machine.store_run(at, first, Self::leaf_step(level), count);
                span.advance(count as u64 * page_size);
                continue;
            }
            let part = span.within(page_size);
            match M::Format::decode(level, self.machine.load(at)) {
                Entry::Table { pa, .. } => self.map_in(level - 1, pa, part, perm, sizes),
                _ => self.map_in_new_table(level, at, part, perm, sizes),
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
        perm: Perm,
        sizes: PageSizes,
    ) {
        // The last level's entries are all written below: what is mapped, and zeros around it.
        let flags = if level == 1 { AllocFlags::empty() } else { ALLOC_ZERO };
        let Some(table) = self.alloc_table(flags) else {
            unreachable!("tables_to_map has counted the free pages")
        };
        let pa = self.pages.page2pa(table);
        if level == 1 {
            let start = M::Format::index(0, span.va);
            let end = start + Self::pages_here(0, &span);
            let zero = WordOf::<M>::ZERO;
            let after = pa + end as u64 * WordOf::<M>::BYTES;
            self.machine.store_run(pa, zero, zero, start);
            self.machine.store_run(after, zero, zero, M::Format::ENTRIES - end);
        }
        self.map_in(level - 1, pa, span, perm, sizes);
        self.machine.store(at, M::Format::table(pa));
    }

    /// How many of the `count` entries from `at` on are absent, up to the first that is not.
    fn absent_entries(&self, level: u32, at: PhysAddr, count: usize) -> usize {
        (0..count as u64)
            .take_while(|i| {
                let entry = self.machine.load(at + i * WordOf::<M>::BYTES);
                M::Format::decode(level, entry) == Entry::Absent
            })
            .count()
    }
}
