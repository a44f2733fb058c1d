//! The control registers.

use monitor::processor;

use crate::arch::instructions::{Cr0, Cr2, Cr3, Cr4};
use crate::arch::values::Values;

/// Reads the control registers.
#[must_use]
pub(crate) fn read() -> Values<4, 6> {
    Values([
        (&processor::CR0, Cr0::read_raw()),
        (&processor::CR2, Cr2::read_raw()),
        (&processor::CR3, Cr3::read_raw()),
        (&processor::CR4, Cr4::read_raw()),
    ])
}
