//! `test=registers` and `test=registers-handled`: a fault with a different value in every register, so
//! that the report shows if it confuses two registers.
//!
//! The second first causes a fault that an application's handler resolves, so that the report also
//! shows if handling a fault changes a register.

use core::arch::naked_asm;

use layout::MemLayout;
use libjos::app::area::{Access, VmArea, area_addresses};

use super::instructions::SPP;
use crate::arch::Layout;
use crate::faults::fault::succeed;

/// An unmapped address. Fetching an instruction from it is the fault.
const NOWHERE: u64 = 0x0000_0036_5432_10B0;
/// The middle of the kernel's stack, and not aligned: a fault can come with any stack pointer.
const SP: u64 = Layout::KSTACKTOP - Layout::KSTKSIZE / 2 + 8;
/// The address of the first area.
const AREAS_START: u64 = area_addresses::<Layout>().start;

/// Faults at once.
pub(super) fn fault() {
    // SAFETY: no code runs at NOWHERE: fetching it faults.
    unsafe { load_registers(NOWHERE) }
}

/// Faults in an area, whose handler maps a page; then faults like [`fault`].
pub(super) fn fault_after_handled() {
    let area = succeed(VmArea::reserve(1));
    assert!(area.base().as_u64() == AREAS_START, "no other area was made");
    area.on_fault(|area, fault| area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok());
    // SAFETY: the code needs two registers, which have their values, and writes to an area, where no Rust
    // object lies.
    unsafe { load_registers(store_and_fault as *const () as u64) }
}

/// Loads every register with a value that spells its number, and continues at `pc`. T5 and T6 hold the
/// addresses that [`store_and_fault`] needs.
///
/// # Safety
///
/// The code at `pc` must be fit to run with these registers.
#[unsafe(naked)]
unsafe extern "C" fn load_registers(pc: u64) -> ! {
    naked_asm!(
        "csrw sepc, a0",
        "li t0, {SPP}",
        "csrs sstatus, t0",
        ".irp n, 1, 3, 4, 5, 6, 7, 8, 9",
        "    li x\\n, 0x0\\n\\()0000000000000\\n",
        ".endr",
        ".irp n, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29",
        "    li x\\n, 0x\\n\\()000000000000\\n",
        ".endr",
        "li sp, {SP}",
        "li t5, {NOWHERE}",
        "li t6, {AREAS_START}",
        "sret",
        SPP = const SPP,
        SP = const SP,
        NOWHERE = const NOWHERE,
        AREAS_START = const AREAS_START,
    )
}

/// Writes to the first area's first page, then jumps to NOWHERE; neither changes a register.
#[unsafe(naked)]
extern "C" fn store_and_fault() {
    naked_asm!("sd t5, 0(t6)", "jr t5")
}
