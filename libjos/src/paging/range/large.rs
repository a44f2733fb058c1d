//! Large pages: split where a part of one is to change, and merged again.

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, PageAllocator};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::mappings::steps;
use crate::paging::vm::Vm;

impl<M: Machine> Vm<M> {
    /// Merges the pages around `va` to one page of `level`'s size, if all are mapped, to neighbours in
    /// physical memory, with the same permissions. It is accessed or dirty if any of them was. (In
    /// the kernel's half, use `kern_pgdir`: see [`range`](super).)
    ///
    /// # Errors
    ///
    /// [`MapError::NonCanonical`], [`MapError::Uvpt`], and [`MapError::NotUniform`] if the pages do not
    /// make one, or the processor or the format has none of that size. [`MapError::Global`] if they are global,
    /// and the page would be this directory's alone. Nothing has changed then.
    pub fn merge(&mut self, pgdir: &mut Pgdir, va: VirtAddr, level: u32) -> Result<(), MapError> {
        let root = pgdir.address();
        if !M::Format::is_canonical(va) {
            return Err(MapError::NonCanonical { va });
        }
        if Self::is_uvpt(va) {
            return Err(MapError::Uvpt { va });
        }
        let failed = MapError::NotUniform { va };
        let step = steps::<M::Format, M>(&self.machine, root, va).find(|step| step.level == level);
        let step = step.ok_or(failed)?;
        let Entry::Table { pa: table, .. } = step.entry else { return Err(failed) };
        let whole = self.whole(level, table).ok_or(failed)?;
        // A table hangs there, so `level` is one of the format's, and has a page size.
        let size = M::Format::page_size(level);
        let start = VirtAddr::new(layout::round_down(va.as_u64(), size));
        if self.machine.leaf_levels() & 1 << level == 0 || !whole.pa.is_aligned(size) {
            return Err(failed);
        }
        // The tables that other directories share stay as they are.
        if level == M::Format::ROOT && root != self.kern_root && whole.perm.contains(Perm::G) {
            return Err(MapError::Global { va: start });
        }
        self.machine.store(step.at, M::Format::encode(level, &whole));
        self.renew_loaded_leaves(root, start);
        let cpus = self.holders(root, start);
        if !cpus.is_empty() {
            self.machine.flush_tlb(cpus);
            // Until the flush, a processor could still set A and D in the table: these go to the large
            // page now. No processor comes to the table any more.
            if let Some(Leaf { accessed, dirty, .. }) =
                self.whole(level, table).filter(|now| *now != whole)
            {
                self.exchange_leaf(level, step.at, self.machine.load(step.at), |leaf| {
                    let (accessed, dirty) = (leaf.accessed | accessed, leaf.dirty | dirty);
                    M::Format::encode(level, &Leaf { accessed, dirty, ..leaf })
                });
            }
        }
        self.pages.page_decref_at(table);
        Ok(())
    }

    /// The page of `level`'s size whose parts the entries of `table` are, if they make one: accessed or
    /// dirty if any part is.
    fn whole(&self, level: u32, table: PhysAddr) -> Option<Leaf> {
        let Entry::Leaf(mut whole) = self.entry(level - 1, table, 0) else { return None };
        let part_size = M::Format::page_size(level - 1);
        for index in 0..M::Format::ENTRIES {
            let pa = whole.pa + index as u64 * part_size;
            match self.entry(level - 1, table, index) {
                Entry::Leaf(leaf) if leaf.pa == pa && leaf.perm == whole.perm => {
                    whole.accessed |= leaf.accessed;
                    whole.dirty |= leaf.dirty;
                }
                _ => return None,
            }
        }
        Some(whole)
    }

    /// Splits the large pages that reach over an end of `[va, va + size)`.
    pub(super) fn split_at_ends(
        &mut self,
        root: PhysAddr,
        va: VirtAddr,
        size: u64,
    ) -> Result<(), MapError> {
        if size == 0 {
            return Ok(());
        }
        let end = VirtAddr::new(va.as_u64().wrapping_add(size));
        let needs_split = |level, of: VirtAddr, found: u32| {
            level <= found && !of.is_aligned(M::Format::page_size(level))
        };
        let (first_leaf, end_leaf) = (self.leaf_level(root, va), self.leaf_level(root, end));
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
        self.split_at(root, va);
        self.split_at(root, end);
        Ok(())
    }

    /// The level of the leaf that maps `va`; 0 if none does.
    fn leaf_level(&self, root: PhysAddr, va: VirtAddr) -> u32 {
        let step = self.walk(root, va);
        if matches!(step.entry, Entry::Leaf(_)) { step.level } else { 0 }
    }

    /// Splits the large page that `va` lies in the middle of until none is left. All parts lead
    /// where the whole did, with the same permissions, and with the A and D that it had when the table
    /// took its place: if a processor sets one before that, the table is filled once more. One that sets
    /// them later walks the table (Intel SDM vol. 3A, 4.8; RISC-V privileged specification, 12.3.2).
    fn split_at(&mut self, root: PhysAddr, va: VirtAddr) {
        loop {
            let step = self.walk(root, va);
            let is_leaf = matches!(step.entry, Entry::Leaf(_));
            if !is_leaf || step.level == 0 || va.is_aligned(M::Format::page_size(step.level)) {
                return;
            }
            let table = self.alloc_expected(AllocFlags::empty());
            let level = step.level - 1;
            self.exchange_leaf(step.level, step.at, self.machine.load(step.at), |whole| {
                let first = M::Format::encode(level, &whole);
                self.machine.fill_run(table, first, Self::leaf_step(level), M::Format::ENTRIES);
                M::Format::table(table)
            });
            self.renew_loaded_leaves(root, va);
            // The processor may hold both sizes until it forgets the larger one (Intel SDM
            // vol. 3A, 4.10.2.3), which UVPT has shown too.
            let cpus = self.holders(root, va);
            self.machine.flush_tlb(cpus);
        }
    }
}
