//! Tests of `kaddr` and `paddr` on three maps.

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
