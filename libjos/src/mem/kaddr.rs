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
mod tests {
    use super::*;
    use layout::{GB, Jos32, Jos64, JosSv39, MB};

    fn shown<L: MemLayout>(offset: u64, size: u64) -> Option<u64> {
        let pa = PhysAddr::new(L::PHYS_BASE + offset);
        let va = kaddr::<L>(pa, size)?;
        assert_eq!(paddr::<L>(va), Some(pa));
        Some(va.as_u64())
    }

    fn both_windows<L: MemLayout>() {
        let (window, physmap) = (256 * MB, L::PHYSMAP_MAX);
        assert_eq!(shown::<L>(0, 1), Some(L::KERNBASE));
        assert_eq!(shown::<L>(window - 8, 8), Some(L::KERNBASE + (window - 8)));
        assert_eq!(shown::<L>(window - 8, 9), None, "in two windows");
        if physmap > 0 {
            assert_eq!(shown::<L>(window, 8), Some(L::PHYSMAP + window));
            assert_eq!(shown::<L>(physmap - 8, 8), Some(L::PHYSMAP + (physmap - 8)));
        }
        assert_eq!(shown::<L>(physmap.max(window) - 7, 8), None);
        assert_eq!(kaddr::<L>(PhysAddr::new(u64::MAX), 8), None);
        assert_eq!(paddr::<L>(VirtAddr::new(L::KERNBASE - 1)), None);
        assert_eq!(paddr::<L>(VirtAddr::new(L::PHYSMAP)), None, "the window's is not shown twice");
    }

    #[test]
    fn window_and_physmap_show_each_byte_once() {
        both_windows::<Jos64>();
        both_windows::<Jos32>();
        both_windows::<JosSv39>();
        assert_eq!(paddr::<Jos32>(VirtAddr::new(4 * GB)), None);
        assert_eq!(shown::<Jos64>(5 * GB, 1), Some(0xffff_ff81_4000_0000));
        let below = PhysAddr::new(JosSv39::PHYS_BASE - 1);
        assert_eq!(kaddr::<JosSv39>(below, 1), None);
    }
}
