//! The separate stacks for double fault, NMI and machine check.

use libjos::mem::addr::VirtAddr;

use crate::arch::exception_stack::ExceptionStack;

/// The stacks of double fault, NMI and machine check, in this order.
pub(in crate::arch) static EXCEPTION_STACKS: [ExceptionStack; 3] =
    [const { ExceptionStack::new() }; 3];

/// The lowest address and the end of each of these stacks.
pub(crate) fn exception_stacks() -> impl Iterator<Item = (VirtAddr, VirtAddr)> {
    EXCEPTION_STACKS.iter().map(ExceptionStack::range)
}
