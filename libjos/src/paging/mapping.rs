//! JOS's operations on single pages: `page_insert`, `page_lookup`, `page_remove`, and
//! `tlb_invalidate`.
//!
//! Below UTOP each mapping of a page is counted in its `pp_ref`; above, in the kernel's part,
//! nothing is.

// lab 2: begin page_size
use layout::MemLayout;
// lab 2: end

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, Frame, PageAllocator};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::pgdir::{Pte, Stop, WordOf};
use crate::paging::vm::Vm;
use crate::paging::word::Word;

impl<M: Machine> Vm<M> {
    /// Maps the page that `va` lies in to `frame`, with `perm`. A frame that was mapped there before is
    /// unmapped, and freed if that was its last use; mapping the same frame again only changes the
    /// permissions. Page tables are made as needed.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], [`MapError::LargePage`], [`MapError::NonCanonical`],
    /// [`MapError::Uvpt`], [`MapError::Global`] if other address spaces may have another page,
    /// [`MapError::FreePage`] and [`MapError::Overflow`].
    /// Nothing has changed then.
    ///
    /// # Panics
    ///
    /// If `frame` is none of `pages`.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn page_insert(
        &mut self,
        pgdir: &mut Pgdir,
        frame: Frame,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        // lab 2: begin page_insert
        // A user address is canonical.
        if Self::is_user(va)
            && !perm.contains(Perm::G)
            && let Some(table) = self.fast_walk(pgdir.address(), va)
        {
            let at = M::Format::entry(0, table, va);
            let is_absent = M::Format::decode(0, self.machine.load(at)) == Entry::Absent;
            if is_absent && self.pages.count_further_use(frame) {
                self.machine.store(at, M::Format::leaf(0, self.pages.page2pa(frame), perm));
                self.machine.made_valid(Some(va.page_start()));
                return Ok(());
            }
        }
        self.page_insert_slow(pgdir, frame, va.page_start(), perm)
        // lab 2: end
    }

    // lab 2: begin omit
    /// The rest of [`page_insert`](Self::page_insert): the kernel's half, a missing table, another page in
    /// the way, or an error.
    #[inline(never)]
    fn page_insert_slow(
        &mut self,
        pgdir: &mut Pgdir,
        frame: Frame,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        self.check_global(pgdir.address(), va, va, perm)?;
        let pa = self.pages.page2pa(frame);
        // The new mapping is counted before the old one is removed, so that remapping a frame to itself
        // never frees it.
        if Self::is_user(va) {
            self.pages.page_incref(frame)?;
        } else {
            self.pages.check_in_use(frame)?;
        }
        let pte = match self.pgdir_walk(pgdir, va, true) {
            Ok(Some(pte)) => pte,
            Ok(None) => unreachable!("pgdir_walk makes the table that it is asked to make"),
            Err(error) => {
                if Self::is_user(va) {
                    self.pages.page_uncount(frame);
                }
                return Err(error);
            }
        };
        let word = self.machine.load(pte.pa);
        let old = M::Format::decode(0, word);
        if let Entry::Leaf(leaf) = old
            && leaf.pa == pa
        {
            self.exchange_leaf(0, pte.pa, word, |leaf| {
                M::Format::encode(0, &Leaf { perm, ..leaf })
            });
        } else {
            self.machine.store(pte.pa, M::Format::leaf(0, pa, perm));
            self.machine.made_valid(Some(va));
        }
        self.drop_page(pgdir, va, old);
        Ok(())
    }

    // lab 2: end
    /// The frame that `va` is mapped to, and the place of its entry. `None` if nothing is mapped, if a
    /// large page is, or if `pages` does not describe the frame.
    #[must_use]
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_lookup(&self, pgdir: &Pgdir, va: VirtAddr) -> Option<(Frame, Pte)> {
        // lab 2: begin page_lookup
        match self.walk(pgdir.address(), va) {
            Stop { level: 0, at, entry: Entry::Leaf(leaf), .. } if M::Format::is_canonical(va) => {
                Some((self.pages.pa2page(leaf.pa)?, Pte { pa: at }))
            }
            _ => None,
        }
        // lab 2: end
    }

    /// Unmaps the page that `va` lies in, if there is one, and frees its frame if that was its
    /// last use. Page tables stay.
    ///
    /// # Errors
    ///
    /// [`MapError::LargePage`], [`MapError::NonCanonical`] and [`MapError::Uvpt`]; nothing has
    /// changed then.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn page_remove(&mut self, pgdir: &mut Pgdir, va: VirtAddr) -> Result<(), MapError> {
        // lab 2: begin page_remove
        let va = va.page_start();
        let mut unused = None;
        if Self::is_user(va)
            && let Some(table) = self.fast_walk(pgdir.address(), va)
        {
            let at = M::Format::entry(0, table, va);
            let old = M::Format::decode(0, self.machine.load(at));
            let Some(pa) = old.page() else { return Ok(()) };
            self.machine.store(at, WordOf::<M>::ZERO);
            self.tlb_invalidate(pgdir, va);
            unused = self.pages.drop_further_use_at(pa);
            if unused.is_none() {
                return Ok(());
            }
        }
        self.page_remove_slow(pgdir, va, unused)
        // lab 2: end
    }

    // lab 2: begin omit
    /// The rest of [`page_remove`](Self::page_remove): frees the frame `unused`, or removes a mapping in the
    /// kernel's half, or where [`fast_walk`](Self::fast_walk) finds no table. (One function for both, so that
    /// `page_remove`, which is inlined, has only one call.)
    #[inline(never)]
    fn page_remove_slow(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        unused: Option<Frame>,
    ) -> Result<(), MapError> {
        if let Some(frame) = unused {
            self.pages.drop_last_use(frame);
            return Ok(());
        }
        match self.walk(pgdir.address(), va) {
            _ if !M::Format::is_canonical(va) => Err(MapError::NonCanonical { va }),
            _ if Self::is_uvpt(va) => Err(MapError::Uvpt { va }),
            Stop { level: 0, at, entry, .. } => {
                if entry.page().is_some() {
                    self.machine.store(at, WordOf::<M>::ZERO);
                    self.drop_page(pgdir, va, entry);
                }
                Ok(())
            }
            Stop { level, entry, .. } if entry.page().is_some() => {
                Err(MapError::large_page(va, M::Format::page_size(level)))
            }
            _ => Ok(()),
        }
    }

    /// Ends a mapping at `va` whose entry is gone: first its translation, then its use of the frame.
    fn drop_page(&mut self, pgdir: &Pgdir, va: VirtAddr, old: Entry) {
        let Some(pa) = old.page() else { return };
        self.tlb_invalidate(pgdir, va);
        if Self::is_user(va) {
            self.pages.page_decref_at(pa);
        }
    }

    // lab 2: end
    /// Drops the processor's translation of `va`, unless `pgdir` is not in use and `va` is not
    /// in the part that all page directories share.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn tlb_invalidate(&mut self, pgdir: &Pgdir, va: VirtAddr) {
        let cpus = self.holders(pgdir.address(), va);
        self.machine.invlpg(cpus, va);
    }

    /// Maps the page at `va` to a copy of `frame`.
    ///
    /// # Errors
    ///
    /// As [`page_insert`](Self::page_insert), and [`MapError::NoMemory`] if no frame is free for the
    /// copy. Nothing has changed then.
    pub(crate) fn map_copy(
        &mut self,
        pgdir: &mut Pgdir,
        frame: Frame,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        let copy = self.page_alloc(AllocFlags::empty()).ok_or(MapError::NoMemory { va })?;
        self.copy_frame(self.pages.page2pa(frame), self.pages.page2pa(copy));
        self.page_insert(pgdir, copy, va, perm).inspect_err(|_| self.pages.page_free(copy))
    }

    /// Whether `va` lies in the user half, whose mappings count in `pp_ref`. The half ends at `LOWER_END`,
    /// not at UTOP, so that no large page lies on both sides.
    #[inline]
    pub(crate) fn is_user(va: VirtAddr) -> bool {
        let va = va.as_u64();
        match u32::try_from(M::Layout::LOWER_END) {
            // On a machine with 32 bits this takes half the instructions of the comparison below.
            Ok(end) => va >> 32 == 0 && (va as u32) < end,
            Err(_) => va < M::Layout::LOWER_END,
        }
    }

    /// Gives the page of `level`'s size whose entry is at `at` the permissions `perm`. Accessed and
    /// dirty bits stay.
    pub(crate) fn set_perm(&mut self, level: u32, at: PhysAddr, perm: Perm) {
        let word = self.machine.load(at);
        self.exchange_leaf(level, at, word, |leaf| {
            M::Format::encode(level, &Leaf { perm, ..leaf })
        });
    }

    /// The physical address that `va` is mapped to, through pages of any size.
    #[must_use]
    pub fn va2pa(&self, pgdir: &Pgdir, va: VirtAddr) -> Option<PhysAddr> {
        // lab 2: begin va2pa
        match self.walk(pgdir.address(), va) {
            Stop { level, entry: Entry::Leaf(leaf), .. } if M::Format::is_canonical(va) => {
                Some(leaf.pa + (va.as_u64() & (M::Format::page_size(level) - 1)))
            }
            _ => None,
        }
        // lab 2: end
    }
}

#[cfg(all(test, not(miri)))]
mod tests;
