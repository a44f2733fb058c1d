//! A program's memory, as its calls name it: [`user_mem_check`](Envs::user_mem_check), and the pages that calls
//! hand from one environment to another.

use layout::{MemLayout, PGSIZE};

use super::frame::TrapFrame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::Frame;
use crate::paging::format::{Entry, Geometry, Perm};
use crate::paging::vm::Vm;
use crate::space::AddressSpace;

impl<F: TrapFrame> Envs<F> {
    /// Checks that the program may read all of the `len` bytes at `va`, or, if `perm` has W, write them.
    ///
    /// # Errors
    ///
    /// The first address that it may not access so, which is not below `va`.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn user_mem_check<M: Machine>(
        &self,
        vm: &Vm<M>,
        index: EnvIndex,
        va: VirtAddr,
        len: u64,
        perm: Perm,
    ) -> Result<(), VirtAddr> {
        let space = self.slots.get(index).space();
        let (mut page, mut left) = (va, len);
        while left > 0 {
            user_access(vm, space, page, perm).ok_or(page)?;
            // The last page before 2^64 is the kernel's, so no sum overflows.
            let done = left.min(left_in_page(page));
            (page, left) = (page + done, left - done);
        }
        Ok(())
    }
}

/// Bytes from `va` to the end of its page.
pub(super) const fn left_in_page(va: VirtAddr) -> u64 {
    PGSIZE - va.as_u64() % PGSIZE
}

/// The physical address of the byte at `va`, if the program may read it, and write it if `perm` has W.
/// Programs read between UTOP and ULIM too.
#[inline(always)]
pub(super) fn user_access<M: Machine>(
    vm: &Vm<M>,
    space: &AddressSpace,
    va: VirtAddr,
    perm: Perm,
) -> Option<PhysAddr> {
    // In UVPT each leaf found is a table's entry, which says that its pages may be written.
    let end = if perm.contains(Perm::W) { M::Layout::UTOP } else { M::Layout::ULIM };
    if va.as_u64() >= end || !M::Format::is_canonical(va) {
        return None;
    }
    let stop = vm.walk_fast(space.pgdir().address(), va);
    match stop.entry {
        Entry::Leaf(leaf) if leaf.perm.contains(perm | Perm::UR) => {
            let size = M::Format::page_size(stop.level);
            Some(leaf.pa + (va.as_u64() & (size - 1)))
        }
        _ => None,
    }
}

/// The frame of the page at `va`, below UTOP, and its permissions. `None` if the program has no page there.
pub(super) fn user_frame<M: Machine>(
    vm: &Vm<M>,
    space: &AddressSpace,
    va: VirtAddr,
) -> Option<(Frame, Perm)> {
    let stop = vm.walk_fast(space.pgdir().address(), va);
    match stop.entry {
        Entry::Leaf(leaf) if stop.level == 0 && leaf.perm.contains(Perm::U) => {
            Some((vm.pages().pa2page(leaf.pa)?, leaf.perm))
        }
        _ => None,
    }
}
