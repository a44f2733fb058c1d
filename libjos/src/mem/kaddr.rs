//! Where the kernel sees physical memory: JOS's `KADDR` and `PADDR`, over both windows.
//!
//! The window at KERNBASE shows the first 256 MB, PHYSMAP what RAM there is above. Both map in
//! order, so this is arithmetic: it does not say whether something is mapped there yet.

use layout::MemLayout;

use crate::mem::addr::{PhysAddr, VirtAddr};

/// Where the kernel sees the `size` bytes at `pa` in one piece; `None` where no window shows them
/// so.
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

/// What physical address `va` shows; `None` where `va` lies in neither window.
#[must_use]
pub fn paddr<L: MemLayout>(va: VirtAddr) -> Option<PhysAddr> {
    let offset = |base: u64| va.as_u64().checked_sub(base);
    let in_window = offset(L::KERNBASE).filter(|offset| *offset < L::WINDOW_SIZE);
    let in_physmap = || {
        let shown = L::WINDOW_SIZE..L::PHYSMAP_MAX;
        offset(L::PHYSMAP).filter(|offset| shown.contains(offset))
    };
    let offset = in_window.or_else(in_physmap)?;
    Some(PhysAddr::new(L::PHYS_BASE + offset))
}

#[cfg(test)]
mod tests;
