//! Looking at memory that may be broken: physical words that are read only where RAM is, and walks
//! over them. Takes no lock, so that a panic can look too.

use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::monitor::explain::{self, WalkTrace};

use crate::arch::{Format, Layout, probe};
use crate::boot_info;

/// The 8 bytes at `pa`, an aligned address; `None` where there is no RAM that a window shows.
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
