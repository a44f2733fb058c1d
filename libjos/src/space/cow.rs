//! Copy-on-write: [`uvmcow`](AddressSpace::uvmcow) gives two address spaces the same pages, and
//! [`cow_fault`](AddressSpace::cow_fault) gives the one that writes a copy.
//!
//! A page is copy-on-write if and only if its entry has [`Perm::COW`], a bit that the processor leaves to
//! software. So it is never mistaken for a read-only page, which is shared and stays read-only. `pp_ref`
//! only tells whether a copy is needed.
//!
//! A read-only page may be made writable later, by [`protect_range`](Vm::protect_range), and then
//! two spaces must not write to one page. So a shared page that is not copy-on-write has
//! [`Perm::PRIVATE`]. A page has at most one of W, COW and PRIVATE. `protect_range` changes COW to
//! PRIVATE if W is not asked for, and back if it is; only `cow_fault` gives W. (Mapping a page anew gives
//! it new permissions.)

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::Frame;
use crate::paging::error::MapError;
use crate::paging::flush::Flush;
use crate::paging::format::Perm;
use crate::paging::mappings::Mapping;
use crate::paging::vm::Vm;
use crate::space::AddressSpace;
use crate::space::duplicate::{
    check_countable, check_free, duplicate, share_at, tables_to_duplicate, user_leaves,
};
use crate::space::uvm::{UvmError, of_new_frames, user_end};

impl AddressSpace {
    /// Gives `new` the first `sz` bytes of user memory, without copying them: each page is mapped in `new`
    /// too. A page that could be written becomes copy-on-write in both; one that
    /// could not becomes it in either space if it is made writable there. Holes stay holes; pages that
    /// are no RAM, such as a device's, are shared as they are.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoMemory`]; [`UvmError::Limit`] for a size beyond UTOP; [`UvmError::Map`]
    /// if something is in the way in `new`, for a large page that can be written, if a `pp_ref` would
    /// overflow, and if an entry that was written by hand is global. Nothing has changed then.
    pub fn uvmcow<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        new: &mut Self,
        sz: u64,
    ) -> Result<(), UvmError> {
        let (old, new, end) = (self.root(), new.root(), user_end(sz, M::Layout::UTOP)?);
        let large_as = |vm: &Vm<M>, leaf: &Mapping| {
            let perm =
                if vm.ram_pages(&leaf.range()) > 0 { leaf.perm.private() } else { leaf.perm };
            (!becomes_cow(vm, leaf)).then_some(perm)
        };
        let tables = tables_to_duplicate(vm, old, new, end, large_as)?;
        check_free(vm, tables, old, end)?;
        let large = |leaf: &Mapping| leaf.largest > PGSIZE && becomes_cow(vm, leaf);
        if let Some(leaf) = user_leaves(vm, old, end).find(large) {
            return Err(MapError::large_page(leaf.va, leaf.largest).into());
        }
        check_countable(vm, old, end, true)?;
        let mut flush = Flush::new(vm.users(old));
        duplicate(vm, old, new, end, large_as, |vm, at, old_at, page| {
            let Mapping { va, pa, mut perm, .. } = page;
            if vm.is_ram(pa) {
                if perm.contains(Perm::W) {
                    flush.add(va);
                }
                perm = perm.private();
                vm.set_perm(0, old_at, perm);
            }
            share_at(vm, at, pa, perm);
        });
        flush.flush(vm.machine_mut());
        Ok(())
    }

    /// Handles a user's page fault by a write to `va`. A page that is copy-on-write becomes writable; if it is in use
    /// elsewhere too, a copy takes its place first. The write can then be tried again. A page that can be written
    /// already stays as it is.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] where the user may not write there; [`UvmError::NoMemory`] for the
    /// copy; [`UvmError::Map`] where pages were merged to a large one, which must be split first.
    /// Nothing has changed then.
    pub fn cow_fault<M: Machine>(&mut self, vm: &mut Vm<M>, va: VirtAddr) -> Result<(), UvmError> {
        let page = self.user_page(vm, va, Perm::UR)?;
        if page.perm.contains(Perm::W) {
            // The processor has not noticed yet.
            vm.tlb_invalidate(&self.pgdir, va);
            return Ok(());
        }
        let frame = cow_frame(vm, &page, va)?;
        // Global it can only be by an entry that was written by hand.
        let perm = (page.perm - Perm::COW - Perm::G) | Perm::W;
        if vm.pages().pp_ref(frame) == 1 {
            vm.set_perm(0, vm.walk(self.root(), va).at, perm);
            vm.tlb_invalidate(&self.pgdir, va);
            return Ok(());
        }
        vm.map_copy(&mut self.pgdir, frame, va, perm).map_err(of_new_frames)
    }
}

/// The frame of `page`, which `va` lies in, if that is copy-on-write.
pub(super) fn cow_frame<M: Machine>(
    vm: &Vm<M>,
    page: &Mapping,
    va: VirtAddr,
) -> Result<Frame, UvmError> {
    if !page.perm.contains(Perm::COW) {
        return Err(UvmError::NoAccess { va });
    }
    if page.largest > PGSIZE {
        return Err(MapError::large_page(va, page.largest).into());
    }
    let frame = vm.pages().pa2page(page.pa).filter(|_| vm.is_ram(page.pa));
    frame.ok_or(UvmError::NoAccess { va })
}

/// Whether a page is to become copy-on-write when it is shared: a large one too, though it cannot.
fn becomes_cow<M: Machine>(vm: &Vm<M>, leaf: &Mapping) -> bool {
    leaf.perm.contains(Perm::W) && vm.ram_pages(&leaf.range()) > 0
}
