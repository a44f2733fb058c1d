//! The numbers of the maps, where no drawing shows them.

use layout::{GB, Jos32, Jos64, JosSv39, KB, MB, MemLayout, picture};

#[test]
fn a_pc_has_a_hole_below_1_mb() {
    assert_eq!((Jos32::IOPHYSMEM, Jos32::EXTPHYSMEM), (0xA_0000, 0x10_0000)); // as in JOS
    assert_eq!((Jos64::IOPHYSMEM, Jos64::EXTPHYSMEM), (640 * KB, MB));
    assert_eq!((JosSv39::IOPHYSMEM, JosSv39::EXTPHYSMEM), (0x8000_0000, 0x8000_0000));
}

#[test]
fn wide_addresses_have_two_halves() {
    assert_eq!([Jos32::HALVES, Jos64::HALVES, JosSv39::HALVES], [false, true, true]);
    assert_eq!((Jos32::VA_LAST, Jos64::VA_LAST), (0xFFFF_FFFF, u64::MAX));
    assert_eq!((Jos64::LOWER_END, Jos64::UPPER_START), (1 << 47, 0xFFFF_8000_0000_0000));
    assert_eq!((JosSv39::LOWER_END, JosSv39::UPPER_START), (1 << 38, 0xFFFF_FFC0_0000_0000));
}

/// Jos64 with so many megabytes of PHYSMAP.
enum With<const MEGABYTES: u64> {}

impl<const MEGABYTES: u64> MemLayout for With<MEGABYTES> {
    const NAME: &'static str = "With";
    const VA_BITS: u32 = 48;
    const PTSIZE: u64 = 512 * GB;
    const SELF_MAP: bool = true;
    const PHYS_BASE: u64 = 0;
    const PHYSMAP_MAX: u64 = MEGABYTES * MB;
}

/// Sizes have four digits at most; where no unit gives so few, there is none.
#[test]
fn drawings_have_short_sizes() {
    fn shown<L: MemLayout>() -> String {
        let drawing = picture::<L>().to_string();
        let row = drawing.lines().find(|line| line.contains("all physical memory"));
        row.expect("a row").split_once("RW/--").expect("its rights").1.to_string()
    }
    assert_eq!(shown::<With<9_999>>(), "  9999 MB");
    assert_eq!(shown::<With<10_000>>(), "");
    assert_eq!(shown::<With<10_240>>(), "  10 GB");
}
