//! Ranges of pages, in the model: mapped, unmapped, protected, split and merged.

use std::collections::BTreeSet;
use std::ops::Range;

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Leaf, Perm};

use super::{KERNEL, Plain, Space, page_size};

impl<L: MemLayout, F: Format> Plain<L, F> {
    /// The leaves that begin in the range: address and level.
    fn leaves_in(&self, space: usize, range: Range<u64>) -> impl Iterator<Item = (u64, u32)> {
        let own = self.spaces[space].leaves.range(range.clone());
        let all = own.chain(self.spaces[KERNEL].leaves.range(range));
        all.map(|(va, (level, _))| (*va, *level))
    }

    fn check_range(va: u64, size: u64) -> Result<(), MapError> {
        let (at, bad) = (va, VirtAddr::new(va));
        if !at.is_multiple_of(PGSIZE) || !size.is_multiple_of(PGSIZE) {
            return Err(MapError::Misaligned { va: bad });
        }
        if !Self::is_canonical(at) {
            return Err(MapError::NonCanonical { va: bad });
        }
        let parts = [(0, L::LOWER_END - 1), (L::UPPER_START, L::VA_LAST)];
        let whole = [(0, L::VA_LAST)];
        let parts = if L::HALVES { &parts[..] } else { &whole };
        let end = parts.iter().find(|(_, end)| at <= *end).expect("it is canonical").1;
        if size.max(1) - 1 > end - at {
            return Err(MapError::PastEnd { last: VirtAddr::new(end) });
        }
        let (first, last) = (at.max(L::UVPT), at + (size.max(1) - 1));
        if first <= last && first < L::ULIM {
            return Err(MapError::Uvpt { va: VirtAddr::new(first) });
        }
        Ok(())
    }

    /// The level of the page that a range begins with which has `left` bytes left, where no
    /// table is in the way.
    pub(super) fn level_for(
        &self,
        space: usize,
        va: u64,
        pa: u64,
        left: u64,
        largest: bool,
    ) -> u32 {
        let half = Self::half(space, va);
        let fits = |level: &u32| {
            let size = page_size::<F>(*level);
            self.leaf_levels & 1 << level != 0
                && va.is_multiple_of(size)
                && pa.is_multiple_of(size)
                && left >= size
                && !self.spaces[half].tables.contains(&(*level, va / size))
        };
        (1..F::LEVELS).rev().filter(|_| largest).find(fits).unwrap_or(0)
    }

    pub(crate) fn map_range(
        &mut self,
        space: usize,
        va: u64,
        size: u64,
        pa: u64,
        perm: Perm,
        largest: bool,
    ) -> Result<(), MapError> {
        Self::check_range(va, size)?;
        Self::check_global(va, perm)?;
        if !pa.is_multiple_of(PGSIZE) {
            return Err(MapError::MisalignedPa { pa: PhysAddr::new(pa) });
        }
        if pa + size > F::PA_END {
            return Err(MapError::BeyondPhysical { pa: PhysAddr::new(pa) });
        }
        self.check_nothing_mapped(space, va..va + size)?;
        // By leaves from the left. Absurdly many end as soon as the tables are too many.
        let (mut leaves, mut tables) = (vec![], BTreeSet::new());
        let mut done = 0;
        while done < size {
            let level = self.level_for(space, va + done, pa + done, size - done, largest);
            tables.extend(self.missing_tables(space, va + done, level));
            if tables.len() > self.nfree {
                return Err(MapError::NoMemory { va: VirtAddr::new(va) });
            }
            leaves.push((va + done, level, pa + done));
            done += page_size::<F>(level);
        }
        let free = (0..size / PGSIZE)
            .filter(|i| va + i * PGSIZE < L::LOWER_END)
            .find(|i| self.is_free(pa / PGSIZE + i));
        if let Some(i) = free {
            return Err(MapError::FreePage { pa: PhysAddr::new(pa + i * PGSIZE) });
        }
        self.add_tables(space, &tables);
        for (va, level, pa) in leaves {
            self.put(space, va, level, Self::fresh(pa, perm));
        }
        Ok(())
    }

    /// The first address of the range that is mapped, and the level of what maps it.
    fn first_mapped(&self, space: usize, range: Range<u64>) -> Option<(u64, u32)> {
        let here = self.leaf(space, range.start).filter(|_| !range.is_empty());
        let here = here.map(|(_, level, _)| (range.start, level));
        here.or_else(|| self.leaves_in(space, range).next())
    }

    /// The first page that is in the way of a range decides about the error: it is a large page, or
    /// one of the smallest size.
    pub(super) fn check_nothing_mapped(
        &self,
        space: usize,
        range: Range<u64>,
    ) -> Result<(), MapError> {
        let Some((at, level)) = self.first_mapped(space, range) else { return Ok(()) };
        let va = VirtAddr::new(at);
        Err(match level {
            0 => MapError::AlreadyMapped { va },
            _ => MapError::large_page(va, page_size::<F>(level)),
        })
    }

    /// The tables by which the large page around `at` is split, so that a page begins there.
    fn tables_to_split(&self, space: usize, at: u64) -> BTreeSet<(u32, u64)> {
        let level = self.leaf(space, at).map_or(0, |(_, level, _)| level);
        (1..=level)
            .map(|level| (level, page_size::<F>(level)))
            .filter(|(_, size)| !at.is_multiple_of(*size))
            .map(|(level, size)| (level, at / size))
            .collect()
    }

    fn split_at(&mut self, space: usize, at: u64) {
        while let Some((start, level @ 1.., whole)) = self.leaf(space, at)
            && start < at
        {
            let part = page_size::<F>(level - 1);
            let half = Self::half(space, start);
            self.add_tables(space, &[(level, start / page_size::<F>(level))].into());
            for i in 0..1 << F::INDEX_BITS {
                let leaf = Leaf { pa: whole.pa + i * part, ..whole };
                self.spaces[half].leaves.insert(start + i * part, (level - 1, leaf));
            }
        }
    }

    /// Splits what reaches over the ends of the range; the leaves in it are whole then.
    fn split_at_ends(&mut self, space: usize, va: u64, size: u64) -> Result<Vec<u64>, MapError> {
        if size == 0 {
            return Ok(vec![]);
        }
        let mut tables = self.tables_to_split(space, va);
        tables.extend(self.tables_to_split(space, va + size));
        if tables.len() > self.nfree {
            return Err(MapError::NoMemory { va: VirtAddr::new(va) });
        }
        self.split_at(space, va);
        self.split_at(space, va + size);
        Ok(self.leaves_in(space, va..va + size).map(|(at, _)| at).collect())
    }

    /// Returns how many frames are free by it.
    pub(crate) fn unmap_range(
        &mut self,
        space: usize,
        va: u64,
        size: u64,
    ) -> Result<usize, MapError> {
        Self::check_range(va, size)?;
        let leaves = self.split_at_ends(space, va, size)?;
        Ok(leaves.into_iter().map(|at| self.take(space, at)).sum())
    }

    pub(crate) fn protect_range(
        &mut self,
        space: usize,
        va: u64,
        size: u64,
        perm: Perm,
    ) -> Result<(), MapError> {
        Self::check_range(va, size)?;
        Self::check_global(va, perm)?;
        let mut at = va;
        while at < va + size {
            match self.leaf(space, at) {
                Some((start, level, _)) => at = start + page_size::<F>(level),
                None => return Err(MapError::NotMapped { va: VirtAddr::new(at) }),
            }
        }
        for at in self.split_at_ends(space, va, size)? {
            let leaves = &mut self.spaces[Self::half(space, at)].leaves;
            let (_, leaf) = leaves.get_mut(&at).expect("the leaf was just listed");
            let is_private = (leaf.perm | perm).intersects(Perm::COW | Perm::PRIVATE);
            let perm = if is_private { Self::private(perm) } else { perm };
            let fresh = Self::fresh(0, perm);
            leaf.perm = fresh.perm;
            leaf.accessed |= fresh.accessed;
            leaf.dirty |= fresh.dirty;
        }
        Ok(())
    }

    /// Merges to one page of `level`.
    pub(crate) fn merge(&mut self, space: usize, va: u64, level: u32) -> Result<(), MapError> {
        let bad = VirtAddr::new(va);
        if !Self::is_canonical(va) {
            return Err(MapError::NonCanonical { va: bad });
        }
        if Self::is_uvpt(va) {
            return Err(MapError::Uvpt { va: bad });
        }
        let failed = Err(MapError::NotUniform { va: bad });
        if level == 0 || self.leaf_levels & 1 << level == 0 {
            return failed;
        }
        let (size, part) = (page_size::<F>(level), page_size::<F>(level - 1));
        let (start, half) = (va / size * size, Self::half(space, va));
        let Space { leaves, tables } = &mut self.spaces[half];
        if !tables.contains(&(level, start / size)) {
            return failed;
        }
        let Some(&(_, mut whole)) = leaves.get(&start) else { return failed };
        if !whole.pa.is_aligned(size) {
            return failed;
        }
        for i in 0..1 << F::INDEX_BITS {
            match leaves.get(&(start + i * part)) {
                Some((of, leaf))
                    if *of == level - 1
                        && leaf.pa == whole.pa + i * part
                        && leaf.perm == whole.perm =>
                {
                    whole.accessed |= leaf.accessed;
                    whole.dirty |= leaf.dirty;
                }
                _ => return failed,
            }
        }
        leaves.retain(|at, _| at / size != start / size);
        leaves.insert(start, (level, whole));
        tables.remove(&(level, start / size));
        self.nfree += 1;
        Ok(())
    }

    pub(crate) fn prune(&mut self, space: usize, va: u64) {
        let Space { leaves, tables } = &mut self.spaces[Self::half(space, va)];
        for level in 1..F::LEVELS {
            let size = page_size::<F>(level);
            let start = va / size * size;
            let holds_leaf = leaves.range(start..=start + (size - 1)).next().is_some();
            let holds_table = tables.iter().any(|(below, number)| {
                *below < level && number * page_size::<F>(*below) / size == va / size
            });
            if !holds_leaf && !holds_table && tables.remove(&(level, va / size)) {
                self.nfree += 1;
            }
        }
    }
}
