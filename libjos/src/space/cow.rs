//! Copy-on-write: [`uvmcow`](Pmap::uvmcow) gives two address spaces the same pages, and
//! [`cow_fault`](Pmap::cow_fault) gives the one that writes a copy.
//!
//! A page is copy-on-write where its entry says [`Perm::COW`], a bit that the processor leaves to
//! software, and nowhere else. So it cannot be mistaken for one that is not to be written: that is
//! shared and stays read-only. Neither `pp_ref` nor where the page lies has a say in that; `pp_ref`
//! only tells whether a copy is needed.
//!
//! What is read-only may be made writable later, by [`protect_range`](Pmap::protect_range), and then
//! two spaces must not write to one page. So what was shared says it, copy-on-write or not: the
//! latter by [`Perm::PRIVATE`]. Of W, COW and PRIVATE a page has one at most. `protect_range` changes
//! COW to PRIVATE where W is not asked for, and back where it is; `cow_fault` alone gives W. (Who
//! maps a page anew says what it is from then on.)

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, Frame, PageAllocator};
use crate::paging::flush::Flush;
use crate::paging::format::{Entry, Format, Leaf, Perm};
use crate::paging::mappings::Mapping;
use crate::paging::pgdir::MapError;
use crate::pmap::Pmap;
use crate::space::uvm::{UserPage, UvmError};

impl<M: Machine> Pmap<M> {
    /// Gives `new` the user memory of `old`, `sz` bytes, without copying it: all that is mapped
    /// there is mapped in `new` too, and where it could be written it becomes copy-on-write in
    /// both. Where it could not, it will be that in either if it is made writable there. Holes stay
    /// holes; pages that are no RAM, such as a device's, are shared as they are.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoMemory`]; [`UvmError::Limit`] for a size beyond UTOP; [`UvmError::Map`]
    /// where something is in the way in `new`, for a large page that can be written, where a
    /// `pp_ref` would overflow, and where an entry that was written by hand is global. Nothing has
    /// changed then.
    pub fn uvmcow(&mut self, old: PhysAddr, new: PhysAddr, sz: u64) -> Result<(), UvmError> {
        let end = Self::user_end(sz, M::Layout::UTOP)?;
        let large_as = |pmap: &Self, leaf: &Mapping| {
            let perm = if pmap.holds_ram(leaf) { private(leaf.perm) } else { leaf.perm };
            (!pmap.becomes_cow(leaf)).then_some(perm)
        };
        let tables = self.tables_to_duplicate(old, new, end, large_as)?;
        self.check_free(tables, old, end)?;
        let large = |leaf: &Mapping| leaf.largest > PGSIZE && self.becomes_cow(leaf);
        if let Some(leaf) = self.user_leaves(old, end).find(large) {
            return Err(MapError::LargePage { va: leaf.va, size: leaf.largest }.into());
        }
        self.check_countable(old, end, true)?;
        let mut flush = Flush::new(self.loaded == Some(old));
        self.duplicate(old, new, end, large_as, |pmap, at, old_at, page| {
            let UserPage { va, pa, mut perm, .. } = page;
            if pmap.is_ram(pa) {
                if perm.contains(Perm::W) {
                    flush.add(va);
                }
                perm = private(perm);
                pmap.set_perm(0, old_at, perm);
            }
            pmap.share_at(at, pa, perm);
        });
        flush.flush(&mut self.machine);
        Ok(())
    }

    /// What a page-fault handler does about a user's write to `va`: where the page is
    /// copy-on-write, makes it writable, as a copy if it is in use elsewhere too, and else as it
    /// is. The write can then be tried again. A page that can be written already stays as it is.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] where the user may not write there; [`UvmError::NoMemory`] for the
    /// copy; [`UvmError::Map`] where pages were merged to a large one, which must be split first.
    /// Nothing has changed then.
    pub fn cow_fault(&mut self, pgdir: PhysAddr, va: VirtAddr) -> Result<(), UvmError> {
        let page = self.user_page(pgdir, va, Perm::UR)?;
        if page.perm.contains(Perm::W) {
            // The processor has not noticed yet.
            self.tlb_invalidate(pgdir, va);
            return Ok(());
        }
        let frame = self.cow_frame(&page, va)?;
        // Global it can only be by an entry that was written by hand.
        let perm = (page.perm - Perm::COW - Perm::G) | Perm::W;
        if self.pages.pp_ref(frame) == 1 {
            self.set_perm(0, self.walk(pgdir, va).at, perm);
            self.tlb_invalidate(pgdir, va);
            return Ok(());
        }
        let copy = self.page_alloc(AllocFlags::empty()).ok_or(UvmError::NoMemory { va })?;
        self.copy_frame(page.pa, self.pages.page2pa(copy));
        self.page_insert(pgdir, copy, va, perm)?;
        Ok(())
    }

    /// The frame of `page`, which `va` lies in, if that is copy-on-write.
    pub(crate) fn cow_frame(&self, page: &UserPage, va: VirtAddr) -> Result<Frame, UvmError> {
        if !page.perm.contains(Perm::COW) {
            return Err(UvmError::NoAccess { va });
        }
        if page.leaf_size > PGSIZE {
            return Err(MapError::LargePage { va, size: page.leaf_size }.into());
        }
        let frame = self.pages.pa2page(page.pa).filter(|_| self.is_ram(page.pa));
        frame.ok_or(UvmError::NoAccess { va })
    }

    /// Whether a page is to become copy-on-write when it is shared: a large one too, though it
    /// cannot.
    fn becomes_cow(&self, leaf: &Mapping) -> bool {
        leaf.perm.contains(Perm::W) && self.holds_ram(leaf)
    }

    /// Gives the page of `level`'s size whose entry is at `at` the permissions `perm`. Accessed and
    /// dirty bits stay.
    pub(crate) fn set_perm(&mut self, level: u32, at: PhysAddr, perm: Perm) {
        if let Entry::Leaf(leaf) = M::Format::decode(level, self.machine.load(at)) {
            self.machine.store(at, M::Format::encode(level, &Leaf { perm, ..leaf }));
        }
    }
}

/// `perm` for a page that may be others' too: copy-on-write where it was to be writable.
pub(crate) fn private(perm: Perm) -> Perm {
    if perm.intersects(Perm::W | Perm::COW) {
        (perm - Perm::W - Perm::PRIVATE) | Perm::COW
    } else {
        perm | Perm::PRIVATE
    }
}
