//! A program's memory, as its calls name it: [`user_mem_check`](Envs::user_mem_check), and the pages that calls
//! hand from one environment to another.

use layout::{MemLayout, PGSIZE};

use super::frame::TrapFrame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::Frame;
// lab 3: begin memory_names
use crate::paging::format::{Entry, Geometry, Leaf, Perm};
// lab 3: end
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
        // lab 3: begin user_mem_check
        let space = self.slots.get(index).space();
        let (mut page, mut left) = (va, len);
        while left > 0 {
            user_access(vm, space, page, perm).ok_or(page)?;
            // The last page before 2^64 is the kernel's, so no sum overflows.
            let done = left.min(left_in_page(page));
            (page, left) = (page + done, left - done);
        }
        Ok(())
        // lab 3: end
    }
}

/// Bytes from `va` to the end of its page.
pub(super) const fn left_in_page(va: VirtAddr) -> u64 {
    PGSIZE - va.as_u64() % PGSIZE
}

/// The physical address of the byte at `va`, if the program may read it, and write it if `perm` has W.
/// Programs read between UTOP and ULIM too.
#[inline(always)]
#[must_use]
pub fn user_access<M: Machine>(
    vm: &Vm<M>,
    space: &AddressSpace,
    va: VirtAddr,
    perm: Perm,
) -> Option<PhysAddr> {
    // lab 3: begin user_access
    // In UVPT each leaf found is a table's entry, which says that its pages may be written.
    let end = if perm.contains(Perm::W) { M::Layout::UTOP } else { M::Layout::ULIM };
    if va.as_u64() >= end || !M::Format::is_canonical(va) {
        return None;
    }
    let (root, perm) = (space.pgdir().address(), perm | Perm::UR);
    match vm.fast_leaf(root, va) {
        Some(leaf) if leaf.perm.contains(perm) => {
            Some(PhysAddr::new(leaf.pa.as_u64() | (va.as_u64() % PGSIZE)))
        }
        _ => user_access_slow(vm, root, va, perm),
    }
    // lab 3: end
}

// lab 3: begin omit
/// The rest of [`user_access`]: a large page, a table that the fast path does not find, or no access.
#[cold]
#[inline(never)]
fn user_access_slow<M: Machine>(
    vm: &Vm<M>,
    root: PhysAddr,
    va: VirtAddr,
    perm: Perm,
) -> Option<PhysAddr> {
    let stop = vm.walk(root, va);
    match stop.entry {
        Entry::Leaf(leaf) if leaf.perm.contains(perm) => {
            Some(leaf.pa + (va.as_u64() & (M::Format::page_size(stop.level) - 1)))
        }
        _ => None,
    }
}

// lab 3: end
/// The frame of the page at `va`, below UTOP, and its permissions. `None` if the program has no page there.
pub(super) fn user_frame<M: Machine>(
    vm: &Vm<M>,
    space: &AddressSpace,
    va: VirtAddr,
) -> Option<(Frame, Perm)> {
    // lab 3: begin user_frame
    let root = space.pgdir().address();
    let leaf = vm.fast_leaf(root, va).or_else(|| slow_leaf(vm, root, va))?;
    // lab 3: end
    if !leaf.perm.contains(Perm::U) {
        return None;
    }
    Some((vm.pages().pa2page(leaf.pa)?, leaf.perm))
}

// lab 3: begin omit
/// The page of the smallest size at `va`.
#[cold]
#[inline(never)]
fn slow_leaf<M: Machine>(vm: &Vm<M>, root: PhysAddr, va: VirtAddr) -> Option<Leaf> {
    let stop = vm.walk(root, va);
    match stop.entry {
        Entry::Leaf(leaf) if stop.level == 0 => Some(leaf),
        _ => None,
    }
}
// lab 3: end
