//! The simulated processor's registers for floating-point numbers and vectors: plain bytes. Saving leaves
//! them as FNINIT does, as FNSAVE would.

use core::ptr;

use super::ports::pc;
pub(in crate::arch) use super::processor::INITIAL_FLOATS;
use super::processor::{FLOATS, TASK_SWITCHED};

pub(in crate::arch) fn save_floats(state: *mut u8) {
    let processor = &mut pc().processor;
    assert_eq!(processor.control.cr0 & TASK_SWITCHED, 0, "FNSAVE faults");
    // SAFETY: the state has room for the registers, and nothing else uses it.
    unsafe { ptr::copy_nonoverlapping(processor.floats.as_ptr(), state, FLOATS) };
    processor.floats = INITIAL_FLOATS;
}

pub(in crate::arch) fn forget_floats() {
    let processor = &mut pc().processor;
    assert_eq!(processor.control.cr0 & TASK_SWITCHED, 0, "FNINIT faults");
    processor.floats = INITIAL_FLOATS;
}

pub(in crate::arch) fn restore_floats(state: *mut u8) {
    let processor = &mut pc().processor;
    assert_eq!(processor.control.cr0 & TASK_SWITCHED, 0, "FRSTOR faults");
    assert_eq!(processor.floats, INITIAL_FLOATS, "FRSTOR raises another program's exception");
    // SAFETY: as above.
    unsafe { ptr::copy_nonoverlapping(state, processor.floats.as_mut_ptr(), FLOATS) };
}
