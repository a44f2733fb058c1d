//! Probes, with this machine's registers; and the copy that may fault.

use core::arch::asm;

use crate::arch::x86::probe::probes;

pub(crate) use crate::arch::probes::{load, load_byte, load_word, recover, store, store_byte};
pub(crate) use crate::arch::x86::probe::load_user;
pub(in crate::arch) use crate::arch::x86::probe::{OWN_STORES, call};

probes!("rax", "rcx", "rdx");

/// Copies `length` bytes by a single instruction, which can be restarted if it faults in the middle.
///
/// # Safety
///
/// The bytes at `from` can be read and those at `to` written, or the fault is the caller's error. The
/// bytes at `to` belong to no Rust object but the caller's own.
pub(crate) unsafe fn copy(to: u64, from: u64, length: usize) {
    // SAFETY: the caller's promise; the ABI keeps the direction flag clear.
    unsafe {
        asm!(
            "rep movsb",
            inout("rdi") to => _,
            inout("rsi") from => _,
            inout("rcx") length => _,
            options(nostack, preserves_flags),
        );
    }
}
