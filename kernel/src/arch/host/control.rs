//! The simulated processor has no control registers.

use libjos::monitor::processor::Register;

pub(crate) struct ControlRegisters;

impl ControlRegisters {
    pub(crate) fn read() -> Self {
        Self
    }

    pub(crate) fn all(&self) -> [(&'static Register, u64); 0] {
        []
    }
}
