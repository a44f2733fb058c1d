//! The entry of RISC-V: JOS's `entry.S`.
//!
//! The assembly is in `entry.s` (and `bare.s`: a firmware for machines without), and gets its constants
//! from here as `const` operands, so each is written once. It is linked in the window but runs at its load
//! address, and reaches all its data relative to the program counter. It turns paging on, jumps to its high
//! address, and calls `kernel_main`.
//!
//! On the way in (RISC-V SBI specification; Linux, Documentation/arch/riscv/boot.rst): supervisor mode, no
//! paging, A0 is the hart's number and A1 the physical address of the device tree, aligned to 8 bytes.
//! All other registers may hold anything, so SIE, SATP, STVEC and the bits of SSTATUS that matter are
//! written here.
//!
//! The device tree may lie anywhere in RAM, and the page tables show only the window. So the entry code
//! copies it into the image.

use core::arch::global_asm;

use layout::{JosSv39, MemLayout, PGSHIFT, PGSIZE};

use super::devices::map_devices;
use super::entry_pgdir::{
    DEVICE_PAGES, HIGH, HIGH_PAGES, LINK, LOW, LOW_PAGES, MMIO, PTE_PPN_SHIFT, entry_pgdir,
};
use super::firmware::{SBI_CONSOLE, SBI_CONSOLE_PUT, SBI_OLD_CONSOLE, SBI_TIME};
use crate::info::DEVICE_TREE_MAGIC;

unsafe extern "C" {
    /// The kernel. The entry calls it with the magic of the loader's protocol
    /// ([`Protocol::from_magic`](crate::Protocol::from_magic)) and the physical address of the boot
    /// information.
    pub fn kernel_main(magic: u32, info: u32) -> !;
}

/// The room for the copy of the device tree, in bytes. QEMU's trees take about 10 KB, those of boards up to 100.
const TREE_ROOM: u64 = 128 * layout::KB;

/// SATP's mode field for Sv39 (RISC-V privileged specification, 12.1.11).
const SATP_SV39: u64 = 8 << 60;
/// The bits of SSTATUS that are cleared (12.1.1): interrupts, now and after SRET; the FPU and the vector
/// unit; access to user pages; reading of pages that may only be executed.
const SSTATUS_CLEAR: u64 = 1 << 1 | 1 << 5 | 0b11 << 9 | 0b11 << 13 | 1 << 18 | 1 << 19;

/// The device that ends QEMU, on `virt`. A kernel that cannot start writes to this address on every board, since it does
/// not know the board yet.
const TEST_DEVICE: u64 = 0x10_0000;
/// The value that makes the device end QEMU with status 35, a failure.
const EXIT_FAILURE: u32 = 35 << 16 | 0x3333;
/// The firmware's extension that turns the machine off (RISC-V SBI specification, chapter 10).
const SBI_RESET: u64 = 0x5352_5354;

// The firmware of BOOT=bare, which knows the board: QEMU's `virt`. It lies in the first page of DRAM, which no kernel
// uses.
/// The UART, an NS16550.
const UART: u64 = 0x1000_0000;
/// The timer's register for the first hart, in the CLINT: the timer interrupts machine mode while the counter is not
/// below it.
const TIMER_COMPARE: u64 = 0x200_4000;
/// PMPADDR for that page (RISC-V privileged specification, 3.7.1: NAPOT). For 2^(n + 3) bytes the lowest n bits are ones.
const BARE_PAGE: u64 = JosSv39::PHYS_BASE >> 2 | (PGSIZE / 8 - 1);
/// PMPCFG: the first entry, that page, gives no rights; the second, all of memory, gives all.
const BARE_PMP: u64 = PMP_NAPOT | (PMP_NAPOT | PMP_RWX) << 8;
const PMP_NAPOT: u64 = 0b11 << 3;
const PMP_RWX: u64 = 0b111;
const CAUSE_SUPERVISOR_CALL: u64 = 9;
/// The exceptions that supervisor mode handles: all but calls from itself and from machine mode (11).
const BARE_EXCEPTIONS: u64 = 0xB1FF;
/// The interrupts that supervisor mode handles: software, timer, devices.
const BARE_INTERRUPTS: u64 = 1 << 1 | SUPERVISOR_TIMER | 1 << 9;
/// The timer's bits in MIE and MIP: for supervisor mode, and for machine mode (3.1.9).
const SUPERVISOR_TIMER: u64 = 1 << 5;
const MACHINE_TIMER: u64 = 1 << 7;
/// MSTATUS's field with the mode that MRET changes to, and supervisor mode there.
const MSTATUS_MPP: u64 = 0b11 << 11;
const MSTATUS_MPP_SUPERVISOR: u64 = 0b01 << 11;

global_asm!(
    include_str!("entry.s"),
    include_str!("bare.s"),
    BARE_PAGE = const BARE_PAGE,
    BARE_PMP = const BARE_PMP,
    BARE_EXCEPTIONS = const BARE_EXCEPTIONS,
    CAUSE_SUPERVISOR_CALL = const CAUSE_SUPERVISOR_CALL,
    BARE_INTERRUPTS = const BARE_INTERRUPTS,
    SUPERVISOR_TIMER = const SUPERVISOR_TIMER,
    MACHINE_TIMER = const MACHINE_TIMER,
    TIMER_COMPARE = const TIMER_COMPARE,
    SBI_TIME = const SBI_TIME,
    MSTATUS_MPP = const MSTATUS_MPP,
    MSTATUS_MPP_SUPERVISOR = const MSTATUS_MPP_SUPERVISOR,
    LOAD_ADDR = const JosSv39::LOAD_ADDR,
    WINDOW = const JosSv39::KERNBASE - JosSv39::PHYS_BASE,
    KSTKSIZE = const JosSv39::KSTKSIZE,
    PGSIZE = const PGSIZE,
    PGSHIFT = const PGSHIFT,
    TREE_MAGIC = const DEVICE_TREE_MAGIC.cast_signed(),
    TREE_MAGIC_SWAPPED = const DEVICE_TREE_MAGIC.swap_bytes().cast_signed(),
    TREE_ROOM = const TREE_ROOM,
    SATP_SV39 = const SATP_SV39,
    SSTATUS_CLEAR = const SSTATUS_CLEAR,
    PTE_PPN_SHIFT = const PTE_PPN_SHIFT,
    LINK = const LINK,
    LOW = const LOW,
    HIGH = const HIGH,
    MMIO = const MMIO,
    UART = const UART,
    TEST_DEVICE = const TEST_DEVICE,
    EXIT_FAILURE = const EXIT_FAILURE,
    SBI_RESET = const SBI_RESET,
    SBI_CONSOLE = const SBI_CONSOLE,
    SBI_CONSOLE_PUT = const SBI_CONSOLE_PUT,
    SBI_OLD_CONSOLE = const SBI_OLD_CONSOLE,
    entry_pgdir = sym entry_pgdir,
    LOW_PAGES = sym LOW_PAGES,
    HIGH_PAGES = sym HIGH_PAGES,
    DEVICE_PAGES = sym DEVICE_PAGES,
    map_devices = sym map_devices,
);
