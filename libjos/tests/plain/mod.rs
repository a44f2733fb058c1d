//! The plain model that libjos is compared with: mappings in a map, tables in a set, counts in
//! another map, memory in a fourth. No entries, no walks, nothing shared with what it judges.
//!
//! Here are single pages, in [`ranges`] ranges of them, in [`uvm`] address spaces and their users'
//! memory, in [`copy`] what is copied to and from that, in [`memory`] what is in it. [`ops`] are
//! the operations, [`rig`] does each one to the model and to a simulated machine, and [`census`]
//! reads the machine's tables for the comparison.

pub(crate) mod census;
pub(crate) mod copy;
pub(crate) mod memory;
pub(crate) mod ops;
pub(crate) mod ranges;
pub(crate) mod rig;
pub(crate) mod uvm;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::ops::Range;

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageError;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Leaf, Perm};

use memory::Memory;

/// Bytes that an entry of `level` maps.
pub(crate) fn page_size<F: Format>(level: u32) -> u64 {
    PGSIZE << (level * F::INDEX_BITS)
}

/// An address space: each leaf by the address of its first byte, with its level; and each table, by the level
/// of the entry that links it and the number of that entry's block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Space {
    pub(crate) leaves: BTreeMap<u64, (u32, Leaf)>,
    pub(crate) tables: BTreeSet<(u32, u64)>,
}

/// The model.
#[derive(Clone, Debug)]
pub(crate) struct Plain<L, F> {
    /// Two address spaces below UENVS, and the kernel's half.
    pub(crate) spaces: [Space; 3],
    /// The contents of the frames in use, and of a device's memory.
    pub(crate) memory: Memory,
    /// The frames in use for data, by number, and how often each is used.
    pub(crate) in_use: BTreeMap<u64, u32>,
    /// The frames of tables and page directories; told by the machine, and used only to say what
    /// is free.
    pub(crate) table_frames: BTreeSet<u64>,
    /// Frames that come and go: in use, tables, or free.
    pub(crate) pool: Range<u64>,
    /// All frames that `pages` describes.
    pub(crate) ram: Range<u64>,
    pub(crate) nfree: usize,
    pub(crate) leaf_levels: u32,
    pub(crate) types: PhantomData<fn() -> (L, F)>,
}

/// Which of [`Plain::spaces`] is the kernel's half.
pub(crate) const KERNEL: usize = 2;

impl<L: MemLayout, F: Format> Plain<L, F> {
    /// The space that `va` is looked up in, in the address space `space`.
    pub(crate) fn half(space: usize, va: u64) -> usize {
        if va >= L::UENVS { KERNEL } else { space }
    }

    fn is_canonical(va: u64) -> bool {
        va <= L::VA_LAST && (va < L::LOWER_END || va >= L::UPPER_START)
    }

    /// Whether `va` lies where page tables are shown, which the model leaves out.
    pub(crate) fn is_uvpt(va: u64) -> bool {
        (L::UVPT..L::ULIM).contains(&va)
    }

    /// Below UENVS nothing can be global; above, all address spaces have the same.
    pub(crate) fn check_global(va: u64, perm: Perm) -> Result<(), MapError> {
        let refused = perm.contains(Perm::G)
            && Self::is_canonical(va)
            && !Self::is_uvpt(va)
            && Self::half(0, va) != KERNEL;
        if refused { Err(MapError::Global { va: VirtAddr::new(va) }) } else { Ok(()) }
    }

    fn is_free(&self, pfn: u64) -> bool {
        self.pool.contains(&pfn)
            && !self.in_use.contains_key(&pfn)
            && !self.table_frames.contains(&pfn)
    }

    /// The leaf that maps `va`: its first address, its level and itself.
    pub(crate) fn leaf(&self, space: usize, va: u64) -> Option<(u64, u32, Leaf)> {
        let leaves = &self.spaces[Self::half(space, va)].leaves;
        let (&start, &(level, leaf)) = leaves.range(..=va).next_back()?;
        (va - start < page_size::<F>(level)).then_some((start, level, leaf))
    }

    /// Where `va` leads, and with what permissions.
    pub(crate) fn translate(&self, space: usize, va: u64) -> Option<(PhysAddr, Perm)> {
        let (start, _, leaf) = self.leaf(space, va)?;
        Some((leaf.pa + (va - start), leaf.perm))
    }

    /// The processor has used the page at `va`, and written to it if it could.
    pub(crate) fn touch(&mut self, space: usize, va: u64, wrote: bool) {
        let Some((start, ..)) = self.leaf(space, va) else { return };
        let leaf = self.spaces[Self::half(space, va)].leaves.get_mut(&start);
        let (_, leaf) = leaf.expect("the leaf was just found");
        leaf.accessed = true;
        leaf.dirty |= wrote;
    }

    /// A page that nobody has used yet. RISC-V's are marked beforehand.
    fn fresh(pa: u64, perm: Perm) -> Leaf {
        let marked = F::NAME.starts_with("Sv");
        Leaf {
            pa: PhysAddr::new(pa),
            perm: perm | F::ALWAYS,
            accessed: marked,
            dirty: marked && perm.contains(Perm::W),
        }
    }

    /// The frames of the leaf that are counted.
    fn counted_frames(&self, va: u64, level: u32, leaf: &Leaf) -> Vec<u64> {
        let pages = 0..page_size::<F>(level) / PGSIZE;
        pages
            .filter(|i| va + i * PGSIZE < L::LOWER_END)
            .map(|i| leaf.pa.as_u64() / PGSIZE + i)
            .filter(|pfn| self.ram.contains(pfn))
            .collect()
    }

    fn put(&mut self, space: usize, va: u64, level: u32, leaf: Leaf) {
        for pfn in self.counted_frames(va, level, &leaf) {
            *self.in_use.entry(pfn).or_default() += 1;
        }
        self.spaces[Self::half(space, va)].leaves.insert(va, (level, leaf));
    }

    /// Takes the leaf at `va` away; returns how many frames are free by that.
    fn take(&mut self, space: usize, va: u64) -> usize {
        let leaves = &mut self.spaces[Self::half(space, va)].leaves;
        let Some((level, leaf)) = leaves.remove(&va) else { return 0 };
        let mut freed = 0;
        for pfn in self.counted_frames(va, level, &leaf) {
            let count = self.in_use.get_mut(&pfn).expect("a counted frame");
            *count -= 1;
            if *count == 0 {
                self.in_use.remove(&pfn);
                freed += 1;
            }
        }
        self.nfree += freed;
        freed
    }

    /// The tables that a leaf of `level` at `va` hangs from.
    fn tables_above(va: u64, level: u32) -> impl Iterator<Item = (u32, u64)> {
        (level + 1..F::LEVELS).map(move |level| (level, va / page_size::<F>(level)))
    }

    fn add_tables(&mut self, space: usize, tables: &BTreeSet<(u32, u64)>) {
        self.nfree -= tables.len();
        for &(level, number) in tables {
            let half = Self::half(space, number * page_size::<F>(level));
            self.spaces[half].tables.insert((level, number));
        }
    }

    fn missing_tables(&self, space: usize, va: u64, level: u32) -> BTreeSet<(u32, u64)> {
        let tables = &self.spaces[Self::half(space, va)].tables;
        Self::tables_above(va, level).filter(|table| !tables.contains(table)).collect()
    }

    /// The error that keeps a frame from being freed.
    fn refusal(&self, pfn: u64) -> Option<PageError> {
        let pa = PhysAddr::new(pfn * PGSIZE);
        match self.in_use.get(&pfn) {
            Some(0) => None,
            Some(&pp_ref) => Some(PageError::Referenced { pa, pp_ref }),
            None if self.is_free(pfn) => Some(PageError::Free { pa }),
            None if self.table_frames.contains(&pfn) => {
                Some(PageError::Referenced { pa, pp_ref: 1 })
            }
            None => Some(PageError::Reserved { pa }),
        }
    }

    /// Frees neighbours; one frame is a run of one.
    pub(crate) fn page_free_run(&mut self, run: Range<u64>) -> Result<(), PageError> {
        if let Some(error) = run.clone().find_map(|pfn| self.refusal(pfn)) {
            return Err(error);
        }
        for pfn in run {
            self.in_use.remove(&pfn);
            self.nfree += 1;
        }
        Ok(())
    }

    /// Whether a run of 2^`order` frames is free that begins at a multiple of its size.
    pub(crate) fn has_free_run(&self, order: u32) -> bool {
        let size = 1 << order;
        let is_run = |first: u64| (first..first + size).all(|pfn| self.is_free(pfn));
        self.pool.clone().filter(|pfn| pfn.is_multiple_of(size)).any(is_run)
    }

    /// Whether there is an entry for `va` afterwards.
    pub(crate) fn pgdir_walk(
        &mut self,
        space: usize,
        va: u64,
        create: bool,
    ) -> Result<bool, MapError> {
        let at = VirtAddr::new(va);
        if !Self::is_canonical(va) {
            return Err(MapError::NonCanonical { va: at });
        }
        if Self::is_uvpt(va) && create {
            return Err(MapError::Uvpt { va: at });
        }
        if let Some((_, level @ 1.., _)) = self.leaf(space, va) {
            return Err(MapError::large_page(at, page_size::<F>(level)));
        }
        let tables = self.missing_tables(space, va, 0);
        if !create {
            return Ok(tables.is_empty());
        }
        if tables.len() > self.nfree {
            return Err(MapError::NoMemory { va: at });
        }
        self.add_tables(space, &tables);
        Ok(true)
    }

    pub(crate) fn page_insert(
        &mut self,
        space: usize,
        pfn: u64,
        va: u64,
        perm: Perm,
    ) -> Result<(), MapError> {
        let at = va / PGSIZE * PGSIZE;
        let (half, va) = (Self::half(space, at), VirtAddr::new(at));
        let pa = pfn * PGSIZE;
        Self::check_global(at, perm)?;
        if self.is_free(pfn) {
            return Err(MapError::FreePage { pa: PhysAddr::new(pa) });
        }
        if !Self::is_canonical(at) {
            return Err(MapError::NonCanonical { va });
        }
        if Self::is_uvpt(at) {
            return Err(MapError::Uvpt { va });
        }
        if let Some((_, level @ 1.., _)) = self.leaf(space, at) {
            return Err(MapError::large_page(va, page_size::<F>(level)));
        }
        let tables = self.missing_tables(space, at, 0);
        if tables.len() > self.nfree {
            return Err(MapError::NoMemory { va });
        }
        self.add_tables(space, &tables);
        let old = self.spaces[half].leaves.remove(&at);
        let mut new = Self::fresh(pa, perm);
        if let Some((_, old)) = old
            && old.pa == new.pa
        {
            new.accessed |= old.accessed;
            new.dirty |= old.dirty;
        }
        self.put(space, at, 0, new);
        // The old page goes last: it may be the same frame.
        if let Some(old) = old {
            let new = self.spaces[half].leaves.insert(at, old);
            self.take(space, at);
            self.spaces[half].leaves.insert(at, new.expect("it was just put there"));
        }
        Ok(())
    }

    pub(crate) fn page_remove(&mut self, space: usize, va: u64) -> Result<(), MapError> {
        let at = va / PGSIZE * PGSIZE;
        let va = VirtAddr::new(at);
        if !Self::is_canonical(at) {
            return Err(MapError::NonCanonical { va });
        }
        if Self::is_uvpt(at) {
            return Err(MapError::Uvpt { va });
        }
        if let Some((_, level @ 1.., _)) = self.leaf(space, at) {
            return Err(MapError::large_page(va, page_size::<F>(level)));
        }
        self.take(space, at);
        Ok(())
    }
}
