//! The devices' addresses: where the device tree says, shown from MMIOBASE on.

use core::ptr;

use boot::riscv64::devices::{DEVICES, Device, address};
use layout::{JosSv39, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use spin::Once;

/// The devices, a page each.
pub(crate) fn devices() -> &'static [PhysRange] {
    static PAGES: Once<([PhysRange; DEVICES.len()], usize)> = Once::new();
    let (pages, count) = PAGES.call_once(|| {
        let mut pages = [PhysRange::from_size(PhysAddr::new(0), 0); DEVICES.len()];
        let found = DEVICES.into_iter().filter_map(address);
        let count = pages.iter_mut().zip(found).map(|(page, pa)| {
            *page = PhysRange::from_size(pa.page_start(), PGSIZE);
        });
        let count = count.count();
        (pages, count)
    });
    &pages[..*count]
}

/// The pointer to the device's registers, if the machine has it.
pub(super) fn registers<T>(device: Device) -> Option<*mut T> {
    let offset = address(device)?.as_u64() % PGSIZE;
    let before = DEVICES.into_iter().take(device as usize).filter_map(address).count() as u64;
    let va = JosSv39::MMIOBASE + before * PGSIZE + offset;
    Some(ptr::without_provenance_mut(va as usize))
}
