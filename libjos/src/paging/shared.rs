//! The kernel's half, which all page directories share.
//!
//! It begins at UENVS's root entry. Each directory's root entries from there on are those of
//! `kern_pgdir`, so all of them lead to the same tables, and a page mapped in the kernel's half is there
//! in every address space at once. Only UVPT's entry is a directory's own: each shows its own
//! tables there.
//!
//! Sharing needs tables. [`pgdir_create`](Vm::pgdir_create) therefore gives `kern_pgdir` an empty table
//! at each of these root entries that is still absent, except where PHYSMAP shows no RAM. A root entry can change after
//! that, if it is a large page (i386, RISC-V), or if [`prune`](Vm::prune) takes an empty table away.
//!
//! - If it changes by `kern_pgdir`, directories in use follow at once, before any flush: a global
//!   translation would else come back from an entry that is out of date, and stay. All others follow
//!   when they are loaded. Until then the tables that they share stay alive, since each link to a table
//!   counts in its `pp_ref`.
//!   A directory that remembers the number of changes that it followed last (`Vm::kernel_half`) needs no look at
//!   the entries until there is another one.
//! - If it changes by another directory, it is that directory's alone, and lost when the directory follows
//!   the kernel's again. Its pages cannot be global ([`Perm::G`]), for nothing flushes them at a switch.
//!
//! Each directory's entry says for itself whether the processor has used a large page there, and no
//! longer once the directory follows the kernel's.

use layout::MemLayout;

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{ALLOC_ZERO, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::pgdir::WordOf;
use crate::paging::range::release_tree;
use crate::paging::vm::{ENTRY_PGDIR, Vm};
use crate::paging::word::Word;

impl<M: Machine> Vm<M> {
    /// How often the root entries of the kernel's half may have changed, plus 1. A new directory has followed all of it.
    pub(crate) fn kernel_half(&self) -> u64 {
        self.kernel_half
    }

    /// How many tables of the kernel's half `kern_pgdir` still lacks.
    pub(super) fn missing_shared_tables(&self) -> usize {
        if self.complete_half == self.kernel_half {
            return 0;
        }
        Self::shared_slots().filter(|index| self.lacks_table(*index)).count()
    }

    /// Whether `kern_pgdir` has to get a table at root entry `index`. PHYSMAP has one wherever it shows RAM, and nothing
    /// else is mapped there.
    fn lacks_table(&self, index: usize) -> bool {
        let slot = |va| M::Format::index(M::Format::ROOT, VirtAddr::new(va));
        let physmap = slot(M::Layout::PHYSMAP)..slot(M::Layout::MMIOBASE);
        let entry = self.entry(M::Format::ROOT, self.kern_root, index);
        entry == Entry::Absent && !physmap.contains(&index)
    }

    /// Gives `kern_pgdir` an empty table at each root entry of the kernel's half that lacks one, so that all
    /// directories can share it. The caller has counted the free pages.
    pub(super) fn make_shared_tables(&mut self) {
        if self.missing_shared_tables() > 0 {
            for index in Self::shared_slots() {
                if self.lacks_table(index) {
                    let table = self.alloc_expected(ALLOC_ZERO);
                    let at = M::Format::slot(self.kern_root, index);
                    self.machine.store(at, M::Format::table(table));
                }
            }
            self.renew_loaded(self.kern_root);
        }
        self.complete_half = self.kernel_half;
    }

    /// Drops the links of the root at `root` to tables of the kernel's half. Returns how many frames
    /// became free.
    pub(super) fn release_shared_tables(&mut self, root: PhysAddr) -> usize {
        let mut freed = 0;
        for index in Self::shared_slots() {
            if let Entry::Table { pa, .. } = self.entry(M::Format::ROOT, root, index) {
                freed += self.release_shared_table(pa);
            }
        }
        freed
    }

    /// Gives directories in use the root entries of the kernel's half that have just changed, if `pgdir` is
    /// `kern_pgdir`. Call it before the flush, and before a table is given up.
    pub(super) fn renew_loaded(&mut self, pgdir: PhysAddr) {
        if pgdir != self.kern_root {
            return;
        }
        self.kernel_half += 1;
        for loaded in self.loaded {
            if loaded != pgdir && loaded != ENTRY_PGDIR {
                self.share_kernel_half(loaded);
            }
        }
        self.machine.made_valid(None);
    }

    /// Does [`renew_loaded`](Self::renew_loaded) after a change to leaves up to `last`, if a root entry can
    /// be one of them.
    pub(super) fn renew_loaded_leaves(&mut self, pgdir: PhysAddr, last: VirtAddr) {
        let root_has_leaves = M::Format::LEAF_LEVELS >> M::Format::ROOT != 0;
        if root_has_leaves && !Self::is_user(last) {
            self.renew_loaded(pgdir);
        }
    }

    /// Makes the shared root entries of `pgdir` those of `kern_pgdir`, and counts the tables that
    /// it links.
    #[inline(never)]
    pub(super) fn share_kernel_half(&mut self, pgdir: PhysAddr) {
        for index in Self::shared_slots() {
            let at = M::Format::slot(pgdir, index);
            let old: WordOf<M> = self.machine.load(at);
            let new: WordOf<M> = self.machine.load(M::Format::slot(self.kern_root, index));
            let is_new = old == WordOf::<M>::ZERO;
            if !is_new && Self::leads_alike(old, new) {
                continue;
            }
            if let Entry::Table { pa, .. } = M::Format::decode(M::Format::ROOT, new) {
                // Each directory takes a frame, so there are fewer directories than a count holds.
                let frame = self.table_frame(pa);
                if let Err(error) = self.pages.page_incref(frame) {
                    panic!("a table of the kernel's half cannot be shared: {error}");
                }
            }
            self.machine.store(at, new);
            if !is_new {
                self.forget(pgdir, old);
            }
        }
    }

    /// Whether two root entries are the same but for A and D.
    #[inline(never)]
    fn leads_alike(one: WordOf<M>, other: WordOf<M>) -> bool {
        match [one, other].map(|word| M::Format::decode(M::Format::ROOT, word)) {
            [Entry::Leaf(one), Entry::Leaf(other)] => (one.pa, one.perm) == (other.pa, other.perm),
            [one, other] => one == other,
        }
    }

    /// Ends what `pgdir` had by a root entry that is gone.
    #[cold]
    fn forget(&mut self, pgdir: PhysAddr, old: WordOf<M>) {
        let cpus = self.users(pgdir);
        self.machine.flush_tlb(cpus);
        if let Entry::Table { pa, .. } = M::Format::decode(M::Format::ROOT, old) {
            self.release_shared_table(pa);
        }
    }

    /// Refuses [`Perm::G`] for pages that `pgdir` is to map in `[va, last]`, unless all address spaces have
    /// them: in the kernel's half, by `kern_pgdir` or in a table that `pgdir` shares with it. The caller
    /// checks that the addresses can be mapped at all.
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

    /// The rest of [`check_global`](Self::check_global), for the few pages that are to be global.
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

    /// Whether root entry `index` of `pgdir` leads to the same pages in all address spaces.
    fn is_shared(&self, pgdir: PhysAddr, index: usize) -> bool {
        let entry = |pgdir| self.entry(M::Format::ROOT, pgdir, index);
        let shares_table = || match (entry(pgdir), entry(self.kern_root)) {
            (Entry::Table { pa, .. }, Entry::Table { pa: kernels, .. }) => pa == kernels,
            _ => false,
        };
        index >= Self::first_shared_slot() && (pgdir == self.kern_root || shares_table())
    }

    /// Drops a directory's link to the table of the kernel's half at `table`. If that was the last
    /// one, the directory had that part of the half to itself, and the tables below go too. Returns
    /// how many frames became free.
    fn release_shared_table(&mut self, table: PhysAddr) -> usize {
        let is_last = self.pages.pp_ref(self.table_frame(table)) == 1;
        let Vm { machine, pages, .. } = self;
        pages.release(|releases| match is_last {
            true => release_tree(machine, releases, M::Format::ROOT - 1, table, false),
            false => releases.release_table(table),
        })
    }

    /// The first root entry of the kernel's half.
    pub(super) fn first_shared_slot() -> usize {
        M::Format::index(M::Format::ROOT, VirtAddr::new(M::Layout::UENVS))
    }

    /// The root entries that all address spaces share: those of the kernel's half but UVPT's.
    fn shared_slots() -> impl Iterator<Item = usize> {
        let uvpt = M::Format::index(M::Format::ROOT, VirtAddr::new(M::Layout::UVPT));
        (Self::first_shared_slot()..M::Format::ENTRIES).filter(move |index| *index != uvpt)
    }
}
