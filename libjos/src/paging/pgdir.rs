//! Page directories: `pgdir_walk`, and the tables that it makes.
//!
//! One walker serves every format. Two promises hold here and in [`range`](crate::paging::range): a
//! table is linked into its parent only when it is complete, so no processor ever walks a half-made
//! one; and an operation that fails leaves nothing behind.

use layout::{MemLayout, PGSIZE};

use crate::machine::{CpuSet, Machine};
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::memory_map::window;
use crate::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Leaf};
use crate::paging::vm::Vm;
use crate::paging::word::Word;

/// The place of a page's entry in a page table (JOS's `pte_t *`): always of level 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pte {
    /// The physical address of the entry.
    pub pa: PhysAddr,
}

/// The integer that one entry of this machine's page tables is.
pub(crate) type WordOf<M> = <<M as Machine>::Format as Format>::Word;

/// The entry that a walk ended at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub(crate) level: u32,
    /// The physical address of the entry.
    pub(crate) at: PhysAddr,
    /// A leaf, pending or absent: no table.
    pub(crate) entry: Entry,
}

impl<M: Machine> Vm<M> {
    /// Entry `index` of the table of `level` at `table`, decoded.
    ///
    /// # Panics
    ///
    /// If there is no memory at `table` that can be reached.
    #[inline]
    #[must_use]
    pub fn entry(&self, level: u32, table: PhysAddr, index: usize) -> Entry {
        let word = self.machine.load(M::Format::slot(table, index));
        // Most entries of most tables.
        if word == WordOf::<M>::ZERO { Entry::Absent } else { M::Format::decode(level, word) }
    }

    /// Changes the leaf of `level` at `at`, which says `word`, by `change`. It tries again whenever a
    /// processor sets A or D in between, so that neither is lost.
    #[inline]
    pub(crate) fn exchange_leaf(
        &self,
        level: u32,
        at: PhysAddr,
        mut word: WordOf<M>,
        change: impl Fn(Leaf) -> WordOf<M>,
    ) {
        while let Entry::Leaf(leaf) = M::Format::decode(level, word) {
            match self.machine.compare_exchange(at, word, change(leaf)) {
                Ok(()) => return,
                Err(found) => word = found,
            }
        }
    }

    /// Follows the tables from `root` to the entry that decides about `va`: a leaf, or a pending or absent
    /// entry, of any level.
    #[inline(always)]
    pub(crate) fn walk(&self, root: PhysAddr, va: VirtAddr) -> Stop {
        // lab 2: begin walk
        let mut table = root;
        for level in (1..M::Format::LEVELS).rev() {
            let at = M::Format::entry(level, table, va);
            match M::Format::decode(level, self.machine.load(at)) {
                Entry::Table { pa, .. } => table = pa,
                entry => return Stop { level, at, entry },
            }
        }
        let at = M::Format::entry(0, table, va);
        Stop { level: 0, at, entry: M::Format::decode(0, self.machine.load(at)) }
        // lab 2: end
    }

    // lab 2: begin omit
    /// The last level's table for `va`, by the fast path: if it and all tables above it exist and lie in
    /// the window at KERNBASE, as nearly always. Else `None`, and [`walk`](Self::walk) finds out which is
    /// missing.
    ///
    /// One bit test per entry answers three questions: is it present, is it a table, does the window
    /// show that table?
    #[inline(always)]
    pub(crate) fn fast_walk(&self, root: PhysAddr, va: VirtAddr) -> Option<PhysAddr> {
        let window = window::<M::Layout>();
        // Only these bits vary. The compiler knows all others of a table made of them, but not of `root`.
        let offset = root.as_u64() & (window.size() - PGSIZE);
        if root.as_u64() ^ offset != window.start.as_u64() {
            return None;
        }
        let mut table = PhysAddr::new(window.start.as_u64() | offset);
        for level in (1..M::Format::LEVELS).rev() {
            let entry = self.machine.load(M::Format::entry(level, table, va));
            table = M::Format::table_in(&window, entry)?;
        }
        Some(table)
    }

    // lab 2: end
    // lab 2: begin fast_leaf
    /// The page of the smallest size that `va` is mapped to, if the fast path finds one, as nearly always.
    #[inline(always)]
    pub(crate) fn fast_leaf(&self, root: PhysAddr, va: VirtAddr) -> Option<Leaf> {
        let table = self.fast_walk(root, va)?;
        match M::Format::decode(0, self.machine.load(M::Format::entry(0, table, va))) {
            Entry::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    // lab 2: end
    /// Finds the entry of the page at `va`, whether present or not. If the page table that would hold it
    /// is missing, this makes it and those above it if `create` is true, and otherwise returns `None`. New
    /// tables have `pp_ref` 1.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], and then no table was made; [`MapError::LargePage`];
    /// [`MapError::NonCanonical`]; [`MapError::Uvpt`] if `create` is true.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn pgdir_walk(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        create: bool,
    ) -> Result<Option<Pte>, MapError> {
        // lab 2: begin pgdir_walk
        let root = pgdir.address();
        if Self::is_user(va)
            && let Some(table) = self.fast_walk(root, va)
        {
            return Ok(Some(Pte { pa: M::Format::entry(0, table, va) }));
        }
        self.pgdir_walk_slow(root, va, create).map(|at| at.map(|pa| Pte { pa }))
        // lab 2: end
    }

    // lab 2: begin omit
    /// The rest of [`pgdir_walk`](Self::pgdir_walk): an address outside the user half, or no table found by
    /// [`fast_walk`](Self::fast_walk).
    #[inline(never)]
    fn pgdir_walk_slow(
        &mut self,
        root: PhysAddr,
        va: VirtAddr,
        create: bool,
    ) -> Result<Option<PhysAddr>, MapError> {
        let Stop { level, at, entry } = self.walk(root, va);
        if !M::Format::is_canonical(va) {
            Err(MapError::NonCanonical { va })
        } else if create && Self::is_uvpt(va) {
            Err(MapError::Uvpt { va })
        } else if level == 0 {
            Ok(Some(at))
        } else if entry.page().is_some() {
            Err(MapError::large_page(va, M::Format::page_size(level)))
        } else if create {
            let pte = self.make_tables(level, at, va)?;
            if level == M::Format::ROOT && !Self::is_user(va) {
                self.renew_loaded(root);
            }
            Ok(Some(pte))
        } else {
            Ok(None)
        }
    }

    /// Makes the tables of all levels below `level` that lead to `va`, and links them at `at`.
    /// Returns the address of the entry of `va`.
    fn make_tables(
        &mut self,
        level: u32,
        at: PhysAddr,
        va: VirtAddr,
    ) -> Result<PhysAddr, MapError> {
        let table = self.alloc_used(ALLOC_ZERO).ok_or(MapError::NoMemory { va })?;
        let pa = self.pages.page2pa(table);
        let entry = M::Format::entry(level - 1, pa, va);
        let pte = match level {
            1 => entry,
            _ => self.make_tables(level - 1, entry, va).inspect_err(|_| {
                self.pages.page_decref(table);
            })?,
        };
        self.machine.store(at, M::Format::table(pa));
        self.machine.made_valid(None);
        Ok(pte)
    }

    // lab 2: end
    /// Allocates a frame with one use, as a table for instance: its `pp_ref` is 1.
    pub(crate) fn alloc_used(&mut self, flags: AllocFlags) -> Option<Frame> {
        let frame = self.page_alloc(flags)?;
        match self.pages.page_incref(frame) {
            Ok(()) => Some(frame),
            Err(error) => panic!("page_alloc gave a page that cannot be used: {error}"),
        }
    }

    /// Does [`alloc_used`](Self::alloc_used) for a caller that has counted the free frames.
    pub(crate) fn alloc_expected(&mut self, flags: AllocFlags) -> PhysAddr {
        let frame = self.alloc_used(flags).expect("the free frames were counted");
        self.pages.page2pa(frame)
    }

    /// The frame of the table at `pa`.
    pub(super) fn table_frame(&self, pa: PhysAddr) -> Frame {
        match self.pages.pa2page(pa) {
            Some(frame) => frame,
            None => panic!("page table at {pa} lies outside RAM"),
        }
    }

    /// Frees the page tables on the way to `va` that map nothing any more, from the last level
    /// up. The page directory itself stays, and so do the tables that map UVPT.
    ///
    /// # Panics
    ///
    /// If a table is no page of RAM: a bug.
    pub fn prune(&mut self, pgdir: &mut Pgdir, va: VirtAddr) {
        self.prune_range(pgdir, va, va);
    }

    /// Prunes all addresses of `[first, last]`. It looks once at each table that there is, however many
    /// addresses there are.
    ///
    /// # Panics
    ///
    /// As [`prune`](Self::prune).
    pub fn prune_range(&mut self, pgdir: &mut Pgdir, first: VirtAddr, last: VirtAddr) {
        self.prune_below(M::Format::ROOT, pgdir.address(), first, last);
    }

    /// Whether the root entry that maps `va` is UVPT's, by which a directory enters itself.
    pub(crate) fn is_uvpt(va: VirtAddr) -> bool {
        let root_index = |va| M::Format::index(M::Format::ROOT, va);
        root_index(va) == root_index(VirtAddr::new(M::Layout::UVPT))
    }

    /// Checks that the range has whole pages and addresses that the format has, lies in one half, and leaves
    /// UVPT alone.
    pub(super) fn check_range(va: VirtAddr, size: u64) -> Result<(), MapError> {
        if !va.is_aligned(PGSIZE) || !size.is_multiple_of(PGSIZE) {
            return Err(MapError::Misaligned { va });
        }
        if !M::Format::is_canonical(va) {
            return Err(MapError::NonCanonical { va });
        }
        let in_lower_half = M::Layout::HALVES && va.as_u64() < M::Layout::LOWER_END;
        let end = if in_lower_half { M::Layout::LOWER_END - 1 } else { M::Layout::VA_LAST };
        let last = va.as_u64().checked_add(size.saturating_sub(1)).filter(|last| *last <= end);
        let last = last.ok_or(MapError::PastEnd { last: VirtAddr::new(end) })?;
        let uvpt = M::Layout::UVPT;
        if last >= uvpt && va.as_u64() < uvpt + M::Layout::PTSIZE {
            return Err(MapError::Uvpt { va: va.max(VirtAddr::new(uvpt)) });
        }
        Ok(())
    }

    /// Prunes `[first, last]`, all of it mapped by the table of `level` at `table`. Returns whether that
    /// table is empty then.
    fn prune_below(
        &mut self,
        level: u32,
        table: PhysAddr,
        first: VirtAddr,
        last: VirtAddr,
    ) -> bool {
        let index = |va| M::Format::index(level, va);
        let uvpt = index(VirtAddr::new(M::Layout::UVPT));
        for i in index(first)..=index(last) {
            let Entry::Table { pa, .. } = self.entry(level, table, i) else { continue };
            if level == M::Format::ROOT && i == uvpt {
                continue;
            }
            // A table between the first and the last is pruned whole. Each level reads only its own bits
            // of an address, so these two addresses give its first and last entry.
            let first = if i == index(first) { first } else { VirtAddr::new(0) };
            let last = if i == index(last) { last } else { VirtAddr::new(u64::MAX) };
            if self.prune_below(level - 1, pa, first, last) {
                self.machine.store(M::Format::slot(table, i), WordOf::<M>::ZERO);
                // lab 2: begin omit
                if level == M::Format::ROOT {
                    self.renew_loaded(table);
                }
                // lab 2: end
                // The processor may keep upper-level entries that led to the table (Intel SDM
                // vol. 3A, 4.10.3). On RISC-V no flush of an address drops them (privileged spec.,
                // 12.2.1), and on x86 the table had an address of its own too, in UVPT.
                self.machine.flush_tlb(CpuSet::ALL);
                self.pages.page_decref(self.table_frame(pa));
            }
        }
        (0..M::Format::ENTRIES).all(|index| self.entry(level, table, index) == Entry::Absent)
    }
}
