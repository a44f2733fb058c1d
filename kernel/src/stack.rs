//! The kernel's stacks: the boot stack, the same memory mapped below KSTACKTOP, and the machine's
//! separate stacks for some exceptions.

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;

use crate::arch::stack::{exception_stacks, switch};
use crate::arch::{Layout, probe};
use crate::symbols;

/// Whether the `size` bytes at `va` all lie in one of the kernel's stacks. The stack need not be
/// mapped: the one at KSTACKTOP is not before `kern_pgdir` is loaded.
#[must_use]
pub(crate) fn contains(va: VirtAddr, size: u64) -> bool {
    let kernel = (VirtAddr::new(Layout::KSTACK), VirtAddr::new(Layout::KSTACKTOP));
    exception_stacks()
        .chain([symbols::boot_stack(), kernel])
        .any(|(bottom, top)| bottom <= va && va < top && top - va >= size)
}

/// Switches from the boot stack to the one at KSTACKTOP and calls `then`.
///
/// Both are the same memory, so the frames of the callers are overwritten; they are never returned
/// to. From here on an overflow runs into the guard gap.
///
/// # Panics
///
/// If the boot stack, which has no guard, was used down to its last page.
pub(crate) fn move_to_kstacktop(then: extern "C" fn() -> !) -> ! {
    let (bottom, _) = symbols::boot_stack();
    let untouched = |offset| probe::load((bottom + offset).as_u64()) == Ok(0);
    assert!((0..PGSIZE).step_by(8).all(untouched), "the boot stack is nearly used up");

    // SAFETY: `kern_pgdir` maps the KSTKSIZE bytes below KSTACKTOP, writable and only for the stack;
    // `then` does not return, and nothing on the old stack is used afterwards.
    unsafe { switch(Layout::KSTACKTOP, then) }
}

#[cfg(test)]
mod tests;
