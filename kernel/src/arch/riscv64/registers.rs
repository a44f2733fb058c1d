//! Odd values for all registers, which `odd_registers` loads.

use core::arch::naked_asm;

use super::instructions::SPP;
use crate::arch::odd_registers::{AREAS_START, STACK};

/// An unmapped address. Fetching an instruction from it is the fault.
pub(in crate::arch) const NOWHERE: u64 = 0x0000_0036_5432_10B0;

/// Loads every register with a value that spells its number, and continues at `pc`. T5 and T6 hold the
/// addresses that [`store_and_fault`] needs.
///
/// # Safety
///
/// The code at `pc` must be fit to run with these registers.
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn load(pc: u64) -> ! {
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
        "li sp, {STACK}",
        "li t5, {NOWHERE}",
        "li t6, {AREAS_START}",
        "sret",
        SPP = const SPP,
        STACK = const STACK,
        NOWHERE = const NOWHERE,
        AREAS_START = const AREAS_START,
    )
}

/// Writes to the first area's first page, then jumps to NOWHERE; neither changes a register.
#[unsafe(naked)]
pub(in crate::arch) extern "C" fn store_and_fault() {
    naked_asm!("sd t5, 0(t6)", "jr t5")
}
