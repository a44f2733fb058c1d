//! The processor: the registers for paging and the stack.

use core::arch::asm;

use libjos::mem::addr::VirtAddr;

pub(crate) use crate::arch::x86::cpu::{
    FILLS, allow_machine_checks, counter, counter as fine_counter, flush_tlb, halt, invlpg, lcr3,
    made_valid, pgdir_in_use, protect_kernel, saved, shut_down,
};

/// DWARF's number for a register whose sign tells whether the kernel runs in its window: the program
/// counter (System V ABI, figure 3.36).
pub(crate) const DWARF_PLACE: u8 = 16;

/// The stack pointer.
pub(crate) fn stack_pointer() -> VirtAddr {
    let rsp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack, preserves_flags)) };
    VirtAddr::new(rsp)
}

/// The frame pointer of the function that calls this one.
#[inline(always)]
pub(crate) fn frame_pointer() -> u64 {
    let rbp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags)) };
    rbp
}
