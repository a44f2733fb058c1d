//! The separate stacks for double fault, NMI and machine check.

use core::cell::UnsafeCell;

use layout::PGSIZE;
use libjos::mem::addr::VirtAddr;

/// Bytes of an exception stack: enough for the report of a panic.
const EXCEPTION_STACK_SIZE: usize = 4 * PGSIZE as usize;

/// A stack for an exception whose handler must not use the stack that was interrupted.
#[repr(C, align(4096))]
pub(in crate::arch) struct ExceptionStack(UnsafeCell<[u8; EXCEPTION_STACK_SIZE]>);

// SAFETY: Rust code only takes the addresses of the memory and never accesses it; the processor uses
// it as a stack.
unsafe impl Sync for ExceptionStack {}

impl ExceptionStack {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; EXCEPTION_STACK_SIZE]))
    }

    /// The end, from which the stack grows down.
    #[must_use]
    pub(in crate::arch) fn top(&self) -> VirtAddr {
        self.bottom() + EXCEPTION_STACK_SIZE as u64
    }

    fn bottom(&self) -> VirtAddr {
        VirtAddr::new(self.0.get().addr() as u64)
    }
}

/// The stacks of double fault, NMI and machine check, in this order.
pub(in crate::arch) static EXCEPTION_STACKS: [ExceptionStack; 3] =
    [const { ExceptionStack::new() }; 3];

/// The lowest address and the end of each of these stacks.
pub(crate) fn exception_stacks() -> impl Iterator<Item = (VirtAddr, VirtAddr)> {
    EXCEPTION_STACKS.iter().map(|stack| (stack.bottom(), stack.top()))
}
