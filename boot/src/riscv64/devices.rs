//! The devices that a kernel needs from the start: the device tree says where they are.
//!
//! `entry_pgdir` shows each by a page from MMIOBASE on, and so does `kern_pgdir`.

use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use layout::{JosSv39, MemLayout};
use libjos::mem::addr::{PhysAddr, PhysRange};

use super::entry_pgdir::DEVICE_PAGES;
use super::firmware::{cannot_start, on_trap};
use crate::info::PhysWindow;
use crate::{BootInfo, Protocol};

/// A device, by its place among the pages from MMIOBASE on.
#[derive(Clone, Copy, Debug)]
pub enum Device {
    /// The console's UART, an NS16550.
    Uart,
    /// The device that ends QEMU, a `sifive_test`. A machine may lack it.
    Test,
}

/// The physical addresses of the devices' registers; 0 where there is no device.
static ADDRESSES: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// The physical address of the device's registers, if the machine has it.
#[must_use]
pub fn address(device: Device) -> Option<PhysAddr> {
    let pa = ADDRESSES[device as usize].load(Relaxed);
    (pa != 0).then_some(PhysAddr::new(pa))
}

/// Maps the devices that the device tree at physical address `tree` names. The entry code calls this at its high
/// address.
pub(super) extern "C" fn map_devices(tree: u64) {
    let window = ptr::without_provenance(JosSv39::KERNBASE as usize);
    let (first, size) = (PhysAddr::new(JosSv39::PHYS_BASE), JosSv39::WINDOW_SIZE);
    // SAFETY: entry_pgdir maps the whole window. The tree is the entry code's copy, which no Rust object overlaps.
    let window = unsafe { PhysWindow::new(window, first, size, PhysRange::new(first, first)) };
    let info = match BootInfo::parse(Protocol::DeviceTree, tree, window) {
        Ok(info) => info,
        Err(error) => cannot_start(format_args!("{error}")),
    };
    let Some(uart) = info.device("ns16550") else {
        cannot_start(format_args!(
            "the device tree names no console (a node outside RAM that is compatible with ns16550a); use \
             qemu-system-riscv64 -machine virt"
        ));
    };
    for (i, device) in [Some(uart), info.device("sifive,test")].into_iter().enumerate() {
        let pa = device.map_or(0, PhysAddr::as_u64);
        ADDRESSES[i].store(pa, Relaxed);
        if pa != 0 {
            DEVICE_PAGES.map_device(i, pa);
        }
    }
    // SAFETY: orders the new entries before the first access.
    unsafe { asm!("sfence.vma", options(nostack)) };
    on_trap(c"the device tree names a console where no device answers");
}
