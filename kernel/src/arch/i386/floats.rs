//! The registers for floating-point numbers, as this processor has them. `x86::floats` says whose they are.

use core::arch::asm;

/// The state of the registers for floating-point numbers in which a program finds them: as FNINIT leaves them, and all
/// numbers 0 (Intel SDM vol. 1, figure 8-9).
pub(in crate::arch) const INITIAL_FLOATS: [u8; 512] = {
    let mut state = [0; 512];
    (state[0], state[1], state[8], state[9]) = (0x7F, 0x03, 0xFF, 0xFF);
    state
};

/// Does nothing: every processor has the registers of x87, `x86::floats` forbids them where it must, and nobody may use
/// those for vectors.
pub(crate) fn allow_floats(_allowed: bool) {}

/// Saves the registers, and leaves them as FNINIT does.
#[inline(never)] // so that a test sees that no other function uses them
pub(in crate::arch) fn save_floats(state: *mut u8) {
    // SAFETY: the state has room for them, and nothing else uses it.
    unsafe { asm!("fnsave [{}]", "fwait", in(reg) state, options(nostack, preserves_flags)) };
}

/// Leaves the registers as FNINIT does. No exception is pending then, which FRSTOR would raise (Intel SDM vol. 1, 8.3.12),
/// nor do the numbers of an application come out by a program's control word.
#[inline(never)] // so that a test sees that no other function uses them
pub(in crate::arch) fn forget_floats() {
    // SAFETY: nobody has numbers in them.
    unsafe { asm!("fninit", options(nomem, nostack, preserves_flags)) };
}

/// Restores the registers.
#[inline(never)] // so that a test sees that no other function uses them
pub(in crate::arch) fn restore_floats(state: *mut u8) {
    // SAFETY: the state is one that was saved, or the first one. The kernel keeps no numbers in them meanwhile.
    unsafe { asm!("frstor [{}]", in(reg) state, options(nostack, preserves_flags)) };
}
