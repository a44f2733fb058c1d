//! Address spaces and their users' memory, in the model.
//!
//! Which frame a page gets is libjos's to choose: operations that take pages return the addresses
//! that get one, and [`give_page`](Plain::give_page) is told the frames afterwards.

use std::collections::BTreeSet;
use std::ops::Range;

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Leaf, Perm};
use libjos::space::uvm::UvmError;

use super::{Plain, Space, page_size};

/// A page that an address space gets: its address, its permissions, and the frame that it is a
/// copy of, or else it is zeros.
pub(crate) type NewPage = (u64, Perm, Option<u64>);

/// The result of [`sbrk`](Plain::sbrk).
#[derive(Debug)]
pub(crate) struct Moved {
    /// Bytes of user memory.
    pub(crate) sz: u64,
    pub(crate) pages: Vec<NewPage>,
}

/// The tables and pages that an address space gets from another.
#[derive(Default)]
struct Duplicate {
    tables: BTreeSet<(u32, u64)>,
    /// Pages that are mapped as large ones were, by what fits: the address, the level and the leaf.
    large: Vec<(u64, u32, Leaf)>,
    /// All others: the address, the frame and the permissions.
    small: Vec<(u64, u64, Perm)>,
}

impl<L: MemLayout, F: Format> Plain<L, F> {
    pub(crate) fn uvmcreate(&mut self, space: usize) -> Result<(), MapError> {
        if self.nfree == 0 {
            return Err(MapError::NoMemory { va: VirtAddr::new(L::UENVS) });
        }
        self.nfree -= 1;
        self.spaces[space] = Space::default();
        Ok(())
    }

    /// Returns how many frames are free by it.
    pub(crate) fn uvmfree(&mut self, space: usize) -> usize {
        let leaves: Vec<u64> = self.spaces[space].leaves.keys().copied().collect();
        let frames: usize = leaves.into_iter().map(|va| self.take(space, va)).sum();
        // The page directory too.
        let tables = std::mem::take(&mut self.spaces[space]).tables.len() + 1;
        self.nfree += tables;
        frames + tables
    }

    /// Maps `va` to `pfn`, which was free.
    pub(crate) fn give_page(&mut self, space: usize, (va, perm, copy_of): NewPage, pfn: u64) {
        match copy_of {
            Some(from) => self.memory.copy_frame(from, pfn),
            None => self.memory.zero_frame(pfn),
        }
        assert_eq!(self.page_insert(space, pfn, va, perm), Ok(()));
    }

    /// Where user memory of `sz` bytes ends.
    fn user_end(sz: u64, limit: u64) -> Result<u64, UvmError> {
        let end = sz.div_ceil(PGSIZE).saturating_mul(PGSIZE);
        if end > limit {
            return Err(UvmError::Limit { va: VirtAddr::new(sz) });
        }
        Ok(end)
    }

    /// The tables that small pages in `ranges` take, if nothing is mapped there yet.
    fn tables_for_pages(
        &self,
        space: usize,
        ranges: &[Range<u64>],
    ) -> Result<BTreeSet<(u32, u64)>, MapError> {
        let mut tables = BTreeSet::new();
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            self.check_nothing_mapped(space, range.clone())?;
            for level in 1..F::LEVELS {
                let size = page_size::<F>(level);
                let blocks = range.start / size..=(range.end - 1) / size;
                tables.extend(blocks.map(|block| (level, block)));
            }
        }
        Ok(&tables - &self.spaces[space].tables)
    }

    /// Returns the size then, and the pages that are new.
    pub(crate) fn uvmalloc(
        &mut self,
        space: usize,
        oldsz: u64,
        newsz: u64,
        xperm: Perm,
    ) -> Result<(u64, Vec<NewPage>), UvmError> {
        if newsz < oldsz {
            return Ok((oldsz, vec![]));
        }
        let end = Self::user_end(newsz, L::USTACKTOP)?;
        let start = Self::user_end(oldsz, L::USTACKTOP)?;
        let range = start..end;
        Self::check_global(start, xperm)?;
        self.check_nothing_mapped(space, range.clone())?;
        // Absurdly many pages are too many without their tables.
        let short = Err(UvmError::NoMemory { va: VirtAddr::new(start) });
        let npages = ((end - start) / PGSIZE) as usize;
        if npages > self.nfree {
            return short;
        }
        let tables = self.tables_for_pages(space, std::slice::from_ref(&range))?;
        if tables.len() + npages > self.nfree {
            return short;
        }
        self.add_tables(space, &tables);
        let pages = range.step_by(PGSIZE as usize);
        Ok((newsz, pages.map(|va| (va, Perm::UR | xperm, None)).collect()))
    }

    /// Returns the size then, and how many frames are free by it.
    pub(crate) fn uvmdealloc(
        &mut self,
        space: usize,
        oldsz: u64,
        newsz: u64,
    ) -> Result<(u64, usize), UvmError> {
        if newsz >= oldsz {
            return Ok((oldsz, 0));
        }
        let end = Self::user_end(oldsz, L::UTOP)?;
        let start = Self::user_end(newsz, L::UTOP)?;
        Ok((newsz, self.unmap_range(space, start, end - start)?))
    }

    pub(crate) fn sbrk(&mut self, space: usize, sz: u64, n: i64) -> Result<Moved, UvmError> {
        let Some(newsz) = sz.checked_add_signed(n) else {
            return Err(UvmError::Limit { va: VirtAddr::new(sz) });
        };
        if n < 0 {
            let (sz, _) = self.uvmdealloc(space, sz, newsz)?;
            return Ok(Moved { sz, pages: vec![] });
        }
        let (sz, pages) = self.uvmalloc(space, sz, newsz, Perm::W)?;
        Ok(Moved { sz, pages })
    }

    /// The pages that are mapped below `end`: the addresses, the level and the leaf of each.
    fn leaves_below(&self, space: usize, end: u64) -> Vec<(Range<u64>, u32, Leaf)> {
        let leaves = self.spaces[space].leaves.range(..end);
        let range = |va: u64, level| va..end.min(va + page_size::<F>(level));
        leaves.map(|(&va, &(level, leaf))| (range(va, level), level, leaf)).collect()
    }

    /// Whether any page of a leaf is RAM that maps `range`.
    fn holds_ram(&self, range: &Range<u64>, leaf: &Leaf) -> bool {
        let pfn = leaf.pa.as_u64() / PGSIZE;
        pfn < self.ram.end && pfn + (range.end - range.start) / PGSIZE > self.ram.start
    }

    /// How `to` can have what `from` maps below `end`, and the tables that this takes. Large pages
    /// stay large where `large_as` says with what permissions, and neighbours of them that go on in memory are
    /// mapped together.
    fn duplicate(
        &self,
        from: usize,
        to: usize,
        end: u64,
        large_as: impl Fn(&Range<u64>, &Leaf) -> Option<Perm>,
    ) -> Result<Duplicate, UvmError> {
        let mut duplicate = Duplicate::default();
        let (mut small, mut large) = (vec![], Vec::<(Range<u64>, Leaf)>::new());
        let leaves = self.leaves_below(from, end);
        for (range, level, leaf) in &leaves {
            self.check_nothing_mapped(to, range.clone())?;
            let perm = large_as(range, leaf).filter(|_| *level > 0);
            let Some(perm) = perm else {
                small.push((range.clone(), leaf));
                continue;
            };
            let leaf = Leaf { perm, ..*leaf };
            match large.last_mut() {
                Some((before, of))
                    if before.end == range.start
                        && of.pa + (before.end - before.start) == leaf.pa
                        && of.perm == leaf.perm =>
                {
                    before.end = range.end;
                }
                _ => large.push((range.clone(), leaf)),
            }
        }
        let ranges: Vec<_> = small.iter().map(|(range, _)| range.clone()).collect();
        duplicate.tables = self.tables_for_pages(to, &ranges)?;
        for (range, Leaf { pa, perm, .. }) in large {
            let (pa, size, mut done) = (pa.as_u64(), range.end - range.start, 0);
            while done < size {
                let (va, pa) = (range.start + done, pa + done);
                let level = self.level_for(to, va, pa, size - done, true);
                duplicate.tables.extend(self.missing_tables(to, va, level));
                duplicate.large.push((va, level, Self::fresh(pa, perm)));
                done += page_size::<F>(level);
            }
        }
        // Pages without end end as soon as the tables are too many.
        match leaves.first() {
            Some((first, ..)) if duplicate.tables.len() > self.nfree => {
                return Err(UvmError::NoMemory { va: VirtAddr::new(first.start) });
            }
            _ => {}
        }
        for (range, leaf) in small {
            for (i, va) in range.step_by(PGSIZE as usize).enumerate() {
                let pfn = leaf.pa.as_u64() / PGSIZE + i as u64;
                duplicate.small.push((va, pfn, leaf.perm));
            }
        }
        Ok(duplicate)
    }

    /// Returns the pages of `to` that are copies.
    pub(crate) fn uvmcopy(
        &mut self,
        from: usize,
        to: usize,
        sz: u64,
    ) -> Result<Vec<NewPage>, UvmError> {
        let end = Self::user_end(sz, L::UTOP)?;
        let large_as =
            |range: &Range<u64>, leaf: &Leaf| (!self.holds_ram(range, leaf)).then_some(leaf.perm);
        let Duplicate { tables, large, small } = self.duplicate(from, to, end, large_as)?;
        let (copied, shared): (Vec<_>, Vec<_>) =
            small.into_iter().partition(|(_, pfn, _)| self.ram.contains(pfn));
        if tables.len() + copied.len() > self.nfree {
            let (&first, _) = self.spaces[from].leaves.first_key_value().expect("it was copied");
            return Err(UvmError::NoMemory { va: VirtAddr::new(first) });
        }
        self.add_tables(to, &tables);
        large.into_iter().for_each(|(va, level, leaf)| self.put(to, va, level, leaf));
        for (va, pfn, perm) in shared {
            self.put(to, va, 0, Self::fresh(pfn * PGSIZE, perm));
        }
        Ok(copied.into_iter().map(|(va, pfn, perm)| (va, perm, Some(pfn))).collect())
    }

    pub(crate) fn uvmcow(&mut self, from: usize, to: usize, sz: u64) -> Result<(), UvmError> {
        let end = Self::user_end(sz, L::UTOP)?;
        let becomes_cow = |range: &Range<u64>, leaf: &Leaf| {
            leaf.perm.contains(Perm::W) && self.holds_ram(range, leaf)
        };
        let shared = |range: &Range<u64>, leaf: &Leaf| match self.holds_ram(range, leaf) {
            true => Self::private(leaf.perm),
            false => leaf.perm,
        };
        let large_as = |range: &Range<u64>, leaf: &Leaf| {
            (!becomes_cow(range, leaf)).then(|| shared(range, leaf))
        };
        let Duplicate { tables, large, small } = self.duplicate(from, to, end, large_as)?;
        for (range, level, leaf) in self.leaves_below(from, end) {
            if level > 0 && becomes_cow(&range, &leaf) {
                let (va, size) = (VirtAddr::new(range.start), page_size::<F>(level));
                return Err(MapError::large_page(va, size).into());
            }
        }
        let leaves = self.leaves_below(from, end);
        let perms: Vec<_> =
            leaves.iter().map(|(range, _, leaf)| (range.clone(), shared(range, leaf))).collect();
        for (range, perm) in perms {
            let leaf = self.spaces[from].leaves.get_mut(&range.start);
            leaf.expect("the leaf was just listed").1.perm = perm;
        }
        self.add_tables(to, &tables);
        large.into_iter().for_each(|(va, level, leaf)| self.put(to, va, level, leaf));
        for (va, pfn, mut perm) in small {
            if self.ram.contains(&pfn) {
                perm = Self::private(perm);
            }
            self.put(to, va, 0, Self::fresh(pfn * PGSIZE, perm));
        }
        Ok(())
    }

    /// Takes the page at `va` from the user.
    pub(crate) fn clearpteu(&mut self, space: usize, va: u64) -> Result<(), UvmError> {
        match self.translate(space, va) {
            Some((_, perm)) if va < L::UTOP => {
                Ok(self.protect_range(space, va / PGSIZE * PGSIZE, PGSIZE, perm - Perm::U)?)
            }
            _ => Err(UvmError::NoAccess { va: VirtAddr::new(va) }),
        }
    }
}
