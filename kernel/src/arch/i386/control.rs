//! The control registers.

use libjos::monitor::processor::{self, Register};

use super::instructions::{Cr0, Cr2, Cr3, Cr4};

/// The values of the control registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlRegisters {
    /// The address of the latest page fault.
    pub cr2: u64,
    pub cr0: u64,
    pub cr3: u64,
    pub cr4: u64,
}

impl ControlRegisters {
    /// Reads all registers.
    #[must_use]
    pub(crate) fn read() -> Self {
        Self {
            cr0: Cr0::read_raw(),
            cr2: Cr2::read_raw(),
            cr3: Cr3::read_raw(),
            cr4: Cr4::read_raw(),
        }
    }

    /// All registers with their values.
    #[must_use]
    pub(crate) fn all(&self) -> [(&'static Register, u64); 4] {
        [
            (&processor::CR0, self.cr0),
            (&processor::CR2, self.cr2),
            (&processor::CR3, self.cr3),
            (&processor::CR4, self.cr4),
        ]
    }
}
