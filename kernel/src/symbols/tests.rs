//! The kernel's bounds, and the table of names.

use alloc::vec::Vec;

use libjos::symtab::Builder;

use super::*;
use crate::arch::host::process::alone;
use crate::rig;

const fn va(offset: u64) -> VirtAddr {
    VirtAddr::new(Layout::KERNBASE + offset)
}

#[test]
fn parts() {
    for (at, part) in [
        (0xF_FFFF, None),
        (0x10_0000, Some("code")),
        (0x18_0FFF, Some("code")),
        (0x18_1000, Some("constants")),
        (0x1B_FFFF, Some("constants")),
        (0x1C_0000, Some("data")),
        (0x1F_FFFF, Some("data")),
        (0x20_0000, None),
    ] {
        assert_eq!(part_of(va(at)), part, "{at:#x}");
    }
    assert_eq!(part_of(VirtAddr::new(0x10_0000)), None);
}

#[test]
fn addresses() {
    assert_eq!(
        linker_symbols(),
        [
            ("_start", VirtAddr::new(0x10_0040)),
            ("entry", va(0x10_0040)),
            ("stext", va(0x10_0000)),
            ("etext", va(0x18_0123)),
            ("text_end_exclusive", va(0x18_1000)),
            ("rodata_end_exclusive", va(0x1C_0000)),
            ("edata", va(0x1D_0456)),
            ("end", va(0x20_0000)),
        ]
    );
    assert_eq!(boot_stack(), (va(0x1E_0000), va(0x1E_8000)));
    let PhysRange { start, end_exclusive } = kernel_image().text;
    assert_eq!((start.as_u64(), end_exclusive.as_u64()), (0x10_0000, 0x18_1000));
    let PhysRange { start, end_exclusive } = kernel_image().rodata;
    assert_eq!((start.as_u64(), end_exclusive.as_u64()), (0x18_1000, 0x1C_0000));
    let PhysRange { start, end_exclusive } = kernel_image().data;
    assert_eq!((start.as_u64(), end_exclusive.as_u64()), (0x1C_0000, 0x20_0000));
    let PhysRange { start, end_exclusive } = kernel_image().stack;
    assert_eq!((start.as_u64(), end_exclusive.as_u64()), (0x1E_0000, 0x1E_8000));
}

#[test]
fn physical_addresses() {
    for at in [0, 1, 0xFFF_FFFF] {
        assert_eq!(paddr(va(at)), PhysAddr::new(Layout::PHYS_BASE + at));
    }
}

#[test]
#[should_panic(expected = "is negative")]
fn a_physical_address_below_the_window() {
    let _ = paddr(VirtAddr::new(Layout::KERNBASE - 1));
}

/// Two functions side by side, a hole, and a third; the names are found at each one's first and last byte.
#[test]
fn names_and_holes() {
    alone(|| {
        assert!(table().is_none(), "no table was put in");
        let base = Layout::KERNBASE + 0x10_0000;
        let mut builder = Builder::new();
        builder.symbol(base, 0x10, "one");
        builder.symbol(base + 0x10, 1, "two");
        builder.symbol(base + 0x100, 8, "three");
        builder.row(base, Vec::from([rig::source("one", "a.rs", 1)]));
        builder.row(base + 0x11, Vec::new());
        rig::symbols(builder);
        let table = table().expect("a table was put in");
        let name = |at| table.symbol_at(base + at).map(|symbol| symbol.name);
        for (at, expected) in [
            (0, Some("one")),
            (0xF, Some("one")),
            (0x10, Some("two")),
            (0x11, None),
            (0xFF, None),
            (0x100, Some("three")),
            (0x107, Some("three")),
            (0x108, None),
        ] {
            assert_eq!(name(at), expected, "{at:#x}");
        }
        assert_eq!(table.frames(base + 0x11).count(), 0);
        assert_eq!(table.symbols().len(), 3);
    })
    .assert_returned();
}
