//! `test=registers` and `test=registers-handled`: a fault with another value in every register, so
//! that a report which takes one register for another shows it.
//!
//! The second comes there by way of a fault that an application's handler resolves, so that a
//! register which that changes shows, too.

use core::arch::naked_asm;

use layout::MemLayout;
use libjos::app::area::{Access, VmArea, area_addresses};
use x86_64::instructions::segmentation::{CS, SS, Segment};

use crate::arch::Layout;

/// Where nothing is mapped. The instruction that cannot be fetched from here is the fault.
const NOWHERE: u64 = 0x0000_7654_3210_0AB0;
/// Half way up the kernel's stack, and not aligned, as the stack of a fault need not be.
const RSP: u64 = Layout::KSTACKTOP - Layout::KSTKSIZE / 2 + 8;
/// Where the first area begins.
const AREAS_START: u64 = area_addresses::<Layout>().start;
/// The flags that change nothing for the kernel: ID, OF, DF, SF, ZF, AF, PF, the 1, and CF.
const RFLAGS: u64 = 0x20_0CD7;

/// Faults at once.
pub(super) fn fault() {
    // SAFETY: nothing runs at NOWHERE; that it cannot is the fault.
    unsafe { load(NOWHERE) }
}

/// Faults in an area, where the handler maps a page; then as [`fault`] does.
pub(super) fn fault_after_handled() {
    let area = VmArea::reserve(1).expect("there are addresses");
    assert_eq!(area.base().as_u64(), AREAS_START, "no other area was made");
    area.on_fault(|area, fault| area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok());
    // SAFETY: the code needs no register, and where it writes there is no Rust object, but a fault.
    unsafe { load(store_and_fault as *const () as u64) }
}

/// Loads every register, and goes on at `rip`.
///
/// # Safety
///
/// The code at `rip` must be fit to run with any values in the registers.
unsafe fn load(rip: u64) -> ! {
    let (cs, ss) = (CS::get_reg().0.into(), SS::get_reg().0.into());
    // SAFETY: the caller's promise; and the selectors are those in use. RSP is one of the kernel's
    // stack, whose frames nobody comes back to.
    unsafe { load_registers(rip, cs, ss) }
}

/// The registers' names stand in their values; RDI and RSI hold D1 and 51, RBP B9.
///
/// # Safety
///
/// The code at `rip` must be fit to run with these registers, in the segments `cs` and `ss`.
#[unsafe(naked)]
unsafe extern "C" fn load_registers(rip: u64, cs: u64, ss: u64) -> ! {
    naked_asm!(
        "mov eax, 5",
        "mov cr8, rax", // without effect: interrupts are off
        "mov rax, {RSP}",
        "push rdx",
        "push rax",
        "push {RFLAGS}",
        "push rsi",
        "push rdi",
        "mov rax, 0xa00000000000000a",
        "mov rbx, 0xb00000000000000b",
        "mov rcx, 0xc00000000000000c",
        "mov rdx, 0xd00000000000000d",
        "mov rsi, 0x5100000000000051",
        "mov rdi, 0xd1000000000000d1",
        "mov rbp, 0xb9000000000000b9",
        "mov r8, 0x0800000000000008",
        "mov r9, 0x0900000000000009",
        "mov r10, 0x1000000000000010",
        "mov r11, 0x1100000000000011",
        "mov r12, 0x1200000000000012",
        "mov r13, 0x1300000000000013",
        "mov r14, 0x1400000000000014",
        "mov r15, 0x1500000000000015",
        "iretq",
        RSP = const RSP,
        RFLAGS = const RFLAGS,
    )
}

/// Writes to the first area's first page, and goes on at NOWHERE; neither changes a register.
#[unsafe(naked)]
extern "C" fn store_and_fault() {
    naked_asm!(
        "movabs [{AREAS_START}], rax",
        "jmp qword ptr [rip + 2f]",
        "2:",
        ".quad {NOWHERE}",
        AREAS_START = const AREAS_START,
        NOWHERE = const NOWHERE,
    )
}
