//! The switch to another stack.

use core::arch::naked_asm;

use libjos::mem::addr::PhysAddr;

pub(crate) use crate::arch::x86::stack::exception_stacks;

/// Takes note of the page directory in use. This machine keeps it in CR3 alone.
pub(in crate::arch) fn note_pgdir(_pgdir: PhysAddr) {}

/// Sets RSP to `top` and calls `then`, with no frame above it (RBP is 0).
///
/// # Safety
///
/// `top` is the aligned end of a mapped, writable stack that nothing else uses.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch(top: u64, then: extern "C" fn() -> !) -> ! {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip", // gdb's backtraces end here as well
        "mov rsp, rdi",
        "xor ebp, ebp",
        "call rsi",
        "ud2",
        ".cfi_endproc",
    )
}
