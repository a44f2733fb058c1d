//! Tests of how a loader's list is read, and of the sums that are printed.

use super::*;
use layout::{GB, Jos32, Jos64, JosSv39, MB};

fn usable(base: u64, length: u64) -> MemoryMapEntry {
    MemoryMapEntry { base, length, kind: MemoryKind::Usable }
}

fn reserved(base: u64, length: u64) -> MemoryMapEntry {
    MemoryMapEntry { base, length, kind: MemoryKind::Reserved }
}

fn map(entries: &[MemoryMapEntry]) -> MemoryMap {
    MemoryMap::new::<Jos64>(entries.iter().copied(), None)
}

/// QEMU's list for a PC with 256 MB.
fn qemu() -> MemoryMap {
    map(&[
        usable(0, 0x9_fc00),
        reserved(0x9_fc00, 0x400),
        reserved(0xf_0000, 0x1_0000),
        usable(0x10_0000, 0xfee_0000),
        reserved(0xffe_0000, 0x2_0000),
        reserved(0xfffc_0000, 0x4_0000),
        reserved(0xfd_0000_0000, 0x3_0000_0000),
    ])
}

#[test]
fn a_pc_is_sized_by_its_ram_alone() {
    let map = qemu();
    assert_eq!(map.npages::<Jos64>(), 0xffe0);
    let totals = map.totals::<Jos64>();
    assert_eq!(
        totals,
        Totals {
            unused: 0,
            base: 0x9_f000,
            extended: 0xfee_0000,
            used_end: PhysAddr::new(256 * GB),
            below: 0,
            given_up: GivenUp::default(),
            unread: None,
        }
    );
    assert_eq!(
        totals.to_string(),
        "Physical memory: 261628K available, base = 636K, extended = 260992K"
    );
}

/// RAM as a PC with 1 GB below the hole and 1 GB from 4 GB on.
fn two_gigabytes() -> MemoryMap {
    map(&[usable(0x10_0000, GB - MB), usable(4 * GB, GB)])
}

#[test]
fn ram_is_used_as_far_as_the_map_has_addresses() {
    let map = two_gigabytes();
    assert_eq!(map.npages::<Jos64>(), (5 * GB / PGSIZE) as usize);
    assert_eq!(map.totals::<Jos64>().unused, 0);
    assert_eq!(map.npages::<Jos32>(), 0x1_0000);
    assert_eq!(map.totals::<Jos32>().unused, GB + 768 * MB);
    assert!(
        map.totals::<Jos32>()
            .to_string()
            .ends_with("\nUnused: 1835008K of RAM, all that lies above 262144K")
    );
    let used: Vec<_> = map.used::<Jos32>().collect();
    assert_eq!(used, [PhysRange::new(PhysAddr::new(MB), PhysAddr::new(256 * MB))]);
}

#[test]
fn the_lowest_limit_counts_and_cuts_whole_pages() {
    let mut map = two_gigabytes();
    map.limit(PhysAddr::new(4 * GB + 5));
    assert_eq!(map.npages::<Jos64>(), (GB / PGSIZE) as usize);
    assert_eq!(map.totals::<Jos64>().unused, GB);
    map.limit(PhysAddr::new(64 * MB + 0xfff));
    map.limit(PhysAddr::new(GB));
    assert_eq!(map.npages::<Jos64>(), (64 * MB / PGSIZE) as usize);
    let totals = map.totals::<Jos64>();
    assert_eq!((totals.unused, totals.extended), (2 * GB - 64 * MB, 2 * GB - MB));
    map.limit(PhysAddr::new(0));
    assert_eq!((map.npages::<Jos64>(), map.used::<Jos64>().count()), (0, 0));
}

#[test]
fn restriction_wins_whatever_the_order() {
    for entries in [
        [reserved(0x3800, 0x1000), usable(0x1000, 0x9000)],
        [usable(0x1000, 0x9000), reserved(0x3800, 0x1000)],
    ] {
        let map = map(&entries);
        assert!(!map.usable().contains(PhysAddr::new(0x3000)));
        assert!(!map.usable().contains(PhysAddr::new(0x4fff)));
        assert_eq!(map.usable().size(), 0x7000);
    }
}

#[test]
fn hostile_entries_do_no_harm() {
    let map = map(&[
        usable(0x1000, 0),
        usable(0x2800, 0x900),
        usable(0x10_0000, 0x10_0000),
        reserved(u64::MAX, u64::MAX),
        usable(u64::MAX - 5, 100),
        reserved(0x18_0000, u64::MAX),
    ]);
    assert_eq!(map.usable().size(), 0x8_0000);
    assert_eq!(map.npages::<Jos64>(), 0x180);
}

#[test]
fn no_ram_is_no_pages() {
    assert_eq!(map(&[]).npages::<Jos64>(), 0);
    assert_eq!(map(&[usable(0x1000, 0x9000)]).npages::<JosSv39>(), 0);
}

#[test]
fn riscv_counts_from_the_base_of_dram() {
    let map = map(&[usable(0x8000_0000, 128 * MB)]);
    assert_eq!(map.npages::<JosSv39>(), 0x8000);
    assert_eq!(map.totals::<JosSv39>().base, 0);
}

#[test]
fn ram_below_the_window_is_told_and_not_counted() {
    let entries = [usable(0x4000_0000, 2 * GB)];
    let map = MemoryMap::new::<JosSv39>(entries.into_iter(), None);
    let shown = PhysRange::from_size(PhysAddr::new(JosSv39::PHYS_BASE), GB);
    assert_eq!(map.usable().runs(), [shown]);
    let totals = map.totals::<JosSv39>();
    assert_eq!((totals.base, totals.extended, totals.unused), (0, GB, 0));
    let lines = "Physical memory: 1048576K available, base = 0K, extended = 1048576K\n\
                 Given up: 1048576K of RAM below the window at KERNBASE";
    assert_eq!(totals.to_string(), lines);
}
