//! The error banks of machine checks: how they are set up, and their records in words.
//!
//! Source: Intel SDM vol. 3B, 15.3 (the registers), 15.6 and 15.8 (detection and initialisation).

use core::fmt;

use libjos::monitor::processor::{MCG_STATUS, MCI_STATUS};

/// The model-specific registers, by their numbers.
pub(super) trait Registers {
    /// Reads a register.
    fn read(&self, number: u32) -> u64;

    /// Writes a register.
    fn write(&mut self, number: u32, value: u64);
}

// Numbers of the registers. Each bank has four: control, status, address, miscellaneous.
const MCG_CAP: u32 = 0x179;
const MCG_STATUS_MSR: u32 = 0x17A;
const MCG_CTL: u32 = 0x17B;
const MC0_CTL: u32 = 0x400;
const BANK_REGISTERS: u32 = 4;

// Fields of MCG_CAP: the number of banks, and whether MCG_CTL exists.
const MCG_CAP_COUNT: u64 = 0xFF;
const MCG_CAP_CTL_P: u64 = 1 << 8;

// Bits of a bank's status: whether it holds an error, and an address.
const STATUS_VAL: u64 = 1 << 63;
const STATUS_ADDRV: u64 = 1 << 58;

/// An error bank, by its number.
#[derive(Clone, Copy)]
struct Bank(u32);

impl Bank {
    fn control(self) -> u32 {
        MC0_CTL + self.0 * BANK_REGISTERS
    }

    fn status(self) -> u32 {
        MC0_CTL + self.0 * BANK_REGISTERS + 1
    }

    fn address(self) -> u32 {
        MC0_CTL + self.0 * BANK_REGISTERS + 2
    }
}

/// All banks.
fn banks(registers: &impl Registers) -> impl Iterator<Item = Bank> {
    let count = registers.read(MCG_CAP) & MCG_CAP_COUNT;
    (0..count as u32).map(Bank)
}

/// Turns on every kind of error in every bank, and clears old errors. The control register of bank 0
/// stays as it is if `keeps_bank_0`.
pub(super) fn enable(registers: &mut impl Registers, keeps_bank_0: bool) {
    if registers.read(MCG_CAP) & MCG_CAP_CTL_P != 0 {
        registers.write(MCG_CTL, u64::MAX);
    }
    for bank in banks(registers) {
        if bank.0 != 0 || !keeps_bank_0 {
            registers.write(bank.control(), u64::MAX);
        }
        registers.write(bank.status(), 0);
    }
    registers.write(MCG_STATUS_MSR, 0);
}

/// Writes the processor's records of a machine check: a line for the global status, and one for each
/// bank that holds an error. Afterwards another machine check can be reported.
pub(super) fn write(registers: &mut impl Registers, f: &mut dyn fmt::Write) -> fmt::Result {
    let status = registers.read(MCG_STATUS_MSR);
    // Writing 0 clears MCIP: while it is set, another machine check resets the machine in silence (Intel
    // SDM vol. 3B, 15.3.1.2).
    registers.write(MCG_STATUS_MSR, 0);
    writeln!(f, "  {}  {status:016x}  {}", MCG_STATUS.name, MCG_STATUS.names(status))?;
    for bank in banks(registers) {
        let status = registers.read(bank.status());
        if status & STATUS_VAL == 0 {
            continue;
        }
        write!(f, "  bank {:<6} {status:016x}  {}", bank.0, MCI_STATUS.names(status))?;
        if status & STATUS_ADDRV != 0 {
            write!(f, ", at {:#x}", registers.read(bank.address()))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
