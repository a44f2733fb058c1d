//! The control registers.

use libjos::monitor::processor::{CR0, CR2, CR3, CR4};

use super::instructions::{Cr0, Cr2, Cr3, Cr4};
use crate::arch::x86::control::Registers;

/// The values of the control registers.
pub(crate) type ControlRegisters = Registers<4>;

impl ControlRegisters {
    /// Reads all registers.
    #[must_use]
    pub(crate) fn read() -> Self {
        Self([
            (&CR0, Cr0::read_raw()),
            (&CR2, Cr2::read_raw()),
            (&CR3, Cr3::read_raw()),
            (&CR4, Cr4::read_raw()),
        ])
    }
}
