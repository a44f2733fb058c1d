//! Reads of memory that may be damaged: physical words, only where RAM is, and walks of page tables.
//! Takes no lock, so that the report of a panic can use it too.

use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::monitor::explain::{self, WalkTrace};

use crate::arch::{Format, Layout, probe};
use crate::boot_info;

/// The 8 bytes at `pa`; `None` if `pa` is not aligned or not in RAM that a window shows.
#[must_use]
pub(crate) fn load(pa: PhysAddr) -> Option<u64> {
    if !boot_info::is_ram(pa) || !pa.is_aligned(8) {
        return None;
    }
    probe::load(kaddr::<Layout>(pa, 8)?.as_u64()).ok()
}

/// The walk of `va` from the page directory at `pgdir`.
#[must_use]
pub(crate) fn walk(pgdir: PhysAddr, va: VirtAddr) -> WalkTrace<Format> {
    explain::trace(pgdir, va, load)
}

#[cfg(test)]
mod tests;
