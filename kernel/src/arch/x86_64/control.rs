//! The control registers.

use monitor::processor;

use crate::arch::instructions::{Cr0, Cr2, Cr3, Cr4, Cr8, Efer};
use crate::arch::values::Values;

/// Reads the control registers.
#[must_use]
pub(crate) fn read() -> Values<6, 6> {
    Values([
        (&processor::CR0, Cr0::read_raw()),
        (&processor::CR2, Cr2::read_raw()),
        (&processor::CR3, Cr3::read_raw()),
        (&processor::CR4, Cr4::read_raw()),
        (&processor::CR8, Cr8::read_raw()),
        (&processor::EFER, Efer::read_raw()),
    ])
}

#[cfg(test)]
mod tests;
