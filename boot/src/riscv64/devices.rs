//! The devices that a kernel needs from the start: the device tree says where they are.
//!
//! `entry_pgdir` shows each by a page from MMIOBASE on, and so does `kern_pgdir`.

use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use layout::{JosSv39, MemLayout};
use libjos::mem::addr::PhysAddr;

use super::entry_pgdir::DEVICE_PAGES;
use super::firmware::{cannot_start, on_trap};
use crate::info::{DeviceTree, PhysWindow};

/// A device, or a part of one. A machine may lack any but the console.
#[derive(Clone, Copy, Debug)]
pub enum Device {
    /// The console's UART, an NS16550.
    Uart,
    /// The device that ends QEMU, a `sifive_test`.
    Test,
    /// The interrupt controller, a PLIC: the priority of the UART's interrupts.
    Priority,
    /// The PLIC's bits of the sources that may interrupt this hart.
    Enables,
    /// The PLIC's registers of this hart.
    Context,
}

/// All devices.
pub const DEVICES: [Device; 5] =
    [Device::Uart, Device::Test, Device::Priority, Device::Enables, Device::Context];

/// The physical addresses of the devices' registers; 0 where there is no device.
static ADDRESSES: [AtomicU64; DEVICES.len()] = [const { AtomicU64::new(0) }; DEVICES.len()];
/// The UART's number as a source of interrupts.
static UART_SOURCE: AtomicU32 = AtomicU32::new(0);
/// How many times a second the hart's counter counts; 0 if that is not known.
static TIMEBASE_HZ: AtomicU64 = AtomicU64::new(0);

/// The physical address of the device's registers, if the machine has it.
#[must_use]
pub fn address(device: Device) -> Option<PhysAddr> {
    let pa = ADDRESSES[device as usize].load(Relaxed);
    (pa != 0).then_some(PhysAddr::new(pa))
}

/// The UART's number as a source of interrupts. There is one if there is a PLIC.
#[must_use]
pub fn uart_source() -> u32 {
    UART_SOURCE.load(Relaxed)
}

/// How many times a second the hart's counter counts, if the device tree says so.
#[must_use]
pub fn timebase_hz() -> Option<u64> {
    Some(TIMEBASE_HZ.load(Relaxed)).filter(|hz| *hz > 0)
}

/// Maps the devices that the device tree at physical address `tree` names, for this hart. The entry code calls this at
/// its high address.
pub(super) extern "C" fn map_devices(tree: u64, hart: u64) {
    let window = ptr::without_provenance(JosSv39::KERNBASE as usize);
    let first = PhysAddr::new(JosSv39::PHYS_BASE);
    let size = JosSv39::WINDOW_LAST_FRAME - JosSv39::PHYS_BASE;
    // SAFETY: entry_pgdir maps the whole window, whose last frame is left out: the address space ends with it. The tree is
    // the entry code's copy, which no Rust object overlaps.
    let window = unsafe { PhysWindow::new(window, first, size, Default::default()) };
    let tree = match DeviceTree::parse(tree, window) {
        Ok(tree) => tree,
        Err(error) => cannot_start(format_args!("{error}")),
    };
    let uart = tree.device("ns16550");
    if uart.is_none() {
        cannot_start(format_args!(
            "the device tree names no console (a node outside RAM that is compatible with ns16550a); use \
             qemu-system-riscv64 -machine virt"
        ));
    }
    let wire = tree.wire("ns16550", hart);
    let found: [_; DEVICES.len()] = [
        uart,
        tree.device("sifive,test"),
        wire.map(|wire| wire.priority),
        wire.map(|wire| wire.enables),
        wire.map(|wire| wire.context),
    ];
    for (page, (device, pa)) in
        DEVICES.into_iter().zip(found).filter_map(|(device, pa)| Some((device, pa?))).enumerate()
    {
        ADDRESSES[device as usize].store(pa.as_u64(), Relaxed);
        DEVICE_PAGES.map_device(page, pa.as_u64());
    }
    UART_SOURCE.store(wire.map_or(0, |wire| wire.source), Relaxed);
    TIMEBASE_HZ.store(tree.timebase_hz().unwrap_or(0), Relaxed);
    // SAFETY: orders the new entries before the first access.
    unsafe { asm!("sfence.vma", options(nostack)) };
    // The kernel reads the counters, and looks for the console.
    on_trap(c"the device tree names a console where no device answers, or the firmware withholds the counters");
}
