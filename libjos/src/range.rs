//! Ranges: `boot_map_region`, and mapping, unmapping and protecting any range of pages.
//!
//! Each operation visits a table once, and works on runs of its entries. It first finds out
//! whether it can succeed, and how many tables it takes; then it does its work, which cannot
//! fail. So an error always leaves everything as it was. Large pages are used where they fit, and
//! split where a part of one is to change.

use layout::{MemLayout, PGSIZE};

use crate::addr::{PhysAddr, VirtAddr};
use crate::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::machine::Machine;
use crate::mappings::leaves;
use crate::pages::{ALLOC_ZERO, AllocFlags, PageAllocator, Pages};
use crate::pgdir::{MapError, WordOf};
use crate::pmap::Pmap;
use crate::removal::{Flush, Removal};
use crate::word::Word;

/// By what pages a range is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageSizes {
    /// By the largest that alignment, length and the processor allow.
    Largest,
    /// By the smallest alone.
    Smallest,
}

/// `size` bytes at `va`, and where in physical memory they lead; whole pages.
#[derive(Clone, Copy, Debug)]
struct Span {
    va: VirtAddr,
    pa: PhysAddr,
    size: u64,
}

impl Span {
    /// Cuts off the first `bytes`, which are done. The end may be 2^64, after which nothing is
    /// left to do, so the addresses may wrap.
    fn advance(&mut self, bytes: u64) {
        self.va = VirtAddr::new(self.va.as_u64().wrapping_add(bytes));
        self.pa = PhysAddr::new(self.pa.as_u64().wrapping_add(bytes));
        self.size -= bytes;
    }

    /// The first part of it, up to where pages of `page_size` have a boundary.
    fn within(&self, page_size: u64) -> Self {
        let offset = self.va.as_u64() & (page_size - 1);
        Self { size: self.size.min(page_size - offset), ..*self }
    }
}

/// Neighbouring entries of one table: leaves of `level`, or absent.
#[derive(Clone, Copy)]
struct Entries {
    level: u32,
    /// Where the first one is.
    at: PhysAddr,
    /// What the first one maps.
    va: VirtAddr,
    count: usize,
}

impl Entries {
    /// The leaves among them: where the entry is, the address that it maps, what it says.
    #[inline]
    fn leaves<M: Machine>(&self, machine: &M) -> impl Iterator<Item = (PhysAddr, VirtAddr, Leaf)> {
        let page_size = M::Format::page_size(self.level);
        (0..self.count as u64).filter_map(move |i| {
            // Within one table and what it maps, so no sum overflows.
            let at = PhysAddr::new(self.at.as_u64() + i * WordOf::<M>::BYTES);
            let va = VirtAddr::new(self.va.as_u64() + i * page_size);
            match M::Format::decode(self.level, machine.load(at)) {
                Entry::Leaf(leaf) => Some((at, va, leaf)),
                _ => None,
            }
        })
    }
}

impl Entries {
    /// Those from number `i` on.
    #[inline]
    fn skip<M: Machine>(&self, i: usize) -> Self {
        let at = PhysAddr::new(self.at.as_u64() + i as u64 * WordOf::<M>::BYTES);
        let va = VirtAddr::new(self.va.as_u64() + i as u64 * M::Format::page_size(self.level));
        Self { at, va, count: self.count - i, ..*self }
    }

    /// How many of these, the first of which is `leaf`, lead to one page after the other and say
    /// the same else.
    #[inline]
    fn alike<M: Machine>(&self, machine: &M, leaf: &Leaf) -> usize {
        /// Entries compared without a branch.
        const CHUNK: usize = 8;
        let step = Pmap::<M>::leaf_step(self.level);
        let load = |i: usize| -> WordOf<M> {
            machine.load(PhysAddr::new(self.at.as_u64() + i as u64 * WordOf::<M>::BYTES))
        };
        // No address after the last one looks like its neighbour.
        let to_last = (M::Format::PA_END - leaf.pa.as_u64()) / M::Format::page_size(self.level);
        let count = self.count.min(to_last as usize).max(1);
        let (mut alike, mut expected) = (1, load(0).wrapping_add(step));
        // The first neighbour tells mostly whether there will be others.
        while alike + CHUNK <= count && load(alike) == expected {
            let (mut differs, mut next) = (0, expected);
            let mut at = PhysAddr::new(self.at.as_u64() + alike as u64 * WordOf::<M>::BYTES);
            for _ in 0..CHUNK {
                let word: WordOf<M> = machine.load(at);
                differs |= word.to_u64() ^ next.to_u64();
                next = next.wrapping_add(step);
                at = PhysAddr::new(at.as_u64() + WordOf::<M>::BYTES);
            }
            if differs != 0 {
                break;
            }
            (alike, expected) = (alike + CHUNK, next);
        }
        while alike < count && load(alike) == expected {
            (alike, expected) = (alike + 1, expected.wrapping_add(step));
        }
        alike
    }
}

/// What is to be done to a range of mappings.
trait Change<M: Machine> {
    /// Does it to `entries`.
    fn make(&mut self, pmap: &mut Pmap<M>, entries: &Entries);
}

/// Takes them away.
struct Unmap<'a> {
    removal: &'a mut Removal,
    /// Whether the tables stay, and so the entries must go.
    tables_stay: bool,
}

impl<M: Machine> Change<M> for Unmap<'_> {
    fn make(&mut self, pmap: &mut Pmap<M>, entries: &Entries) {
        let Pmap { machine, pages, .. } = pmap;
        let counted = Pmap::<M>::is_counted(entries.va);
        if entries.level == 0 && counted {
            // With the level known, this is one small loop.
            let entries = Entries { level: 0, ..*entries };
            return take_pages_away(machine, pages, &entries, self.removal, self.tables_stay);
        }
        let size = M::Format::page_size(entries.level);
        for (at, va, leaf) in entries.leaves(machine) {
            if self.tables_stay {
                machine.store(at, WordOf::<M>::ZERO);
            }
            self.removal.flush.add(va);
            if counted {
                pages.release_into(&mut self.removal.frames, |releases| {
                    releases.release(leaf.pa, (size / PGSIZE) as usize);
                });
            }
        }
    }
}

/// Takes entries of the last level away, and each page's use. Of all that is unmapped nearly
/// everything goes through here, and nearly all of that in runs: neighbours that map neighbours in
/// the same way. So these are found by comparing, and decoded once.
#[inline(always)]
fn take_pages_away<M: Machine>(
    machine: &mut M,
    pages: &mut Pages,
    entries: &Entries,
    removal: &mut Removal,
    tables_stay: bool,
) {
    let Removal { flush, frames } = removal;
    pages.release_into(frames, |releases| {
        let mut i = 0;
        while i < entries.count {
            let rest = entries.skip::<M>(i);
            let Entry::Leaf(leaf) = M::Format::decode(0, machine.load(rest.at)) else {
                i += 1;
                continue;
            };
            let run = rest.alike(machine, &leaf);
            if tables_stay {
                for k in 0..run as u64 {
                    machine.store(rest.at + k * WordOf::<M>::BYTES, WordOf::<M>::ZERO);
                }
            }
            flush.add_pages(rest.va, run);
            releases.release(leaf.pa, run);
            i += run;
        }
    });
}

/// Gives them other permissions.
struct Protect<'a> {
    perm: Perm,
    flush: &'a mut Flush,
}

impl<M: Machine> Change<M> for Protect<'_> {
    fn make(&mut self, pmap: &mut Pmap<M>, entries: &Entries) {
        for (at, va, leaf) in entries.leaves(&pmap.machine) {
            let entry = M::Format::encode(entries.level, &Leaf { perm: self.perm, ..leaf });
            pmap.machine.store(at, entry);
            self.flush.add(va);
        }
    }
}

impl<M: Machine> Pmap<M> {
    /// Maps `[va, va + size)` to `[pa, pa + size)` with `perm` in the kernel's part of `pgdir`,
    /// by the largest pages that alignment and the processor allow. No `pp_ref` of what is mapped
    /// changes. For setting up what stays mapped for ever.
    ///
    /// # Panics
    ///
    /// Where [`map_range`](Self::map_range) fails: a bug, or a machine that cannot be used.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn boot_map_region(
        &mut self,
        pgdir: PhysAddr,
        va: VirtAddr,
        size: u64,
        pa: PhysAddr,
        perm: Perm,
    ) {
        if let Err(error) = self.map_range(pgdir, va, size, pa, perm, PageSizes::Largest) {
            panic!("boot_map_region: {size:#x} bytes at {va} to {pa}: {error}");
        }
    }

    /// Maps `[va, va + size)` to `[pa, pa + size)` with `perm`. Below UTOP each page that `pages`
    /// describes is counted in its `pp_ref`, in a large page too.
    ///
    /// # Errors
    ///
    /// [`MapError::Misaligned`], [`MapError::NonCanonical`], [`MapError::AlreadyMapped`],
    /// [`MapError::LargePage`], [`MapError::NoMemory`], and [`MapError::Page`] where a page is
    /// free or its `pp_ref` would overflow. Nothing has changed then.
    pub fn map_range(
        &mut self,
        pgdir: PhysAddr,
        va: VirtAddr,
        size: u64,
        pa: PhysAddr,
        perm: Perm,
        sizes: PageSizes,
    ) -> Result<(), MapError> {
        Self::check_range(va, size)?;
        let in_format = pa.as_u64().checked_add(size).is_some_and(|end| end <= M::Format::PA_END);
        if !pa.is_aligned(PGSIZE) || !in_format {
            return Err(MapError::Misaligned { va });
        }
        let span = Span { va, pa, size };
        if self.tables_to_map(M::Format::ROOT, Some(pgdir), span, sizes)? > self.pages.nfree() {
            return Err(MapError::NoMemory { va });
        }
        self.count_range(span)?;
        self.map_in(M::Format::ROOT, pgdir, span, perm, sizes);
        Ok(())
    }

    /// Unmaps all that is mapped in `[va, va + size)`, splitting large pages at its ends. Page
    /// tables stay. What comes back must be flushed, and then freed.
    ///
    /// # Errors
    ///
    /// [`MapError::Misaligned`], [`MapError::NonCanonical`], and [`MapError::NoMemory`] for the
    /// split of a large page. Nothing has changed then.
    pub fn unmap_range(
        &mut self,
        pgdir: PhysAddr,
        va: VirtAddr,
        size: u64,
    ) -> Result<Removal, MapError> {
        Self::check_range(va, size)?;
        self.split_at_ends(pgdir, va, size)?;
        let mut removal = Removal::new(self.is_visible(pgdir, va));
        let span = Span { va, pa: PhysAddr::new(0), size };
        let mut unmap = Unmap { removal: &mut removal, tables_stay: true };
        self.visit(M::Format::ROOT, pgdir, span, &mut unmap);
        Ok(removal)
    }

    /// Gives up all that is mapped in the lower half of `pgdir`, which is not in use, and whose
    /// tables the caller gives up next: entries stay as they are. What comes back must be
    /// flushed, and then freed.
    pub(crate) fn abandon_lower_half(&mut self, pgdir: PhysAddr) -> Removal {
        // To the end of the half, where no large page reaches across.
        let (start, size) = (VirtAddr::new(0), M::Layout::LOWER_END);
        let mut removal = Removal::new(self.is_visible(pgdir, start));
        let span = Span { va: start, pa: PhysAddr::new(0), size };
        let mut unmap = Unmap { removal: &mut removal, tables_stay: false };
        self.visit(M::Format::ROOT, pgdir, span, &mut unmap);
        removal
    }

    /// Gives all pages of `[va, va + size)` the permissions `perm`, splitting large pages at its
    /// ends. Accessed and dirty bits stay. What comes back must be flushed.
    ///
    /// # Errors
    ///
    /// [`MapError::Misaligned`], [`MapError::NonCanonical`], [`MapError::NotMapped`] where there
    /// is a hole in the range, and [`MapError::NoMemory`] for the split of a large page. Nothing
    /// has changed then.
    pub fn protect_range(
        &mut self,
        pgdir: PhysAddr,
        va: VirtAddr,
        size: u64,
        perm: Perm,
    ) -> Result<Flush, MapError> {
        Self::check_range(va, size)?;
        self.check_mapped(pgdir, va, size)?;
        self.split_at_ends(pgdir, va, size)?;
        let mut flush = Flush::new(self.is_visible(pgdir, va));
        let span = Span { va, pa: PhysAddr::new(0), size };
        self.visit(M::Format::ROOT, pgdir, span, &mut Protect { perm, flush: &mut flush });
        Ok(flush)
    }

    /// Makes the pages around `va` one page of `level`'s size again, where they are that in
    /// pieces: all mapped, to neighbours in physical memory, with the same permissions. It is
    /// accessed or dirty if any of them was. What comes back holds the table.
    ///
    /// # Errors
    ///
    /// [`MapError::NonCanonical`], and [`MapError::NotUniform`] where the pages do not make one,
    /// or the processor has none of that size. Nothing has changed then.
    pub fn merge(
        &mut self,
        pgdir: PhysAddr,
        va: VirtAddr,
        level: u32,
    ) -> Result<Removal, MapError> {
        if !M::Format::is_canonical(va) {
            return Err(MapError::NonCanonical { va });
        }
        let failed = MapError::NotUniform { va };
        let size = M::Format::page_size(level);
        let start = VirtAddr::new(layout::round_down(va.as_u64(), size));
        let mut steps = crate::mappings::steps::<M::Format, M>(&self.machine, pgdir, va);
        let step = steps.find(|step| step.level == level).ok_or(failed)?;
        let Entry::Table { pa: table, .. } = step.entry else { return Err(failed) };
        let Entry::Leaf(mut whole) = self.entry(level - 1, table, 0) else { return Err(failed) };
        if self.machine.leaf_levels() & 1 << level == 0 || !whole.pa.is_aligned(size) {
            return Err(failed);
        }
        let part = M::Format::page_size(level - 1);
        for index in 0..M::Format::ENTRIES {
            let expected = whole.pa + index as u64 * part;
            match self.entry(level - 1, table, index) {
                Entry::Leaf(leaf) if leaf.pa == expected && leaf.perm == whole.perm => {
                    whole.accessed |= leaf.accessed;
                    whole.dirty |= leaf.dirty;
                }
                _ => return Err(failed),
            }
        }
        self.machine.store(step.at, M::Format::encode(level, &whole));
        let mut removal = Removal::new(self.is_visible(pgdir, va));
        for index in 0..M::Format::ENTRIES as u64 {
            removal.flush.add(start + index * part);
        }
        self.pages.release_into(&mut removal.frames, |releases| releases.release(table, 1));
        Ok(removal)
    }

    /// Whole pages, all of them addresses that the format has, in one half.
    fn check_range(va: VirtAddr, size: u64) -> Result<(), MapError> {
        if !va.is_aligned(PGSIZE) || !size.is_multiple_of(PGSIZE) {
            return Err(MapError::Misaligned { va });
        }
        let Some(last) = va.as_u64().checked_add(size.saturating_sub(1)) else {
            return Err(MapError::NonCanonical { va });
        };
        let lower = |va: u64| va < M::Layout::LOWER_END;
        let one_half = lower(va.as_u64()) == lower(last);
        let canonical = M::Format::is_canonical(va) && M::Format::is_canonical(VirtAddr::new(last));
        // Without halves the boundary is an address like any other.
        if canonical && (one_half || M::Layout::LOWER_END == M::Layout::UPPER_START) {
            Ok(())
        } else {
            Err(MapError::NonCanonical { va })
        }
    }

    /// There is no hole in the range.
    fn check_mapped(&self, pgdir: PhysAddr, va: VirtAddr, size: u64) -> Result<(), MapError> {
        let mut mapped = 0; // bytes from `va` on
        while mapped < size {
            let va = va + mapped;
            let leaf = leaves::<M::Format, M>(&self.machine, pgdir, va, va).next();
            let leaf = leaf.ok_or(MapError::NotMapped { va })?;
            mapped += leaf.size - (va - leaf.va);
        }
        Ok(())
    }

    /// Whether a processor may be using what `pgdir` maps at `va`.
    fn is_visible(&self, pgdir: PhysAddr, va: VirtAddr) -> bool {
        Some(pgdir) == self.loaded || !Self::is_counted(va)
    }

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
    fn pages_here(level: u32, span: &Span) -> usize {
        let room = M::Format::ENTRIES - M::Format::index(level, span.va);
        room.min((span.size / M::Format::page_size(level)) as usize)
    }

    /// Tables that mapping `span` takes, below the table of `level` at `table`; `None` is one
    /// that is still to be made.
    fn tables_to_map(
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
    fn count_range(&mut self, span: Span) -> Result<(), MapError> {
        let counted = M::Layout::LOWER_END.saturating_sub(span.va.as_u64()).min(span.size);
        Ok(self.pages.count_run(span.pa, counted)?)
    }

    /// Maps `span` in the table of `level` at `table`, which maps all of its addresses.
    /// [`tables_to_map`](Self::tables_to_map) has said that this can be done.
    fn map_in(
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

    /// What the entries of neighbouring pages of `level` differ by.
    fn leaf_step(level: u32) -> WordOf<M> {
        let entry = |pa| M::Format::leaf(level, PhysAddr::new(pa), Perm::R).to_u64();
        Word::from_u64(entry(M::Format::page_size(level)) - entry(0))
    }

    /// Makes `change` to all entries of `span` that may be leaves. Every leaf there lies in the span
    /// whole.
    fn visit(&mut self, level: u32, table: PhysAddr, mut span: Span, change: &mut impl Change<M>) {
        if level == 0 {
            let at = M::Format::entry(0, table, span.va);
            let count = Self::pages_here(0, &span);
            return change.make(self, &Entries { level: 0, at, va: span.va, count });
        }
        let page_size = M::Format::page_size(level);
        while span.size > 0 {
            let part = span.within(page_size);
            let at = M::Format::entry(level, table, span.va);
            match M::Format::decode(level, self.machine.load(at)) {
                Entry::Absent => {}
                Entry::Table { pa, .. } => self.visit(level - 1, pa, part, change),
                Entry::Leaf(_) => change.make(self, &Entries { level, at, va: span.va, count: 1 }),
            }
            span.advance(part.size);
        }
    }

    /// Splits the large pages that reach over an end of `[va, va + size)`, so that none does.
    fn split_at_ends(&mut self, pgdir: PhysAddr, va: VirtAddr, size: u64) -> Result<(), MapError> {
        if size == 0 {
            return Ok(());
        }
        let end = VirtAddr::new(va.as_u64().wrapping_add(size));
        let needs_split = |level, of: VirtAddr, found: u32| {
            level <= found && !of.is_aligned(M::Format::page_size(level))
        };
        let (first_leaf, end_leaf) = (self.leaf_level(pgdir, va), self.leaf_level(pgdir, end));
        let mut tables = 0;
        for level in 1..M::Format::LEVELS {
            let first = needs_split(level, va, first_leaf);
            let last = needs_split(level, end, end_leaf);
            let block = |va: VirtAddr| va.as_u64() / M::Format::page_size(level);
            let same = first && last && block(va) == block(end);
            tables += usize::from(first) + usize::from(last) - usize::from(same);
        }
        if tables > self.pages.nfree() {
            return Err(MapError::NoMemory { va });
        }
        self.split_at(pgdir, va);
        self.split_at(pgdir, end);
        Ok(())
    }

    /// The level of the leaf that maps `va`; 0 where there is none.
    fn leaf_level(&self, pgdir: PhysAddr, va: VirtAddr) -> u32 {
        let step = self.walk(pgdir, va);
        if matches!(step.entry, Entry::Leaf(_)) { step.level } else { 0 }
    }

    /// Splits the large page that `va` lies in the middle of until none is left. All parts lead
    /// where the whole did, with the same permissions and marks.
    fn split_at(&mut self, pgdir: PhysAddr, va: VirtAddr) {
        loop {
            let step = self.walk(pgdir, va);
            let Entry::Leaf(whole) = step.entry else { return };
            if step.level == 0 || va.is_aligned(M::Format::page_size(step.level)) {
                return;
            }
            let Some(table) = self.alloc_table(AllocFlags::empty()) else {
                unreachable!("split_at_ends has counted the free pages")
            };
            let table = self.pages.page2pa(table);
            let level = step.level - 1;
            let first = M::Format::encode(level, &whole);
            self.machine.store_run(table, first, Self::leaf_step(level), M::Format::ENTRIES);
            self.machine.store(step.at, M::Format::table(table));
            // The processor may hold both sizes until it forgets the larger one (Intel SDM
            // vol. 3A, 4.10.2.3).
            self.tlb_invalidate(pgdir, va);
        }
    }
}
