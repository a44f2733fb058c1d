//! The control registers.

use libjos::monitor::processor::{CR0, CR2, CR3, CR4, CR8, EFER};
use x86_64::registers::control::{Cr0, Cr2, Cr3, Cr4, Cr8, Efer};

use crate::arch::x86::control::Registers;

/// The values of the control registers.
pub(crate) type ControlRegisters = Registers<6>;

impl ControlRegisters {
    /// Reads all registers.
    #[must_use]
    pub(crate) fn read() -> Self {
        let (directory, flags) = Cr3::read_raw();
        Self([
            (&CR0, Cr0::read_raw()),
            (&CR2, Cr2::read_raw()),
            (&CR3, directory.start_address().as_u64() | u64::from(flags)),
            (&CR4, Cr4::read_raw()),
            (&CR8, Cr8::read_raw()),
            (&EFER, Efer::read_raw()),
        ])
    }
}
