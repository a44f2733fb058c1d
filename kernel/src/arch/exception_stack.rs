//! [`ExceptionStack`]: a stack for traps that must not use the one that was interrupted.

use core::cell::UnsafeCell;

use layout::PGSIZE;
use libjos::mem::addr::VirtAddr;

/// Bytes of the stack: enough for the report of a panic.
pub(super) const EXCEPTION_STACK_SIZE: usize = 4 * PGSIZE as usize;

/// A stack for traps that must not use the one that was interrupted.
#[repr(C, align(4096))]
pub(super) struct ExceptionStack(UnsafeCell<[u8; EXCEPTION_STACK_SIZE]>);

// SAFETY: Rust code only takes the addresses of the memory and never accesses it; the processor uses
// it as a stack.
unsafe impl Sync for ExceptionStack {}

impl ExceptionStack {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new([0; EXCEPTION_STACK_SIZE]))
    }

    /// The end, from which the stack grows down.
    pub(super) fn top(&self) -> VirtAddr {
        self.range().1
    }

    /// The lowest address and the end.
    pub(super) fn range(&self) -> (VirtAddr, VirtAddr) {
        let bottom = VirtAddr::new(self.0.get().addr() as u64);
        (bottom, bottom + EXCEPTION_STACK_SIZE as u64)
    }
}
