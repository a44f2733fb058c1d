//! Page directories: `pgdir_walk`, `boot_map_region`, and the recursion that maps ranges.
//!
//! One walker serves every format. Two promises hold throughout: a table is linked into its
//! parent only when it is complete, so no processor ever walks a half-made one; and an operation
//! that runs out of memory gives back the tables that it had just made.

use core::fmt;

use layout::PGSIZE;

use crate::addr::{PhysAddr, VirtAddr};
use crate::format::{Entry, Format, Geometry, Perm};
use crate::machine::Machine;
use crate::mappings::{Step, steps};
use crate::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageError};
use crate::pmap::Pmap;
use crate::word::Word;

/// The place of a page's entry in a page table (JOS's `pte_t *`): always of level 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pte {
    /// The physical address of the entry.
    pub pa: PhysAddr,
}

/// Why an address cannot be mapped, or its mapping changed, as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// There is no free page for a page table.
    NoMemory {
        /// The address that needs the table.
        va: VirtAddr,
    },
    /// A large page is mapped here.
    LargePage {
        /// The address asked for.
        va: VirtAddr,
        /// Bytes of the page that is in the way.
        size: u64,
    },
    /// Something else is mapped here already.
    AlreadyMapped {
        /// The first such address.
        va: VirtAddr,
    },
    /// The machine has no such address.
    NonCanonical {
        /// The address.
        va: VirtAddr,
    },
    /// The page to be mapped cannot be counted.
    Page(PageError),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory { va } => write!(f, "no free page for a page table for {va}"),
            Self::LargePage { va, size } => {
                write!(f, "{va} lies in a large page of {size:#x} bytes")
            }
            Self::AlreadyMapped { va } => write!(f, "{va} is mapped already"),
            Self::NonCanonical { va } => write!(f, "{va} is not a canonical address"),
            Self::Page(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for MapError {}

impl From<PageError> for MapError {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

/// The integer that one entry of this machine's page tables is.
pub(crate) type WordOf<M> = <<M as Machine>::Format as Format>::Word;

/// `size` bytes at `va`, to be mapped to as many at `pa`; whole pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) va: VirtAddr,
    pub(crate) pa: PhysAddr,
    pub(crate) size: u64,
}

impl Span {
    /// Cuts off the first `bytes`, which are done. The end may be 2^64, after which nothing is
    /// left to do, so the address may wrap.
    fn advance(&mut self, bytes: u64) {
        self.va = VirtAddr::new(self.va.as_u64().wrapping_add(bytes));
        self.pa = self.pa + bytes;
        self.size -= bytes;
    }
}

impl<M: Machine> Pmap<M> {
    /// What entry `index` of the table of `level` at `table` says.
    pub(crate) fn entry(&self, level: u32, table: PhysAddr, index: usize) -> Entry {
        M::Format::decode(level, self.machine.load(table + index as u64 * WordOf::<M>::BYTES))
    }

    /// Follows the tables from `pgdir` to the entry that decides about `va`: a leaf, or an absent
    /// entry of any level.
    pub(crate) fn walk(&self, pgdir: PhysAddr, va: VirtAddr) -> Step {
        match steps::<M::Format, M>(&self.machine, pgdir, va).last() {
            Some(step) => step,
            None => unreachable!("a walk has at least the root's step"),
        }
    }

    /// Finds the entry of the page at `va`, whether present or not. Where the page table that
    /// would hold it is missing, makes that table, and those above it, if `create` says so, and
    /// else returns `None`. New tables have `pp_ref` 1.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], and then no table was made; [`MapError::LargePage`];
    /// [`MapError::NonCanonical`].
    #[inline(never)]
    pub fn pgdir_walk(
        &mut self,
        pgdir: PhysAddr,
        va: VirtAddr,
        create: bool,
    ) -> Result<Option<Pte>, MapError> {
        if !M::Format::is_canonical(va) {
            return Err(MapError::NonCanonical { va });
        }
        match self.walk(pgdir, va) {
            Step { level: 0, at, .. } => Ok(Some(Pte { pa: at })),
            Step { level, entry: Entry::Leaf(_), .. } => {
                Err(MapError::LargePage { va, size: M::Format::page_size(level) })
            }
            Step { level, at, .. } if create => self.make_tables(level, at, va).map(Some),
            Step { .. } => Ok(None),
        }
    }

    /// Makes the tables of all levels below `level` that lead to `va`, and links them at `at`.
    fn make_tables(&mut self, level: u32, at: PhysAddr, va: VirtAddr) -> Result<Pte, MapError> {
        let table = self.alloc_table(ALLOC_ZERO).ok_or(MapError::NoMemory { va })?;
        let pa = self.pages.page2pa(table);
        let entry = M::Format::entry(level - 1, pa, va);
        let pte = match level {
            1 => Pte { pa: entry },
            _ => self.make_tables(level - 1, entry, va).inspect_err(|_| {
                self.pages.page_decref(table);
            })?,
        };
        self.machine.store(at, M::Format::table(pa));
        Ok(pte)
    }

    /// A page to be used as a table.
    fn alloc_table(&mut self, flags: AllocFlags) -> Option<Frame> {
        let table = self.pages.page_alloc(&self.machine, flags)?;
        match self.pages.page_incref(table) {
            Ok(()) => Some(table),
            Err(error) => panic!("page_alloc gave a page that cannot be used: {error}"),
        }
    }

    /// Maps `[va, va + size)` to `[pa, pa + size)` with `perm` in the kernel's part of `pgdir`,
    /// by the largest pages that alignment and the processor allow. No `pp_ref` of what is mapped
    /// changes. For setting up what stays mapped for ever.
    ///
    /// # Panics
    ///
    /// Where an address or the size is not page-aligned, something is mapped there already, or
    /// memory runs out: a bug, or a machine that cannot be used.
    #[inline(never)]
    pub fn boot_map_region(
        &mut self,
        pgdir: PhysAddr,
        va: VirtAddr,
        size: u64,
        pa: PhysAddr,
        perm: Perm,
    ) {
        let aligned = va.is_aligned(PGSIZE) && pa.is_aligned(PGSIZE) && size.is_multiple_of(PGSIZE);
        assert!(aligned, "boot_map_region: {size:#x} bytes at {va} to {pa}: not whole pages");
        if let Err(error) =
            self.map(M::Format::ROOT, pgdir, Span { va, pa, size }, perm, Table::Linked)
        {
            panic!("boot_map_region: {size:#x} bytes at {va} to {pa}: {error}");
        }
    }

    /// Maps `span` in the table of `level` at `table`, which maps all of its addresses.
    /// On an error the span may be mapped in part, as far as a linked table is concerned.
    pub(crate) fn map(
        &mut self,
        level: u32,
        table: PhysAddr,
        mut span: Span,
        perm: Perm,
        state: Table,
    ) -> Result<(), MapError> {
        let page_size = M::Format::page_size(level);
        let leaves_here = level == 0 || self.machine.leaf_levels() & 1 << level != 0;
        while span.size > 0 {
            let at = M::Format::entry(level, table, span.va);
            let fits = span.size >= page_size
                && span.va.is_aligned(page_size)
                && span.pa.is_aligned(page_size);
            if leaves_here && fits {
                let room = M::Format::ENTRIES - M::Format::index(level, span.va);
                let count = room.min((span.size / page_size) as usize);
                if state == Table::Linked {
                    self.assert_absent(level, at, span.va, count)?;
                }
                let first = M::Format::leaf(level, span.pa, perm);
                self.machine.store_run(at, first, Self::leaf_step(level), count);
                span.advance(count as u64 * page_size);
            } else {
                let offset = span.va.as_u64() & (page_size - 1);
                let part = Span { size: span.size.min(page_size - offset), ..span };
                match M::Format::decode(level, self.machine.load(at)) {
                    Entry::Table { pa, .. } => {
                        self.map(level - 1, pa, part, perm, Table::Linked)?;
                    }
                    Entry::Leaf(_) => {
                        return Err(MapError::LargePage { va: span.va, size: page_size });
                    }
                    Entry::Absent => self.map_in_new_table(level, at, part, perm)?,
                }
                span.advance(part.size);
            }
        }
        Ok(())
    }

    /// Maps `span` in a new table of the level below `level`, and links that at `at`.
    fn map_in_new_table(
        &mut self,
        level: u32,
        at: PhysAddr,
        span: Span,
        perm: Perm,
    ) -> Result<(), MapError> {
        // The last level's entries are all written below: what is mapped, and zeros around it.
        let flags = if level == 1 { AllocFlags::empty() } else { ALLOC_ZERO };
        let table = self.alloc_table(flags).ok_or(MapError::NoMemory { va: span.va })?;
        let pa = self.pages.page2pa(table);
        if level == 1 {
            let start = M::Format::index(0, span.va);
            let end = start + (span.size / PGSIZE) as usize;
            let zero = WordOf::<M>::ZERO;
            let after = pa + end as u64 * WordOf::<M>::BYTES;
            self.machine.store_run(pa, zero, zero, start);
            self.machine.store_run(after, zero, zero, M::Format::ENTRIES - end);
        }
        if let Err(error) = self.map(level - 1, pa, span, perm, Table::New) {
            self.free_tables(level - 1, pa);
            return Err(error);
        }
        self.machine.store(at, M::Format::table(pa));
        Ok(())
    }

    /// Frees the table of `level` at `table` and all tables below it. Nothing may link to it.
    fn free_tables(&mut self, level: u32, table: PhysAddr) {
        if level > 0 {
            for index in 0..M::Format::ENTRIES {
                if let Entry::Table { pa, .. } = self.entry(level, table, index) {
                    self.free_tables(level - 1, pa);
                }
            }
        }
        match self.pages.pa2page(table) {
            Some(frame) => self.pages.page_decref(frame),
            None => panic!("page table at {table} lies outside RAM"),
        }
    }

    /// Frees the page tables on the way to `va` that map nothing any more, from the last level
    /// up. The page directory itself stays.
    pub fn prune(&mut self, pgdir: PhysAddr, va: VirtAddr) {
        self.prune_below(M::Format::ROOT, pgdir, va);
    }

    /// Prunes below the table of `level`, and tells whether that table is empty then.
    fn prune_below(&mut self, level: u32, table: PhysAddr, va: VirtAddr) -> bool {
        let at = M::Format::entry(level, table, va);
        if let Entry::Table { pa, .. } = M::Format::decode(level, self.machine.load(at))
            && self.prune_below(level - 1, pa, va)
        {
            self.machine.store(at, WordOf::<M>::ZERO);
            // The processor may keep upper-level entries that led to the table (Intel SDM
            // vol. 3A, 4.10.3); flushing any address below it drops them.
            self.tlb_invalidate(self.kern_pgdir, va);
            self.free_tables(0, pa);
        }
        (0..M::Format::ENTRIES).all(|index| self.entry(level, table, index) == Entry::Absent)
    }

    /// Fails where any of the `count` entries from `at` on, of which the first maps `va`, is
    /// present.
    fn assert_absent(
        &self,
        level: u32,
        at: PhysAddr,
        va: VirtAddr,
        count: usize,
    ) -> Result<(), MapError> {
        for i in 0..count as u64 {
            let entry = self.machine.load(at + i * WordOf::<M>::BYTES);
            if M::Format::decode(level, entry) != Entry::Absent {
                return Err(MapError::AlreadyMapped { va: va + i * M::Format::page_size(level) });
            }
        }
        Ok(())
    }

    /// What the entries of neighbouring pages of `level` differ by.
    fn leaf_step(level: u32) -> WordOf<M> {
        let entry = |pa| M::Format::leaf(level, PhysAddr::new(pa), Perm::R).to_u64();
        Word::from_u64(entry(M::Format::page_size(level)) - entry(0))
    }
}

/// Whether a processor may be walking a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Table {
    /// It may: what is there counts.
    Linked,
    /// It may not: the entries to be written hold nothing yet.
    New,
}
