//! The control and status registers.

use monitor::processor::riscv as names;

use super::instructions::read as csr;
use crate::arch::values::Values;

/// Reads the registers.
#[must_use]
pub(crate) fn read() -> Values<7, 7> {
    Values([
        (&names::SSTATUS, csr!(sstatus)),
        (&names::SATP, csr!(satp)),
        (&names::STVEC, csr!(stvec)),
        (&names::SIE, csr!(sie)),
        (&names::SEPC, csr!(sepc)),
        (&names::SCAUSE, csr!(scause)),
        (&names::STVAL, csr!(stval)),
    ])
}
