//! The entry page tables, with the links that the entry code writes, map the window twice and the devices.

use super::*;

fn entry(table: &Table, offset: usize) -> u64 {
    table.0[offset / 8].load(Ordering::Relaxed)
}

/// The table that the entry code links at this offset of `table`.
fn linked(table: &Table, offset: usize) -> Option<&'static Table> {
    let is = |other: &Table| core::ptr::eq(table, other);
    match offset {
        LOW if is(&entry_pgdir) => Some(&LOW_PAGES),
        HIGH if is(&entry_pgdir) => Some(&HIGH_PAGES),
        MMIO if is(&HIGH_PAGES) => Some(&DEVICE_PAGES),
        _ => None,
    }
}

/// Translates `va` by walking from the root, as a hart does. Gives the physical address, the page's size
/// and the entry's bits.
fn translate(va: u64) -> Option<(u64, u64, u64)> {
    let mut table: &Table = &entry_pgdir;
    for size in [GIGAPAGE, MEGAPAGE, PGSIZE] {
        let offset = 8 * index(va, size);
        let e = entry(table, offset);
        if let Some(next) = linked(table, offset) {
            assert_eq!(e, 0, "a link takes the place of a page at {va:#x}");
            table = next;
            continue;
        }
        let pa = e >> 10 << 12;
        return (e & PTE_V != 0).then_some((pa + va % size, size, e % 0x400));
    }
    None
}

#[test]
fn maps_the_window_twice() {
    for offset in (0..JosSv39::WINDOW_SIZE).step_by(0x1_1000) {
        let pa = JosSv39::PHYS_BASE + offset;
        assert_eq!(translate(pa), Some((pa, MEGAPAGE, MEMORY)));
        assert_eq!(translate(JosSv39::KERNBASE + offset), Some((pa, MEGAPAGE, MEMORY)));
    }
}

#[test]
fn maps_the_devices_and_nothing_else() {
    DEVICE_PAGES.map_device(0, 0x1000_0000);
    DEVICE_PAGES.map_device(1, 0x10_1FF8);
    assert_eq!(translate(JosSv39::MMIOBASE), Some((0x1000_0000, PGSIZE, DEVICE)));
    assert_eq!(translate(JosSv39::MMIOBASE + PGSIZE), Some((0x10_1000, PGSIZE, DEVICE)));
    let used = |table: &Table| (0..512).filter(|i| entry(table, 8 * i) != 0).count();
    assert_eq!((used(&entry_pgdir), used(&LOW_PAGES)), (0, 128));
    assert_eq!((used(&HIGH_PAGES), used(&DEVICE_PAGES)), (128, 2));
}
