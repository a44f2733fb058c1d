//! Address spaces: a page directory for each, below UTOP its own, above it the kernel's.
//!
//! The kernel's half begins at UENVS's root entry. Each directory's root entries from there on are
//! those of `kern_pgdir`, so all of them lead to the same tables, and what is mapped in the
//! kernel's half is there in every address space at once. Only UVPT's entry is a directory's own:
//! each shows its own tables there.
//!
//! That needs tables to share. [`uvmcreate`](Pmap::uvmcreate) therefore gives `kern_pgdir` an
//! empty table wherever one of these root entries is still absent. A root entry can still change
//! after that: where it is a large page (i386, RISC-V), or [`prune`](Pmap::prune) takes an empty
//! table away. What changes by `kern_pgdir` the directory in use has at once, before any flush: a
//! global translation would else come back from an entry that is out of date, and stay. All others
//! follow when they are switched to; until then the tables that they share stay alive, because
//! each link to a table counts in its `pp_ref`. A root entry that is changed by another directory
//! than `kern_pgdir` is that one's alone, and lost when it follows the kernel's again; what it maps
//! cannot be global ([`Perm::G`]), for nothing flushes that at a switch.
//! Whether the processor has used a large page there, each directory's entry says for itself.

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{ALLOC_ZERO, Frame, PageAllocator};
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::pgdir::{MapError, WordOf};
use crate::paging::range::release_tree;
use crate::paging::word::Word;
use crate::pmap::Pmap;

impl<M: Machine> Pmap<M> {
    /// Makes an address space with nothing below UTOP, and returns its page directory (xv6's
    /// `uvmcreate`, JOS's `env_setup_vm`). The directory's `pp_ref` is 1.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], with UENVS as the address; nothing has changed then.
    ///
    /// # Panics
    ///
    /// Where a table of the kernel's half is no page of RAM: a bug.
    pub fn uvmcreate(&mut self) -> Result<PhysAddr, MapError> {
        let kern_pgdir = self.kern_pgdir;
        let absent = |pmap: &Self, index: &usize| {
            pmap.entry(M::Format::ROOT, kern_pgdir, *index) == Entry::Absent
        };
        let missing = Self::shared_slots().filter(|index| absent(self, index)).count();
        if missing + 1 > self.pages.nfree() {
            return Err(MapError::NoMemory { va: VirtAddr::new(M::Layout::UENVS) });
        }
        for index in Self::shared_slots() {
            if absent(self, &index) {
                let table = self.new_table();
                self.machine.store(Self::slot(kern_pgdir, index), M::Format::table(table));
            }
        }
        if missing > 0 {
            self.renew_loaded(kern_pgdir);
        }
        let pgdir = self.new_table();
        self.share_kernel_half(pgdir);
        if let Some(entry) = M::Format::self_map(pgdir) {
            let uvpt = VirtAddr::new(M::Layout::UVPT);
            self.machine.store(M::Format::entry(M::Format::ROOT, pgdir, uvpt), entry);
        }
        Ok(pgdir)
    }

    /// Takes down the address space of `pgdir`: all that is mapped below UTOP, the tables, and
    /// the directory itself (xv6's `uvmfree`, JOS's `env_free`). Where it is the one in use,
    /// `kern_pgdir` takes its place first. Returns how many frames became free.
    ///
    /// Nothing is flushed: the processor forgot all translations of `pgdir` when another one took its
    /// place.
    ///
    /// # Panics
    ///
    /// Where `pgdir` is `kern_pgdir` or has an unmapping open, or a table is no page of RAM: bugs.
    pub fn uvmfree(&mut self, pgdir: PhysAddr) -> usize {
        assert!(pgdir != self.kern_pgdir, "uvmfree: {pgdir} is kern_pgdir");
        self.assert_closed(pgdir);
        let root = M::Format::ROOT;
        if self.loaded == Some(pgdir) {
            self.switchuvm(self.kern_pgdir);
        }
        let Pmap { machine, pages, .. } = self;
        let mut freed = pages.release(|releases| {
            for index in 0..Self::first_shared_slot() {
                let entry = M::Format::decode(root, machine.load(Self::slot(pgdir, index)));
                let va = M::Format::address(root, VirtAddr::new(0), index);
                let counted = Self::is_counted(va);
                if let Entry::Table { pa, .. } = entry {
                    release_tree(machine, releases, root - 1, pa, counted);
                } else if let (Some(pa), true) = (entry.page(), counted) {
                    releases.release(pa, (M::Format::page_size(root) / PGSIZE) as usize);
                }
            }
        });
        for index in Self::shared_slots() {
            if let Entry::Table { pa, .. } = self.entry(root, pgdir, index) {
                freed += self.release_shared_table(pa);
            }
        }
        freed + self.pages.release(|releases| releases.release_table(pgdir))
    }

    /// Makes `pgdir` the page directory in use (xv6's `switchuvm`, and with `kern_pgdir` its
    /// `switchkvm`). First brings its part of the kernel's half up to date.
    ///
    /// # Panics
    ///
    /// As [`uvmcreate`](Self::uvmcreate).
    pub fn switchuvm(&mut self, pgdir: PhysAddr) {
        self.share_kernel_half(pgdir);
        self.lcr3(pgdir);
    }

    /// Gives the directory in use the root entries of the kernel's half that have just changed, if
    /// `pgdir` is `kern_pgdir`. To be called before the flush, and before a table is given up.
    pub(crate) fn renew_loaded(&mut self, pgdir: PhysAddr) {
        if let Some(loaded) = self.loaded
            && pgdir == self.kern_pgdir
            && pgdir != loaded
        {
            self.share_kernel_half(loaded);
        }
    }

    /// The same after a change to leaves up to `last`, where such a leaf can be a root entry.
    pub(crate) fn renew_loaded_leaves(&mut self, pgdir: PhysAddr, last: VirtAddr) {
        let root_has_leaves = M::Format::LEAF_LEVELS >> M::Format::ROOT != 0;
        if root_has_leaves && !Self::is_counted(last) {
            self.renew_loaded(pgdir);
        }
    }

    /// Makes the shared root entries of `pgdir` those of `kern_pgdir`, and counts the tables that
    /// it links.
    fn share_kernel_half(&mut self, pgdir: PhysAddr) {
        for index in Self::shared_slots() {
            let old = self.entry(M::Format::ROOT, pgdir, index);
            let new = self.entry(M::Format::ROOT, self.kern_pgdir, index);
            if Self::leads_alike(old, new) {
                continue;
            }
            if let Entry::Table { pa, .. } = new {
                // Each address space takes a frame, so there are fewer of them than a count holds.
                let frame = self.table_frame(pa);
                if let Err(error) = self.pages.page_incref(frame) {
                    panic!("a table of the kernel's half cannot be shared: {error}");
                }
            }
            let word: WordOf<M> = self.machine.load(Self::slot(self.kern_pgdir, index));
            self.machine.store(Self::slot(pgdir, index), word);
            if old == Entry::Absent {
                continue;
            }
            if self.loaded == Some(pgdir) {
                self.machine.flush_tlb();
            }
            if let Entry::Table { pa, .. } = old {
                self.release_shared_table(pa);
            }
        }
    }

    /// Whether two root entries are the same but for A and D.
    fn leads_alike(one: Entry, other: Entry) -> bool {
        match (one, other) {
            (Entry::Leaf(one), Entry::Leaf(other)) => (one.pa, one.perm) == (other.pa, other.perm),
            _ => one == other,
        }
    }

    /// Refuses [`Perm::G`] for what `pgdir` is to map in `[va, last]` unless all address spaces have
    /// it: in the kernel's half, by `kern_pgdir` or in a table that `pgdir` shares with it. Addresses
    /// that cannot be mapped at all are left to the caller.
    #[inline]
    pub(crate) fn check_global(
        &self,
        pgdir: PhysAddr,
        va: VirtAddr,
        last: VirtAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        if perm.contains(Perm::G) { self.check_shared(pgdir, va, last) } else { Ok(()) }
    }

    /// What [`check_global`](Self::check_global) asks of the few pages that are to be global.
    #[cold]
    fn check_shared(&self, pgdir: PhysAddr, va: VirtAddr, last: VirtAddr) -> Result<(), MapError> {
        if !M::Format::is_canonical(va) || Self::is_uvpt(va) {
            return Ok(());
        }
        let slot = |va| M::Format::index(M::Format::ROOT, va);
        let own = (slot(va)..=slot(last)).find(|index| !self.is_shared(pgdir, *index));
        match own {
            None => Ok(()),
            Some(index) => {
                let start = M::Format::address(M::Format::ROOT, VirtAddr::new(0), index);
                Err(MapError::Global { va: va.max(start) })
            }
        }
    }

    /// Whether what hangs from root entry `index` of `pgdir` is the same in all address spaces.
    fn is_shared(&self, pgdir: PhysAddr, index: usize) -> bool {
        let entry = |pgdir| self.entry(M::Format::ROOT, pgdir, index);
        let shares_table = || match (entry(pgdir), entry(self.kern_pgdir)) {
            (Entry::Table { pa, .. }, Entry::Table { pa: kernels, .. }) => pa == kernels,
            _ => false,
        };
        index >= Self::first_shared_slot() && (pgdir == self.kern_pgdir || shares_table())
    }

    /// Drops a directory's link to the table of the kernel's half at `table`. If that was the last
    /// one, the directory had that part of the half to itself, and the tables below go too. Returns
    /// how many frames became free.
    fn release_shared_table(&mut self, table: PhysAddr) -> usize {
        let is_last = self.pages.pp_ref(self.table_frame(table)) == 1;
        let Pmap { machine, pages, .. } = self;
        pages.release(|releases| match is_last {
            true => release_tree(machine, releases, M::Format::ROOT - 1, table, false),
            false => releases.release_table(table),
        })
    }

    /// The first root entry of the kernel's half.
    fn first_shared_slot() -> usize {
        M::Format::index(M::Format::ROOT, VirtAddr::new(M::Layout::UENVS))
    }

    /// The root entries that all address spaces share: those of the kernel's half but UVPT's.
    fn shared_slots() -> impl Iterator<Item = usize> {
        let uvpt = M::Format::index(M::Format::ROOT, VirtAddr::new(M::Layout::UVPT));
        (Self::first_shared_slot()..M::Format::ENTRIES).filter(move |index| *index != uvpt)
    }

    /// Where root entry `index` of `pgdir` is.
    fn slot(pgdir: PhysAddr, index: usize) -> PhysAddr {
        pgdir + index as u64 * WordOf::<M>::BYTES
    }

    /// A new empty table, of those free pages that the caller has counted.
    fn new_table(&mut self) -> PhysAddr {
        match self.alloc_table(ALLOC_ZERO) {
            Some(table) => self.pages.page2pa(table),
            None => unreachable!("uvmcreate has counted the free pages"),
        }
    }

    /// The frame of the table at `pa`.
    fn table_frame(&self, pa: PhysAddr) -> Frame {
        match self.pages.pa2page(pa) {
            Some(frame) => frame,
            None => panic!("page table at {pa} lies outside RAM"),
        }
    }
}
