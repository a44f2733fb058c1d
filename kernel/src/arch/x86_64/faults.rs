//! Single instructions that must fault. `crate::faults` says what each one tests.

use core::arch::asm;

use layout::MemLayout;

use crate::arch::Layout;

pub(crate) use crate::arch::x86::faults::{
    CODE, FAULTS, execute, read, user_access_allowed, write,
};

/// A level whose entries can have a reserved bit, and a bit that makes it so: no processor uses it yet (Intel SDM
/// vol. 3A, table 4-20).
pub(crate) const RESERVED: (u32, u64) = (0, 1 << 51);

/// An address without RAM on a PC of less than 512 GB.
pub(crate) const NO_RAM: u64 = 1 << 39;

/// Reads address 0 with an invalid frame pointer.
pub(in crate::arch) fn broken_stack() {
    // SAFETY: the read faults, and nothing that needs the frame pointer runs after it.
    unsafe {
        asm!(
            "mov rbp, {nowhere}",
            "mov {nowhere}, [0]",
            "ud2",
            nowhere = in(reg) Layout::USTACKTOP,
            options(noreturn),
        );
    }
}

/// Pushes to an unmapped stack, so that the page fault cannot be delivered either.
pub(in crate::arch) fn lost_stack() {
    // SAFETY: the push faults, and nothing runs after it.
    unsafe {
        asm!("mov rsp, {0}", "push {0}", "ud2", in(reg) Layout::USTACKTOP, options(noreturn));
    }
}
