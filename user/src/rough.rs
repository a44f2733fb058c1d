//! Instructions and accesses that a program should not use, for programs that test how the kernel takes them.

pub use crate::arch::{
    FAR, Instruction, PRIVILEGED, breakpoint, call_with_flags, call_with_stack, divide,
    fault_with_stack, int, keep_floats, load_segment, read, read_byte, write,
};

/// Calls the kernel with any number and arguments; returns its result.
///
/// # Safety
///
/// As for [`syscall`](crate::syscall::syscall).
#[must_use]
pub unsafe fn result(number: u64, arguments: [usize; 5]) -> isize {
    // SAFETY: the caller's promise.
    unsafe { crate::syscall::syscall(number as usize, arguments) }
}
