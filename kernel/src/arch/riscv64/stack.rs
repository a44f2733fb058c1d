//! The switch to another stack, and the stack for traps that cannot use the interrupted one.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use libjos::mem::addr::VirtAddr;

use crate::arch::exception_stack::ExceptionStack;

/// The trap stack, and at its end three words for the registers with which a trap's entry finds out
/// whether it must use this stack. SSCRATCH holds the address of the words.
#[repr(C)]
pub(super) struct TrapStack {
    pub(super) stack: ExceptionStack,
    spilled: UnsafeCell<[u64; 3]>,
}

// SAFETY: Rust code only takes the addresses of the memory and never accesses it.
unsafe impl Sync for TrapStack {}

/// The trap stack of the one hart.
pub(super) static TRAP_STACK: TrapStack =
    TrapStack { stack: ExceptionStack::new(), spilled: UnsafeCell::new([0; 3]) };

/// The lowest address and the end of the trap stack.
pub(crate) fn exception_stacks() -> impl Iterator<Item = (VirtAddr, VirtAddr)> {
    core::iter::once(TRAP_STACK.stack.range())
}

/// Sets SP to `top` and calls `then`, with no frame above it (S0 is 0).
///
/// # Safety
///
/// `top` is the aligned end of a mapped, writable stack that nothing else uses.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch(top: u64, then: extern "C" fn() -> !) -> ! {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined ra", // gdb's backtraces end here as well
        "mv sp, a0",
        "li s0, 0",
        "jalr a1",
        "unimp",
        ".cfi_endproc",
    )
}
