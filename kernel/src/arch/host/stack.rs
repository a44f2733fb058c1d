//! The simulated stacks: memory in the kernel's data.

use core::iter;

use libjos::mem::addr::VirtAddr;

use super::memory::EXCEPTION_STACK;
use super::ports::pc;

/// One stack, of 16 KB.
pub(crate) fn exception_stacks() -> impl Iterator<Item = (VirtAddr, VirtAddr)> {
    let bottom = VirtAddr::new(EXCEPTION_STACK);
    iter::once((bottom, bottom + 0x4000))
}

/// Moves the stack pointer to `top` and calls `then`. (The host keeps its own stack.)
pub(crate) unsafe extern "C" fn switch(top: u64, then: extern "C" fn() -> !) -> ! {
    {
        let processor = &mut pc().processor;
        (processor.rsp, processor.rbp) = (top - 8, 0);
    }
    then()
}
