//! The processor: the registers for paging and the stack.

use core::arch::asm;

use libjos::mem::addr::{PhysAddr, VirtAddr};

use super::instructions::Cr3;
use super::stack;

pub(crate) use crate::arch::x86::cpu::{
    allow_machine_checks, counter, counter as fine_counter, flush_tlb, halt, protect_kernel,
    shut_down,
};

/// DWARF's number for a register whose sign tells whether the kernel runs in its window: the program
/// counter (System V ABI for i386, table 2.14).
pub(crate) const DWARF_PLACE: u8 = 8;

/// The page directory in use.
#[must_use]
pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new(Cr3::read_raw()).page_start()
}

/// Makes `pgdir` the page directory in use, and drops all translations that are not global.
///
/// # Safety
///
/// `pgdir` maps all code, stacks and data in use at the same addresses as the directory before.
pub(crate) unsafe fn lcr3(pgdir: PhysAddr) {
    assert!(pgdir == pgdir.page_start(), "a page directory is a whole frame");
    // SAFETY: the caller's promise.
    unsafe { Cr3::write_raw(pgdir.as_u64()) };
    stack::note_pgdir(pgdir);
}

/// Drops the translation of the page at `va`.
pub(crate) fn invlpg(va: VirtAddr) {
    // SAFETY: drops a translation, which the processor finds again in the tables.
    unsafe { asm!("invlpg [{}]", in(reg) va.as_u64() as u32, options(nostack, preserves_flags)) };
}

/// Need do nothing: the processor remembers no entry that is not valid (Intel SDM vol. 3A, 4.10.2.3).
pub(crate) fn made_valid(_page: Option<VirtAddr>) {}

/// The stack pointer.
pub(crate) fn stack_pointer() -> VirtAddr {
    let esp: u32;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, esp", out(reg) esp, options(nomem, nostack, preserves_flags)) };
    VirtAddr::new(esp.into())
}

/// The frame pointer of the function that calls this one.
#[inline(always)]
pub(crate) fn frame_pointer() -> u64 {
    let ebp: u32;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, ebp", out(reg) ebp, options(nomem, nostack, preserves_flags)) };
    ebp.into()
}

/// The addresses at which the frame at `frame` holds its caller's frame pointer and the return address
/// (System V ABI for i386, 2.2.2).
pub(crate) fn saved(frame: u64) -> [u64; 2] {
    [frame, frame.wrapping_add(4)]
}
