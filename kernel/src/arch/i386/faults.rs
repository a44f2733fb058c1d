//! Single instructions that must fault. `crate::faults` says what each one tests.

use core::arch::asm;

use layout::MemLayout;

use crate::arch::Layout;

pub(crate) use crate::arch::x86::faults::{
    CODE, FAULTS, execute, read, user_access_allowed, write,
};

/// A level whose entries can have a reserved bit, and bits that make it so: of a 4 MB page, bit 21 (Intel SDM
/// vol. 3A, table 4-4). Entries of 4 KB pages have none.
pub(crate) const RESERVED: (u32, u64) = (1, 1 << 21 | 1 << 7);

/// An address without RAM: the local interrupt controller is there.
pub(crate) const NO_RAM: u64 = 0xFEE0_0000;

/// Reads address 0 with an invalid frame pointer.
pub(in crate::arch) fn broken_stack() {
    // SAFETY: the read faults, and nothing that needs the frame pointer runs after it.
    unsafe {
        asm!(
            "mov ebp, {nowhere}",
            "xor {nowhere}, {nowhere}",
            "mov {nowhere}, [{nowhere}]",
            "ud2",
            nowhere = in(reg) Layout::USTACKTOP as u32,
            options(noreturn),
        );
    }
}

/// Pushes to an unmapped stack, so that the page fault cannot be delivered either.
pub(in crate::arch) fn lost_stack() {
    // SAFETY: the push faults, and nothing runs after it.
    unsafe {
        asm!(
            "mov esp, {0}",
            "push {0}",
            "ud2",
            in(reg) Layout::USTACKTOP as u32,
            options(noreturn),
        );
    }
}
