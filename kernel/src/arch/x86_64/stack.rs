//! The switch to another stack, and the separate stacks for double fault, NMI and machine check.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use layout::PGSIZE;
use libjos::mem::addr::VirtAddr;

/// Bytes of an exception stack: enough for the report of a panic.
const EXCEPTION_STACK_SIZE: usize = 4 * PGSIZE as usize;

/// A stack for an exception whose handler must not use the stack that was interrupted.
#[repr(C, align(4096))]
pub(super) struct ExceptionStack(UnsafeCell<[u8; EXCEPTION_STACK_SIZE]>);

// SAFETY: Rust code only takes the addresses of the memory and never accesses it; the processor uses
// it as a stack.
unsafe impl Sync for ExceptionStack {}

impl ExceptionStack {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; EXCEPTION_STACK_SIZE]))
    }

    /// The end, from which the stack grows down.
    #[must_use]
    pub(super) fn top(&self) -> VirtAddr {
        self.bottom() + EXCEPTION_STACK_SIZE as u64
    }

    fn bottom(&self) -> VirtAddr {
        VirtAddr::new(self.0.get().addr() as u64)
    }
}

/// The stacks of double fault, NMI and machine check, in this order.
pub(super) static EXCEPTION_STACKS: [ExceptionStack; 3] = [const { ExceptionStack::new() }; 3];

/// The lowest address and the end of each of these stacks.
pub(crate) fn exception_stacks() -> impl Iterator<Item = (VirtAddr, VirtAddr)> {
    EXCEPTION_STACKS.iter().map(|stack| (stack.bottom(), stack.top()))
}

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
