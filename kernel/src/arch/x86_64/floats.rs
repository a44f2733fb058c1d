//! The registers for floating-point numbers, as this processor has them. `x86::floats` says whose they are.

use core::arch::asm;

use crate::arch::instructions::{Cr0, Cr4};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};

/// The state of the registers for floating-point numbers and vectors in which a program finds them: FCW and MXCSR as at
/// reset, everything else 0 (Intel SDM vol. 1, 10.5.1).
pub(in crate::arch) const INITIAL_FLOATS: [u8; 512] = {
    let mut state = [0; 512];
    (state[0], state[1], state[24], state[25]) = (0x7F, 0x03, 0x80, 0x1F);
    state
};

/// Lets programs use these registers, or nobody: the kernel does not, and every processor has them.
pub(crate) fn allow_floats(allowed: bool) {
    // SAFETY: `floats` saves and restores them. TS and MP make their first use by another program fault.
    unsafe {
        Cr4::update(|cr4| cr4.set(Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE, allowed));
        Cr0::update(|cr0| {
            cr0.set(Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR, allowed);
        });
    }
}

/// Saves the registers.
#[inline(never)] // so that a test sees that no other function uses them
pub(in crate::arch) fn save_floats(state: *mut u8) {
    // SAFETY: the state has room for them, and nothing else uses it.
    unsafe { asm!("fxsave64 [{}]", in(reg) state, options(nostack, preserves_flags)) };
}

/// Need do nothing: FXRSTOR raises no exception that is pending, and the kernel has no numbers with a floating point.
pub(in crate::arch) fn forget_floats() {}

/// Restores the registers.
///
/// Unless an x87 exception is pending, AMD's processors before Zen 2 neither save nor restore where the last x87
/// instruction was and its operand (CVE-2006-1056). An x87 load of the kernel's own replaces them, so that no program
/// learns the other one's.
#[inline(never)] // so that a test sees that no other function uses them
pub(in crate::arch) fn restore_floats(state: *mut u8) {
    // SAFETY: the state is one that was saved, or the first one, and begins with four bytes of numbers. The kernel uses
    // none of these registers. No exception is pending at the load, and EMMS has made room for it.
    unsafe {
        asm!("fnclex", "emms", "fild dword ptr [{0}]", "fxrstor64 [{0}]", in(reg) state,
            options(nostack, preserves_flags));
    }
}
