//! The processor: the registers for paging and the stack.

use core::arch::asm;

use libjos::mem::addr::{PhysAddr, VirtAddr};
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

pub(crate) use crate::arch::x86::cpu::{
    allow_machine_checks, counter, counter as fine_counter, flush_tlb, halt, protect_kernel,
    shut_down,
};

/// DWARF's number for a register whose sign tells whether the kernel runs in its window: the program
/// counter (System V ABI, figure 3.36).
pub(crate) const DWARF_PLACE: u8 = 16;

/// The page directory in use.
#[must_use]
pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new(Cr3::read_raw().0.start_address().as_u64())
}

/// Makes `pgdir` the page directory in use, and drops all translations that are not global.
///
/// # Safety
///
/// `pgdir` maps all code, stacks and data in use at the same addresses as the directory before.
pub(crate) unsafe fn lcr3(pgdir: PhysAddr) {
    let frame = PhysFrame::from_start_address(x86_64::PhysAddr::new(pgdir.as_u64()))
        .expect("a page directory is a whole frame");
    // SAFETY: the caller's promise.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) };
}

/// Drops the translation of the page at `va`.
pub(crate) fn invlpg(va: VirtAddr) {
    // A non-canonical address has no translation to drop.
    if let Ok(va) = x86_64::VirtAddr::try_new(va.as_u64()) {
        tlb::flush(va);
    }
}

/// Need do nothing: the processor remembers no entry that is not valid (Intel SDM vol. 3A, 4.10.2.3).
pub(crate) fn made_valid(_page: Option<VirtAddr>) {}

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

/// The addresses at which the frame at `frame` holds its caller's frame pointer and the return address
/// (System V ABI for x86-64, 3.2.2).
pub(crate) fn saved(frame: u64) -> [u64; 2] {
    [frame, frame.wrapping_add(8)]
}
