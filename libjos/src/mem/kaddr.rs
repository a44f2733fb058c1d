//! [`kaddr`] and [`paddr`]: JOS's `KADDR` and `PADDR`, over the window and PHYSMAP.
//!
//! The window at KERNBASE shows the first 256 MB, PHYSMAP the RAM above. Both map in order, so this is
//! arithmetic: it does not tell whether something is mapped there yet.

use layout::MemLayout;

use crate::mem::addr::{PhysAddr, VirtAddr};

/// The virtual address at which the kernel sees the `size` bytes at `pa` in one piece; `None` if
/// neither the window nor PHYSMAP shows them so.
#[must_use]
pub fn kaddr<L: MemLayout>(pa: PhysAddr, size: u64) -> Option<VirtAddr> {
    let offset = pa.as_u64().checked_sub(L::PHYS_BASE)?;
    let last = offset.checked_add(size.max(1) - 1)?;
    if last < L::WINDOW_SIZE {
        Some(VirtAddr::new(L::KERNBASE + offset))
    } else if offset >= L::WINDOW_SIZE && last < L::PHYSMAP_MAX {
        Some(VirtAddr::new(L::PHYSMAP + offset))
    } else {
        None
    }
}

/// The physical address that `va` shows; `None` if `va` lies neither in the window nor in PHYSMAP.
#[must_use]
pub fn paddr<L: MemLayout>(va: VirtAddr) -> Option<PhysAddr> {
    let offset = |base: u64| va.as_u64().checked_sub(base);
    let in_window = offset(L::KERNBASE).filter(|offset| *offset < L::WINDOW_SIZE);
    let shown = L::WINDOW_SIZE..L::PHYSMAP_MAX;
    let in_physmap = || offset(L::PHYSMAP).filter(|offset| shown.contains(offset));
    let offset = in_window.or_else(in_physmap)?;
    Some(PhysAddr::new(L::PHYS_BASE + offset))
}

#[cfg(test)]
mod tests;
