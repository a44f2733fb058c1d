//! The devices' addresses: where `entry_pgdir` and `mem_init` map them.

use core::ptr;

use boot::riscv64::entry_pgdir::{DEVICES as PAGES, TEST_DEVICE, UART};
use layout::{JosSv39, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};

/// The devices, a page each.
pub(crate) const DEVICES: &[PhysRange] = &[page(PAGES[0]), page(PAGES[1])];

const fn page(pa: u64) -> PhysRange {
    PhysRange::new(PhysAddr::new(pa), PhysAddr::new(pa + PGSIZE))
}

/// The pointer to the registers of the device at the physical address `pa`, a page's start.
const fn device<T>(pa: u64) -> *mut T {
    let mut i = 0;
    while PAGES[i] != pa {
        i += 1;
    }
    ptr::without_provenance_mut((JosSv39::MMIOBASE + i as u64 * PGSIZE) as usize)
}

/// The registers of the console's UART.
pub(super) const fn uart() -> *mut u8 {
    const { device(UART) }
}

/// The register of the device that ends QEMU.
pub(super) const fn test_device() -> *mut u32 {
    const { device(TEST_DEVICE) }
}
