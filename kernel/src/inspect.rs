//! Looking at memory that may be broken: physical words that are read only where RAM is, and walks
//! over them. Takes no lock, so that a panic can look too.

use layout::Jos64;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::monitor::explain::{self, Walk};
use libjos::paging::format::x86_64::X86_64;
use x86_64::registers::control::Cr3;

use crate::boot_info;
use crate::probe;

/// The page directory that the processor uses.
#[must_use]
pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new(Cr3::read_raw().0.start_address().as_u64())
}

/// The 8 bytes at `pa`, an aligned address; `None` where there is no RAM that a window shows.
#[must_use]
pub(crate) fn load(pa: PhysAddr) -> Option<u64> {
    if !boot_info::is_ram(pa) || !pa.is_aligned(8) {
        return None;
    }
    probe::load(kaddr::<Jos64>(pa, 8)?.as_u64()).ok()
}

/// The walk of `va` from the page directory at `pgdir`.
#[must_use]
pub(crate) fn walk(pgdir: PhysAddr, va: VirtAddr) -> Walk<X86_64> {
    explain::walk(pgdir, va, load)
}
