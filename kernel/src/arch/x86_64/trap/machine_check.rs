//! Machine checks: turned on if the processor has them, and reported from its error banks (`banks`).
//!
//! Without CR4.MCE a machine check resets the machine in silence.

use core::fmt;

use libjos::monitor::processor::vector::MACHINE_CHECK;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::Msr;

use super::banks;
use super::frame::Trap;
use crate::arch::x86_64::control::ControlRegisters;
use crate::arch::x86_64::cpu::cpuid;

/// The model-specific registers of this processor, which has error banks.
struct BankRegisters(());

impl BankRegisters {
    /// The registers; `None` if the processor keeps no errors in banks (CPUID's MCA).
    fn get() -> Option<Self> {
        cpuid().get_feature_info().filter(|features| features.has_mca()).map(|_| Self(()))
    }
}

impl banks::Registers for BankRegisters {
    fn read(&self, number: u32) -> u64 {
        // SAFETY: `banks` reads MCG_CAP, which a processor with banks has, and registers that MCG_CAP
        // or a bank's status says to exist. Reading changes nothing.
        unsafe { Msr::new(number).read() }
    }

    fn write(&mut self, number: u32, value: u64) {
        // SAFETY: as in `read`; the registers only control and record the reporting of errors.
        unsafe { Msr::new(number).write(value) }
    }
}

/// Turns on machine checks for every kind of error in every bank, and clears old errors. The IDT must
/// be loaded.
pub(super) fn init() {
    let Some(features) = cpuid().get_feature_info().filter(|features| features.has_mce()) else {
        return;
    };
    if let Some(mut registers) = BankRegisters::get() {
        // On old processors of family 6, MC0_CTL is another register (Intel SDM vol. 3B, 15.3.2.1).
        let keeps_bank_0 = features.family_id() == 6 && features.model_id() < 0x1A;
        banks::enable(&mut registers, keeps_bank_0);
    }
    // SAFETY: the processor has the bit, and the IDT has a handler with a stack of its own.
    unsafe { Cr4::update(|cr4| cr4.insert(Cr4Flags::MACHINE_CHECK_EXCEPTION)) };
}

/// The parts of a trap's report that read the processor.
impl Trap<'_> {
    /// Writes the registers, and the error code bit by bit.
    pub(crate) fn write_registers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_registers_with(ControlRegisters::read(), f)
    }

    /// Writes the machine's own records of the trap, for a cause that only the machine knows.
    pub(crate) fn write_records(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.frame.vector, BankRegisters::get()) {
            (MACHINE_CHECK, Some(mut registers)) => banks::write(&mut registers, f),
            _ => Ok(()),
        }
    }
}
