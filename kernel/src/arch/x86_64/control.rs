//! The control registers.

use libjos::monitor::processor::{self, Register};

/// The values of the control registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlRegisters {
    /// The address of the latest page fault.
    pub cr2: u64,
    pub cr0: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub cr8: u64,
    pub efer: u64,
}

#[cfg(jos_machine)]
impl ControlRegisters {
    /// Reads all registers.
    #[must_use]
    pub(crate) fn read() -> Self {
        use x86_64::registers::control::{Cr0, Cr2, Cr3, Cr4, Cr8, Efer};
        let (directory, flags) = Cr3::read_raw();
        Self {
            cr0: Cr0::read_raw(),
            cr2: Cr2::read_raw(),
            cr3: directory.start_address().as_u64() | u64::from(flags),
            cr4: Cr4::read_raw(),
            cr8: Cr8::read_raw(),
            efer: Efer::read_raw(),
        }
    }
}

impl ControlRegisters {
    /// All registers with their values.
    #[must_use]
    pub(crate) fn all(&self) -> [(&'static Register, u64); 6] {
        [
            (&processor::CR0, self.cr0),
            (&processor::CR2, self.cr2),
            (&processor::CR3, self.cr3),
            (&processor::CR4, self.cr4),
            (&processor::CR8, self.cr8),
            (&processor::EFER, self.efer),
        ]
    }
}

#[cfg(test)]
mod tests;
