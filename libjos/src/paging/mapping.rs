//! JOS's operations on single pages: `page_insert`, `page_lookup`, `page_remove`, and
//! `tlb_invalidate`.
//!
//! Below UTOP each mapping of a page is counted in its `pp_ref`; above, in the kernel's part,
//! nothing is.

use layout::MemLayout;

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{Frame, PageAllocator};
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::pgdir::{MapError, Pte, Stop, WordOf};
use crate::paging::word::Word;
use crate::pmap::Pmap;

impl<M: Machine> Pmap<M> {
    /// Maps the page that `va` lies in to `frame`, with `perm`. What was mapped there before is
    /// unmapped, and freed if that was its last use; mapping the same frame again changes its
    /// permissions alone. Page tables are made as needed.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], [`MapError::LargePage`], [`MapError::NonCanonical`],
    /// [`MapError::Uvpt`], [`MapError::Global`] where other address spaces may have another page, and
    /// [`MapError::Page`] where `frame` is free or its `pp_ref` would overflow.
    /// Nothing has changed then.
    ///
    /// # Panics
    ///
    /// Where `frame` is none of `pages`.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_insert(
        &mut self,
        pgdir: PhysAddr,
        frame: Frame,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        let va = va.page_start();
        self.check_global(pgdir, va, va, perm)?;
        // What is counted is canonical. It is counted first, so that mapping the same frame again
        // does not free it in between.
        if Self::is_counted(va) {
            self.pages.page_incref(frame)?;
            if let Some(table) = self.page_table(pgdir, va) {
                let at = M::Format::entry(0, table, va);
                if let Entry::Absent = M::Format::decode(0, self.machine.load(at)) {
                    self.machine.store(at, M::Format::leaf(0, self.pages.page2pa(frame), perm));
                    return Ok(());
                }
            }
        }
        self.insert_otherwise(pgdir, frame, va, perm)
    }

    /// What [`page_insert`](Self::page_insert) does where tables are missing, or another page is
    /// mapped. `frame` is counted already.
    #[inline(never)]
    fn insert_otherwise(
        &mut self,
        pgdir: PhysAddr,
        frame: Frame,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        let pa = self.pages.page2pa(frame);
        if !Self::is_counted(va) {
            self.pages.check_in_use(frame)?;
        }
        let pte = match self.pgdir_walk(pgdir, va, true) {
            Ok(Some(pte)) => pte,
            Ok(None) => unreachable!("pgdir_walk makes the table that it is asked to make"),
            Err(error) => {
                if Self::is_counted(va) {
                    self.pages.page_uncount(frame);
                }
                return Err(error);
            }
        };
        let old = M::Format::decode(0, self.machine.load(pte.pa));
        let new = match old {
            Entry::Leaf(leaf) if leaf.pa == pa => M::Format::encode(0, &Leaf { perm, ..leaf }),
            _ => M::Format::leaf(0, pa, perm),
        };
        self.machine.store(pte.pa, new);
        self.drop_page(pgdir, va, old);
        Ok(())
    }

    /// The frame that `va` is mapped to, and the place of its entry. `None` where nothing is
    /// mapped, or what is mapped is a large page or lies where `pages` ends.
    #[must_use]
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_lookup(&self, pgdir: PhysAddr, va: VirtAddr) -> Option<(Frame, Pte)> {
        match self.walk(pgdir, va) {
            Stop { level: 0, at, entry: Entry::Leaf(leaf), .. } if M::Format::is_canonical(va) => {
                Some((self.pages.pa2page(leaf.pa)?, Pte { pa: at }))
            }
            _ => None,
        }
    }

    /// Unmaps the page that `va` lies in, if there is one, and frees its frame if that was its
    /// last use. Page tables stay.
    ///
    /// # Errors
    ///
    /// [`MapError::LargePage`], [`MapError::NonCanonical`] and [`MapError::Uvpt`]; nothing has
    /// changed then.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_remove(&mut self, pgdir: PhysAddr, va: VirtAddr) -> Result<(), MapError> {
        let va = va.page_start();
        if Self::is_counted(va)
            && let Some(table) = self.page_table(pgdir, va)
        {
            self.remove_at(pgdir, va, M::Format::entry(0, table, va));
            return Ok(());
        }
        self.remove_otherwise(pgdir, va)
    }

    /// What [`page_remove`](Self::page_remove) does in the kernel's part, or where
    /// [`page_table`](Self::page_table) finds none.
    #[inline(never)]
    fn remove_otherwise(&mut self, pgdir: PhysAddr, va: VirtAddr) -> Result<(), MapError> {
        match self.walk(pgdir, va) {
            _ if !M::Format::is_canonical(va) => Err(MapError::NonCanonical { va }),
            _ if Self::is_uvpt(va) => Err(MapError::Uvpt { va }),
            Stop { level: 0, at, .. } => {
                self.remove_at(pgdir, va, at);
                Ok(())
            }
            Stop { level, entry, .. } if entry.page().is_some() => {
                Err(MapError::LargePage { va, size: M::Format::page_size(level) })
            }
            _ => Ok(()),
        }
    }

    /// Removes the mapping of the page at `va` whose entry is at `at`, if there is one.
    #[inline(always)]
    fn remove_at(&mut self, pgdir: PhysAddr, va: VirtAddr, at: PhysAddr) {
        let old = M::Format::decode(0, self.machine.load(at));
        if old.page().is_some() {
            self.machine.store(at, WordOf::<M>::ZERO);
            self.drop_page(pgdir, va, old);
        }
    }

    /// Ends the life of a mapping at `va` whose entry is already gone: first its translation,
    /// then its use of the frame.
    fn drop_page(&mut self, pgdir: PhysAddr, va: VirtAddr, old: Entry) {
        let Some(pa) = old.page() else { return };
        self.tlb_invalidate(pgdir, va);
        if Self::is_counted(va) {
            self.pages.page_decref_at(pa);
        }
    }

    /// Drops the processor's translation of `va`, unless `pgdir` is not in use and `va` is not
    /// in the part that all page directories share.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn tlb_invalidate(&mut self, pgdir: PhysAddr, va: VirtAddr) {
        if Some(pgdir) == self.loaded || !Self::is_counted(va) {
            self.machine.invlpg(va);
        }
    }

    /// Whether a mapping at `va` counts in `pp_ref`. The page between UTOP and the lower half's end,
    /// where there is one, would count too, so that no large page lies on both sides.
    pub(crate) fn is_counted(va: VirtAddr) -> bool {
        va.as_u64() < M::Layout::LOWER_END
    }

    /// The physical address that `va` is mapped to, through pages of any size.
    #[must_use]
    pub fn va2pa(&self, pgdir: PhysAddr, va: VirtAddr) -> Option<PhysAddr> {
        match self.walk(pgdir, va) {
            Stop { level, entry: Entry::Leaf(leaf), .. } if M::Format::is_canonical(va) => {
                Some(leaf.pa + (va.as_u64() & (M::Format::page_size(level) - 1)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::memory_map::window;
    use crate::mem::pages::ALLOC_ZERO;
    use crate::paging::format::i386::I386;
    use crate::paging::format::x86_64::X86_64;
    use crate::pmap::mem_init;
    use crate::sim::SimMachine;
    use layout::{Jos32, Jos64, MB, PGSIZE};

    /// Bits that no table translates do not make another name of a page.
    #[test]
    fn what_is_not_canonical_has_no_page() {
        let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
        let mut pmap = mem_init(machine, boot);
        let pgdir = pmap.uvmcreate().unwrap();
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        let va = VirtAddr::new(0x1000);
        pmap.page_insert(pgdir, frame, va, Perm::URW).unwrap();
        assert_eq!(pmap.page_lookup(pgdir, va).map(|(found, _)| found), Some(frame));
        assert_eq!(pmap.page_lookup(pgdir, va + (1 << 48)), None);
        assert_eq!(pmap.va2pa(pgdir, va + (1 << 48)), None);
        let error = Err(MapError::NonCanonical { va: va + (1 << 48) });
        assert_eq!(pmap.pgdir_walk(pgdir, va + (1 << 48), false), error);
        // Where an entry of that name is free, too.
        let va = va + PGSIZE + (1 << 48);
        let error = Err(MapError::NonCanonical { va });
        assert_eq!(pmap.page_insert(pgdir, frame, va, Perm::URW), error);
    }

    /// What is mapped below UTOP counts, and no page above.
    #[test]
    #[cfg_attr(miri, ignore = "half a minute, and nothing here is unsafe")]
    fn pp_ref_counts_up_to_utop() {
        let (machine, boot) = SimMachine::<Jos32, I386>::new(5 * MB);
        let mut pmap = mem_init(machine, boot);
        let pgdir = pmap.kern_pgdir();
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        let mut mapped = |va| {
            pmap.page_insert(pgdir, frame, VirtAddr::new(va), Perm::KRW).unwrap();
            pmap.pages.pp_ref(frame)
        };
        assert_eq!(mapped(Jos32::UTOP), 0);
        assert_eq!(mapped(Jos32::UTOP - PGSIZE), 1);
    }

    /// What is found the short way begins with a page directory in the window, and no other.
    #[test]
    fn the_short_way_begins_in_the_window() {
        let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
        let pmap = mem_init(machine, boot);
        let (pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(Jos64::KERNBASE));
        let last = pmap.walk(pgdir, va);
        let found = pmap.page_table(pgdir, va).map(|table| X86_64::entry(0, table, va));
        assert_eq!((found, last.level), (Some(last.at), 0));
        assert_eq!(pmap.page_table(pgdir + Jos64::WINDOW_SIZE, va), None);
        assert_eq!(pmap.page_table(pgdir + 8, va), None);
    }

    /// `page_table` finds no such tables, and the long way is taken.
    #[test]
    #[cfg_attr(miri, ignore = "too much RAM")]
    fn tables_above_the_window_serve_as_well() {
        let (machine, boot) = SimMachine::<Jos64, X86_64>::new(264 * MB);
        let mut pmap = mem_init(machine, boot);
        let page = pmap.page_alloc(ALLOC_ZERO).unwrap();
        let next = |pmap: &mut Pmap<_>| {
            let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
            pmap.pages.page2pa(frame)
        };
        while window::<Jos64>().contains(next(&mut pmap)) {}
        // Of what is free now nothing lies in the window: not one of four tables.
        let (va, other) = (VirtAddr::new(0x1234_5678), VirtAddr::new(0x1234_6000));
        let pgdir = pmap.uvmcreate().unwrap();
        pmap.page_insert(pgdir, page, va, Perm::URW).unwrap();
        pmap.page_insert(pgdir, page, other, Perm::UR).unwrap();
        assert_eq!(pmap.page_table(pgdir, va), None);
        assert_eq!(pmap.pages.pp_ref(page), 2);
        let (found, pte) = pmap.page_lookup(pgdir, va).unwrap();
        assert_eq!(found, page);
        assert_eq!(pmap.pgdir_walk(pgdir, va, false), Ok(Some(pte)));
        assert!(!window::<Jos64>().contains(pte.pa));
        pmap.page_remove(pgdir, va).unwrap();
        assert_eq!((pmap.va2pa(pgdir, va), pmap.pages.pp_ref(page)), (None, 1));
        assert_eq!(pmap.page_lookup(pgdir, other).map(|(found, _)| found), Some(page));
    }

    /// In the kernel's half a change by any page directory is one in the directory in use.
    #[test]
    fn the_shared_half_is_flushed_whichever_directory_changes() {
        let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
        let mut pmap = mem_init(machine, boot);
        let (pgdir, kern_pgdir) = (pmap.uvmcreate().unwrap(), pmap.kern_pgdir());
        pmap.switchuvm(pgdir);
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        let va = VirtAddr::new(Jos64::MMIOBASE);
        pmap.page_insert(kern_pgdir, frame, va, Perm::KRW).unwrap();
        assert_eq!(pmap.machine.probe_load(va), Ok(0));
        pmap.page_remove(kern_pgdir, va).unwrap();
        assert!(pmap.machine.probe_load(va).is_err(), "the page is still in the TLB");
    }
}
