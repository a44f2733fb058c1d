//! The devices' addresses: where the device tree says, shown from MMIOBASE on.

use core::ptr;

use boot::riscv64::devices::{Device, address};
use layout::{JosSv39, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use spin::Once;

/// The devices, a page each.
pub(crate) fn devices() -> &'static [PhysRange] {
    static PAGES: Once<([PhysRange; 2], usize)> = Once::new();
    let page = |device| address(device).map(PhysAddr::page_start);
    let (pages, count) = PAGES.call_once(|| {
        let found = [page(Device::Uart), page(Device::Test)];
        let pages = found.map(|pa| PhysRange::from_size(pa.unwrap_or(PhysAddr::new(0)), PGSIZE));
        (pages, found.iter().flatten().count())
    });
    &pages[..*count]
}

/// The pointer to the device's registers, if the machine has it.
pub(super) fn registers<T>(device: Device) -> Option<*mut T> {
    let offset = address(device)?.as_u64() % PGSIZE;
    let page = JosSv39::MMIOBASE + device as u64 * PGSIZE;
    Some(ptr::without_provenance_mut((page + offset) as usize))
}
