//! Machine checks: turned on if the processor has them, and reported from its error banks.
//!
//! Without CR4.MCE a machine check resets the machine in silence. Source: Intel SDM vol. 3B, 15.3
//! (the registers), 15.6 and 15.8 (detection and initialisation).

use core::fmt;

use monitor::processor::{MCG_STATUS, MCI_STATUS};

use crate::arch::cpu;
use crate::arch::instructions::{Msr, cpuid};

// Numbers of the registers. Each bank has four: control, status, address, miscellaneous.
const MCG_CAP: u32 = 0x179;
const MCG_STATUS_MSR: u32 = 0x17A;
const MCG_CTL: u32 = 0x17B;
const MC0_CTL: u32 = 0x400;
const BANK_REGISTERS: u32 = 4;

// Fields of MCG_CAP: the number of banks, and whether MCG_CTL exists.
const MCG_CAP_COUNT: u64 = 0xFF;
const MOST_BANKS: u64 = 32;
const MCG_CAP_CTL_P: u64 = 1 << 8;

// Bits of a bank's status: whether it holds an error, and an address.
const STATUS_VAL: u64 = 1 << 63;
const STATUS_ADDRV: u64 = 1 << 58;

/// An error bank, by its number.
#[derive(Clone, Copy)]
struct Bank(u32);

impl Bank {
    fn control(self) -> Msr {
        Msr::new(MC0_CTL + self.0 * BANK_REGISTERS)
    }

    fn status(self) -> Msr {
        Msr::new(MC0_CTL + self.0 * BANK_REGISTERS + 1)
    }

    fn address(self) -> Msr {
        Msr::new(MC0_CTL + self.0 * BANK_REGISTERS + 2)
    }
}

/// Turns on machine checks for every kind of error in every bank, and clears old errors. The IDT must
/// be loaded.
pub(in crate::arch) fn init() {
    let Some(features) = cpuid().get_feature_info().filter(|features| features.has_mce()) else {
        return;
    };
    if has_banks() {
        // On old processors of family 6, MC0_CTL is another register (Intel SDM vol. 3B, 15.3.2.1).
        let keeps_bank_0 = features.family_id() == 6 && features.model_id() < 0x1A;
        // SAFETY: CPUID and MCG_CAP say that the registers exist; they only control and record the
        // reporting of errors.
        unsafe {
            if Msr::new(MCG_CAP).read() & MCG_CAP_CTL_P != 0 {
                Msr::new(MCG_CTL).write(u64::MAX);
            }
            for bank in banks() {
                if bank.0 != 0 || !keeps_bank_0 {
                    bank.control().write(u64::MAX);
                }
                bank.status().write(0);
            }
            Msr::new(MCG_STATUS_MSR).write(0);
        }
    }
    // SAFETY: the processor has machine checks, and the IDT has a handler with a stack of its own.
    unsafe { cpu::allow_machine_checks() };
}

/// Whether the processor keeps errors in banks (CPUID's MCA).
fn has_banks() -> bool {
    cpuid().get_feature_info().is_some_and(|features| features.has_mca())
}

/// All banks of a processor that has some.
fn banks() -> impl Iterator<Item = Bank> {
    // SAFETY: a processor with banks has the register, and reading it changes nothing.
    let count = unsafe { Msr::new(MCG_CAP).read() } & MCG_CAP_COUNT;
    // Where the registers of more would be, others are (Intel SDM vol. 4, table 2-2).
    (0..count.min(MOST_BANKS) as u32).map(Bank)
}

/// Writes the processor's records of a machine check: a line for the global status, and one for each
/// bank that holds an error. Afterwards another machine check can be reported.
pub(super) fn write_banks(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !has_banks() {
        return Ok(());
    }
    let mut mcg_status = Msr::new(MCG_STATUS_MSR);
    // SAFETY: as in `banks`. Writing 0 clears MCIP: while it is set, another machine check resets the
    // machine in silence (Intel SDM vol. 3B, 15.3.1.2).
    let status = unsafe {
        let status = mcg_status.read();
        mcg_status.write(0);
        status
    };
    writeln!(f, "  {}  {status:016x}  {}", MCG_STATUS.name, MCG_STATUS.names(status))?;
    for bank in banks() {
        // SAFETY: as in `banks`.
        let status = unsafe { bank.status().read() };
        if status & STATUS_VAL == 0 {
            continue;
        }
        write!(f, "  bank {:<6} {status:016x}  {}", bank.0, MCI_STATUS.names(status))?;
        if status & STATUS_ADDRV != 0 {
            // SAFETY: the status says that there is an address; reading it changes nothing.
            write!(f, ", at {:#x}", unsafe { bank.address().read() })?;
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
