//! The control registers of the simulated processor.

use super::ports::pc;
pub(crate) use crate::arch::x86_64::control::ControlRegisters;

impl ControlRegisters {
    pub(crate) fn read() -> Self {
        pc().processor.control
    }
}
