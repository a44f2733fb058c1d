//! Instructions that i386 and x86-64 have in common.

use core::arch::asm;

/// INT3.
pub(crate) fn breakpoint() {
    // SAFETY: the kernel may stop the program, and changes none of its memory.
    unsafe { asm!("int3", options(nomem, nostack)) };
}

/// Loads 4 bytes.
///
/// # Safety
///
/// The kernel may end the program, or call its page-fault handler.
#[must_use]
pub unsafe fn read(va: usize) -> u32 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("mov {:e}, [{}]", out(reg) value, in(reg) va, options(readonly, nostack)) };
    value
}

/// Stores 4 bytes.
///
/// # Safety
///
/// As for [`read`]; no Rust object lies at `va`.
pub unsafe fn write(va: usize, value: u32) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov [{}], {:e}", in(reg) va, in(reg) value, options(nostack)) };
}

/// DIV.
///
/// # Safety
///
/// The kernel ends the program if `divisor` is 0.
#[must_use]
pub unsafe fn divide(dividend: u32, divisor: u32) -> u32 {
    let quotient;
    // SAFETY: the caller's promise. EDX is 0, so that the quotient fits.
    unsafe {
        asm!("div {:e}", in(reg) divisor, inlateout("eax") dividend => quotient, inout("edx") 0 => _,
             options(nomem, nostack));
    }
    quotient
}

/// Loads DS.
///
/// # Safety
///
/// The kernel ends the program if the selector is not one of a user's data segments.
pub unsafe fn load_data_segment(selector: u16) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov ds, {:x}", in(reg) selector, options(nostack)) };
}
