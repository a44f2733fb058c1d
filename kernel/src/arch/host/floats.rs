//! The simulated processor's registers for floating-point numbers and vectors: bytes, as FXSAVE stores them.

use core::ptr;

use super::ports::pc;
use super::processor::{FLOATS, TASK_SWITCHED};

/// Any bytes that the registers do not have at reset.
pub(in crate::arch) const INITIAL_FLOATS: [u8; FLOATS] = [0x7F; FLOATS];

pub(in crate::arch) fn save_floats(state: *mut u8) {
    let processor = &pc().processor;
    assert_eq!(processor.control.cr0 & TASK_SWITCHED, 0, "FXSAVE faults");
    // SAFETY: the state has room for the registers, and nothing else uses it.
    unsafe { ptr::copy_nonoverlapping(processor.floats.as_ptr(), state, FLOATS) };
}

pub(in crate::arch) fn restore_floats(state: *mut u8) {
    let processor = &mut pc().processor;
    assert_eq!(processor.control.cr0 & TASK_SWITCHED, 0, "FXRSTOR faults");
    // SAFETY: as above.
    unsafe { ptr::copy_nonoverlapping(state, processor.floats.as_mut_ptr(), FLOATS) };
}
