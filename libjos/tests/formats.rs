//! Each format's entries: what is encoded is decoded, at every level, and is to the bit what the
//! manual says. Nothing here is unsafe, so that Miri is spared it.
#![cfg(not(miri))]

use layout::{MB, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use libjos::paging::word::Word;

/// Every leaf that can be asked for comes back as it was asked for.
fn round_trip<F: Format>() {
    for level in (0..F::LEVELS).filter(|level| F::LEAF_LEVELS & 1 << level != 0) {
        let pa = PhysAddr::new(F::page_size(level) * 5);
        let asked = (0..=Perm::all().bits()).map(|bits| Perm::from_bits_truncate(bits) | Perm::R);
        // A page has one mark of the kernel's at most.
        for perm in asked.filter(|perm| !perm.contains(Perm::COW | Perm::PRIVATE)) {
            let Entry::Leaf(Leaf { pa: found, perm: has, .. }) =
                F::decode(level, F::leaf(level, pa, perm))
            else {
                panic!("{}: a leaf of level {level} is decoded as something else", F::NAME);
            };
            let kept = F::effective(perm - without_room::<F>(perm));
            assert_eq!((found, has), (pa, kept), "{} level {level}", F::NAME);
        }
        // A pending page never looks absent, not even the one that says least: at 0, the kernel's.
        for pa in [0, 1, 5].map(|n| PhysAddr::new(F::page_size(level) * n)) {
            for perm in [Perm::KR, Perm::URW | Perm::X | Perm::COW, Perm::KRW | Perm::G] {
                let word = F::pending(F::leaf(level, pa, perm));
                assert_eq!(F::decode(level, word), Entry::Pending { pa }, "{}: {word:#x}", F::NAME);
                assert_eq!(F::pending(word), word);
                assert_eq!(word.to_u64() & 1, 0, "the processor sees a page");
            }
        }
        assert_eq!(F::decode(level, F::Word::ZERO), Entry::Absent);
    }
    for level in 1..F::LEVELS {
        let pa = PhysAddr::new(0x1234_5000);
        assert_eq!(F::decode(level, F::table(pa)), Entry::Table { pa, allows: Perm::all() });
    }
    assert_eq!(F::self_map(PhysAddr::new(0x5000)).is_some(), F::SELF_MAP);
}

/// The bits of a program's own that an entry has no room for.
fn without_room<F: Format>(perm: Perm) -> Perm {
    let marked = perm.intersects(Perm::COW | Perm::PRIVATE);
    match F::NAME {
        "i386" if marked => Perm::AVAIL,
        "i386" => Perm::from_bits_truncate(0x200),
        "Sv39" | "Sv48" => Perm::AVAIL,
        _ => Perm::empty(),
    }
}

/// The marks that the processor sets for a page are at their places in an entry.
fn notes<F: Format>(bits: [(bool, bool, u64); 3]) {
    for level in (0..F::LEVELS).filter(|level| F::LEAF_LEVELS & 1 << level != 0) {
        let pa = PhysAddr::new(F::page_size(level));
        let entry =
            |accessed, dirty| F::encode(level, &Leaf { pa, perm: Perm::UR, accessed, dirty });
        for (accessed, dirty, bits) in bits {
            let word = entry(accessed, dirty);
            assert_eq!(word.to_u64() & bits, bits, "{} level {level}", F::NAME);
            let Entry::Leaf(leaf) = F::decode(level, word) else { panic!("no leaf") };
            assert_eq!((leaf.accessed, leaf.dirty), (accessed, dirty), "{} level {level}", F::NAME);
        }
    }
}

/// A table is found in the range that it lies in, by the entry that was made for it and by no other.
fn tables_in_a_range<F: Format>(start: u64, size: u64) {
    let range = PhysRange::from_size(PhysAddr::new(start), size);
    let last = PhysAddr::new(start + size - PGSIZE);
    for table in [range.start, range.start + PGSIZE, last] {
        let entry = F::table(table).to_u64();
        assert_eq!(F::table_in(&range, Word::from_u64(entry)), Some(table), "{}", F::NAME);
        for bit in 0..8 * F::Word::BYTES {
            let other = entry ^ 1 << bit;
            let found = F::table_in(&range, Word::from_u64(other));
            let expected = match F::decode(1, Word::from_u64(other)) {
                Entry::Table { pa, .. } if pa != table => Some(pa).filter(|pa| range.contains(*pa)),
                _ => None,
            };
            assert_eq!(found, expected, "{}: bit {bit} of {entry:#x} is another", F::NAME);
        }
    }
    if start > 0 {
        let below = F::table(PhysAddr::new(start - PGSIZE));
        assert_eq!(F::table_in(&range, below), None);
    }
    assert_eq!(F::table_in(&range, F::table(range.end_exclusive)), None);
    assert_eq!(F::table_in(&range, F::Word::ZERO), None);
    assert_eq!(F::table_in(&range, F::leaf(1, range.start, Perm::URW)), None);
}

#[test]
fn tables_are_found_in_the_window() {
    let window = 256 * MB;
    tables_in_a_range::<X86_64>(0, window);
    tables_in_a_range::<La57>(0x80_0000_0000, window);
    tables_in_a_range::<I386>(0, window);
    tables_in_a_range::<I386>(window, window);
    tables_in_a_range::<Sv39>(0x8000_0000, window);
    tables_in_a_range::<Sv48>(0x8000_0000, 4 * MB);
}

/// A processor sets bit 5 of each entry that it walks through (Intel SDM vol. 3A, 4.8); in a table's
/// entry it is set already. On RISC-V such a bit is reserved (privileged spec., 12.3.1).
#[test]
fn tables_come_with_the_accessed_bit() {
    let table = PhysAddr::new(0x8000_0000);
    assert_eq!(X86_64::table(table), 0x8000_0027);
    assert_eq!(I386::table(table), 0x8000_0027);
    assert_eq!(Sv39::table(table), 0x2000_0001);
}

/// Entries that this library does not write, but a loader or a processor may have.
#[test]
fn entries_of_others() {
    // A page that can only be executed, not used yet (RISC-V privileged spec., table 5.4).
    let Entry::Leaf(leaf) = Sv39::decode(0, 0x0000_0000_0000_0009) else { panic!("no leaf") };
    assert_eq!((leaf.perm, leaf.accessed), (Perm::X, false));
    // A large page with PAT, and above it bits of an address beyond 4 GB (Intel SDM vol. 3A, 4.3).
    let Entry::Leaf(leaf) = I386::decode(1, 0x0040_3081) else { panic!("no leaf") };
    assert_eq!(leaf.pa, PhysAddr::new(0x0040_0000));
}

#[test]
fn accessed_and_dirty() {
    // Intel SDM vol. 3A, 4.8: bits 5 and 6.
    let intel = [(false, false, 0), (true, false, 0x20), (true, true, 0x60)];
    notes::<X86_64>(intel);
    notes::<La57>(intel);
    notes::<I386>(intel);
    // RISC-V marks them beforehand; bits 6 and 7.
    let risc_v = [(true, false, 0x40), (true, true, 0xC0), (true, false, 0x40)];
    notes::<Sv39>(risc_v);
    notes::<Sv48>(risc_v);
}

#[test]
fn x86_64() {
    round_trip::<X86_64>();
    let pa = PhysAddr::new(0x4020_0000);
    // Intel SDM vol. 3A, tables 4-18 (2 MB page) and 4-20 (4 KB page).
    assert_eq!(X86_64::leaf(0, pa, Perm::URW), 0x8000_0000_4020_0007);
    assert_eq!(X86_64::leaf(1, pa, Perm::KRX | Perm::G), 0x4020_0181);
    assert_eq!(X86_64::table(pa), 0x4020_0027);
    assert_eq!(X86_64::self_map(pa), Some(0x8000_0000_4020_0005));
    // Bit 7 is PAT in a 4 KB page's entry, bit 12 in a larger one's: neither is an address.
    assert!(
        matches!(X86_64::decode(0, 0x1081), Entry::Leaf(Leaf { pa, .. }) if pa == PhysAddr::new(0x1000))
    );
    assert!(
        matches!(X86_64::decode(1, 0x20_1081), Entry::Leaf(Leaf { pa, .. }) if pa == PhysAddr::new(0x20_0000))
    );
    let Entry::Leaf(leaf) = X86_64::decode(0, 0x1061) else { panic!("a leaf") };
    assert!(leaf.accessed && leaf.dirty);
    // Bits 52 and 53 are left to software, and so are 9 to 11, which JOS's programs use.
    assert_eq!(X86_64::leaf(0, pa, Perm::UR | Perm::COW), 0x8010_0000_4020_0005);
    assert_eq!(X86_64::leaf(0, pa, Perm::UR | Perm::PRIVATE), 0x8020_0000_4020_0005);
    assert_eq!(X86_64::leaf(0, pa, Perm::UR | Perm::AVAIL), 0x8000_0000_4020_0E05);
}

/// Five levels are the same entries, one level more.
#[test]
fn five_levels() {
    round_trip::<La57>();
    assert_eq!((La57::NAME, X86_64::NAME), ("x86-64 LA57", "x86-64"));
    assert_eq!((La57::VA_BITS, La57::ROOT, La57::page_size(La57::ROOT)), (57, 4, 1 << 48));
    assert_eq!(La57::LEAF_LEVELS, X86_64::LEAF_LEVELS);
    let pa = PhysAddr::new(0x4020_0000);
    assert_eq!(La57::leaf(1, pa, Perm::KRX), X86_64::leaf(1, pa, Perm::KRX));
    assert!(La57::is_canonical(VirtAddr::new(0x00ff_ffff_ffff_ffff)));
    assert!(!La57::is_canonical(VirtAddr::new(0x0100_0000_0000_0000)));
    let kernel_half = La57::address(4, VirtAddr::new(0), 256);
    assert_eq!(kernel_half, VirtAddr::new(0xff00_0000_0000_0000));
    assert_eq!((La57::index(4, kernel_half), La57::index(3, kernel_half)), (256, 0));
}

#[test]
fn i386() {
    round_trip::<I386>();
    let pa = PhysAddr::new(0x40_0000);
    // Intel SDM vol. 3A, tables 4-4 (4 MB page) and 4-6 (4 KB page).
    assert_eq!(I386::leaf(0, pa, Perm::URW), 0x40_0007);
    assert_eq!(I386::leaf(1, pa, Perm::KRW), 0x40_0083);
    assert_eq!(I386::self_map(pa), Some(0x40_0005));
    // Bit 9 is the kernel's; 11 is the PTE_COW of JOS's programs.
    assert_eq!(I386::leaf(0, pa, Perm::UR | Perm::COW), 0x40_0205);
    assert_eq!(I386::leaf(0, pa, Perm::UR | Perm::PRIVATE), 0x40_0605);
    assert_eq!(I386::leaf(0, pa, Perm::UR | Perm::AVAIL), 0x40_0C05);
}

#[test]
fn sv39() {
    round_trip::<Sv39>();
    let pa = PhysAddr::new(0x8020_0000);
    // RISC-V privileged specification, figure 63: PPN from bit 10, DAGUXWRV below.
    assert_eq!(Sv39::leaf(0, pa, Perm::URW), 0x2008_0000 | 0b1101_0111);
    assert_eq!(Sv39::leaf(2, pa, Perm::KRX), 0x2008_0000 | 0b0100_1011);
    assert_eq!(Sv39::table(pa), 0x2008_0001);
    // A pointer in the last level leads nowhere.
    assert_eq!(Sv39::decode(0, 0x2008_0001), Entry::Absent);
    // The lower one of RSW's two bits.
    assert_eq!(Sv39::leaf(0, pa, Perm::UR | Perm::COW), 0x2008_0000 | 0b1_0101_0011);
}

#[test]
fn sv48() {
    round_trip::<Sv48>();
    assert_eq!((Sv48::NAME, Sv39::NAME), ("Sv48", "Sv39"));
    assert_eq!((Sv48::VA_BITS, Sv48::ROOT, Sv48::page_size(Sv48::ROOT)), (48, 3, 512 << 30));
    // Privileged specification, 12.5: 512 GB pages too.
    assert_eq!((Sv48::LEAF_LEVELS, Sv39::LEAF_LEVELS), (0b1111, 0b111));
    assert!(Sv48::is_canonical(VirtAddr::new(0x7fff_ffff_ffff)));
    assert!(!Sv48::is_canonical(VirtAddr::new(0x8000_0000_0000)));
}

#[test]
fn addresses() {
    assert!(X86_64::is_canonical(VirtAddr::new(0x7fff_ffff_ffff)));
    assert!(!X86_64::is_canonical(VirtAddr::new(0x8000_0000_0000)));
    assert!(X86_64::is_canonical(VirtAddr::new(0xffff_8000_0000_0000)));
    assert!(!Sv39::is_canonical(VirtAddr::new(0x40_0000_0000)));
    assert!(I386::is_canonical(VirtAddr::new(0xffff_ffff)));
    assert!(!I386::is_canonical(VirtAddr::new(1 << 32)));
    let kernel_half = X86_64::address(3, VirtAddr::new(0), 511);
    assert_eq!(kernel_half, VirtAddr::new(0xffff_ff80_0000_0000));
    assert_eq!(I386::address(1, VirtAddr::new(0), 1023), VirtAddr::new(0xffc0_0000));
    assert_eq!(X86_64::index(3, kernel_half), 511);
}

#[test]
fn permissions_in_letters() {
    assert_eq!((Perm::KRX | Perm::G).to_string(), "-r-xg");
    assert_eq!(Perm::URW.to_string(), "urw--");
    assert_eq!((Perm::UR | Perm::COW).to_string(), "urc--");
}
