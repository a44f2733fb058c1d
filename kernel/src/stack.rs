//! The kernel's stacks: the one it boots on, the same memory at KSTACKTOP, and those on which the
//! worst exceptions are handled.

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use layout::{Jos64, MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;

use crate::probe;
use crate::symbols;

/// Bytes of an exception stack: enough for the report of a panic.
const EXCEPTION_STACK_SIZE: usize = 4 * PGSIZE as usize;

/// A stack for exceptions that must not trust the stack in use.
#[repr(C, align(4096))]
pub(crate) struct ExceptionStack(UnsafeCell<[u8; EXCEPTION_STACK_SIZE]>);

// SAFETY: Rust code never reads or writes the memory; the processor uses it as a stack, and only
// its addresses are asked for.
unsafe impl Sync for ExceptionStack {}

impl ExceptionStack {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; EXCEPTION_STACK_SIZE]))
    }

    /// The end, from which the stack grows down.
    #[must_use]
    pub(crate) fn top(&self) -> VirtAddr {
        self.bottom() + EXCEPTION_STACK_SIZE as u64
    }

    fn bottom(&self) -> VirtAddr {
        VirtAddr::new(self.0.get().addr() as u64)
    }
}

/// The stacks of double fault, NMI and machine check, in this order.
pub(crate) static EXCEPTION_STACKS: [ExceptionStack; 3] = [const { ExceptionStack::new() }; 3];

/// Whether the `size` bytes at `va` all lie in one of the kernel's stacks. It does not say that
/// the stack is mapped: the one at KSTACKTOP is not before `kern_pgdir` is loaded.
#[must_use]
pub(crate) fn contains(va: VirtAddr, size: u64) -> bool {
    let kernel = (VirtAddr::new(Jos64::KSTACK), VirtAddr::new(Jos64::KSTACKTOP));
    let exception = EXCEPTION_STACKS.iter().map(|stack| (stack.bottom(), stack.top()));
    exception
        .chain([symbols::boot_stack(), kernel])
        .any(|(bottom, top)| bottom <= va && va < top && top - va >= size)
}

/// Leaves the stack in use for the one at KSTACKTOP and goes on with `then`.
///
/// The memory is the same, so the frames of the callers are overwritten; they are never returned
/// to. From here on an overflow runs into the guard gap.
///
/// # Panics
///
/// Where the boot stack, which has no guard, came to its last page.
pub(crate) fn move_to_kstacktop(then: extern "C" fn() -> !) -> ! {
    let (bottom, _) = symbols::boot_stack();
    let untouched = |offset| probe::load((bottom + offset).as_u64()) == Ok(0);
    assert!((0..PGSIZE).step_by(8).all(untouched), "the boot stack is nearly used up");

    // SAFETY: `kern_pgdir` maps the KSTKSIZE bytes below KSTACKTOP, writable and for the stack
    // alone; `then` does not return, and nothing on the old stack is used after it.
    unsafe { switch(Jos64::KSTACKTOP, then) }
}

/// Sets RSP to `top` and calls `then`, with no frame above it (RBP is 0).
///
/// # Safety
///
/// `top` is the aligned end of a mapped, writable stack that nothing else uses.
#[unsafe(naked)]
unsafe extern "C" fn switch(top: u64, then: extern "C" fn() -> !) -> ! {
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
