//! The control and status registers, for display.

use core::fmt;

use libjos::monitor::processor::Register;
use libjos::monitor::processor::riscv as names;

use super::instructions::read;

/// The values of the registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlRegisters {
    registers: [(&'static Register, u64); 7],
}

impl ControlRegisters {
    /// Reads all registers.
    #[must_use]
    pub(crate) fn read() -> Self {
        let registers = [
            (&names::SSTATUS, read!(sstatus)),
            (&names::SATP, read!(satp)),
            (&names::STVEC, read!(stvec)),
            (&names::SIE, read!(sie)),
            (&names::SEPC, read!(sepc)),
            (&names::SCAUSE, read!(scause)),
            (&names::STVAL, read!(stval)),
        ];
        Self { registers }
    }

    /// All registers with their values.
    #[must_use]
    pub(crate) fn all(&self) -> [(&'static Register, u64); 7] {
        self.registers
    }

    /// The registers with those of a trap in the place of what later traps have left there.
    #[must_use]
    pub(super) fn at_trap(sstatus: u64, sepc: u64, scause: u64, stval: u64) -> Self {
        let mut all = Self::read();
        for (register, value) in &mut all.registers {
            match register.name {
                "sstatus" => *value = sstatus,
                "sepc" => *value = sepc,
                "scause" => *value = scause,
                "stval" => *value = stval,
                _ => {}
            }
        }
        all
    }
}

/// A line for each register, with the names of the bits that are set.
impl fmt::Display for ControlRegisters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (register, value)) in self.all().into_iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}  {:<7} {value:016x}  {}", register.name, register.names(value))?;
        }
        Ok(())
    }
}
