//! Addresses that every format has, in its own measures: boundaries of tables and of large pages, a
//! device.

use core::mem::ManuallyDrop;

use layout::{GB, MemLayout, PGSIZE};
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::{Format, Geometry};
use libjos::paging::vm::Vm;
use libjos::space::AddressSpace;

/// The level of the largest pages.
pub(crate) fn top<F: Format>() -> u32 {
    F::LEAF_LEVELS.ilog2()
}

/// Device memory behind all RAM, which `pages` does not describe, aligned to the largest page.
pub(crate) fn device<L: MemLayout, F: Format>() -> PhysAddr {
    PhysAddr::new((L::PHYS_BASE + GB).next_multiple_of(huge::<F>()))
}

/// Two address spaces, of which the first may be in use.
pub(crate) struct Spaces {
    pub(crate) space: ManuallyDrop<AddressSpace>,
    pub(crate) other: ManuallyDrop<AddressSpace>,
}

impl Spaces {
    pub(crate) fn new<M: Machine>(vm: &mut Vm<M>) -> Self {
        let mut new = || ManuallyDrop::new(AddressSpace::uvmcreate(vm).unwrap());
        Self { space: new(), other: new() }
    }
}

/// Where the `n`th page from `start` on is.
pub(crate) fn page(start: u64, n: u64) -> VirtAddr {
    VirtAddr::new(start + n * PGSIZE)
}

/// Bytes that a table of the last level maps.
pub(crate) fn block<F: Format>() -> u64 {
    F::page_size(1)
}

/// Bytes of the largest page.
pub(crate) fn huge<F: Format>() -> u64 {
    F::page_size(top::<F>())
}

/// Bytes that a table of the lowest level with large pages maps, if there is one below the root; else
/// what a table of the last level does.
pub(crate) fn middle<F: Format>() -> u64 {
    F::page_size(2.min(top::<F>()))
}

/// Bytes that one entry of it maps.
pub(crate) fn part<F: Format>() -> u64 {
    F::page_size(2.min(top::<F>()) - 1)
}

/// A page just below USTACKTOP, far from all others.
pub(crate) fn far<L: MemLayout>() -> VirtAddr {
    page(L::USTACKTOP - PGSIZE, 0)
}
