//! The description of a [`Trap`] in this machine's terms.

use core::fmt;

use libjos::machine::AccessKind;
use libjos::mem::addr::VirtAddr;
use monitor::processor::riscv::{self as names, cause, exception};

use super::frame::{Trap, TrapFrame};
use crate::arch::ADDRESS_COLUMNS;
use crate::arch::riscv64::control;
use crate::arch::riscv64::instructions::SPP;
use crate::arch::riscv64::interrupts::{EXTERNAL, INTERRUPT, TIMER};
use crate::arch::riscv64::probe::look;
use crate::arch::values::write_general;
use crate::trap::cause::{Cause, Interrupt, PageFault};

impl Trap<'_> {
    /// The cause, in terms that all machines share.
    #[must_use]
    pub(crate) fn cause(&self) -> Cause {
        let frame = &*self.frame;
        let va = VirtAddr::new(frame.stval);
        if frame.has_lost_stack() && is_page_fault(frame.scause) {
            return Cause::DoubleFault(va);
        }
        let access = match frame.scause {
            TIMER => return Cause::Interrupt(Interrupt::Timer),
            EXTERNAL => return Cause::Interrupt(Interrupt::Typed),
            INTERRUPT.. => return Cause::Interrupt(Interrupt::Other),
            cause::FETCH_PAGE_FAULT => AccessKind::Fetch,
            cause::LOAD_PAGE_FAULT => AccessKind::Read,
            cause::STORE_PAGE_FAULT => AccessKind::Write,
            _ => return Cause::Other,
        };
        let look = look(frame.stval);
        Cause::PageFault(PageFault {
            va,
            access,
            present: look.present,
            malformed: look.malformed,
            by_user: frame.sstatus & SPP == 0,
        })
    }

    /// The address of the interrupted instruction.
    #[must_use]
    pub(crate) fn instruction(&self) -> u64 {
        self.frame.sepc
    }

    /// The frame pointer of the interrupted function.
    #[must_use]
    pub(crate) fn frame_pointer(&self) -> u64 {
        self.frame.frame_pointer()
    }

    /// The exception's name.
    #[must_use]
    pub(crate) fn name(&self) -> &'static str {
        match self.cause() {
            Cause::DoubleFault(_) => "trap on an unusable stack",
            _ => exception(self.frame.scause),
        }
    }

    /// Writes the register with the cause, and its value.
    pub(crate) fn write_code(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scause {}", self.frame.scause)
    }

    /// Writes the end of the sentence that begins with the name, for [`Cause::Other`].
    pub(crate) fn write_detail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stval = self.frame.stval;
        match self.frame.scause {
            cause::ILLEGAL_INSTRUCTION => write!(f, ": {stval:#x}"),
            cause::FETCH_ACCESS_FAULT | cause::LOAD_ACCESS_FAULT | cause::STORE_ACCESS_FAULT => {
                write!(f, " at {stval:#0ADDRESS_COLUMNS$x}: no memory or device answers there")
            }
            cause::FETCH_MISALIGNED | cause::LOAD_MISALIGNED | cause::STORE_MISALIGNED => {
                write!(f, ": {stval:#0ADDRESS_COLUMNS$x}")
            }
            _ => Ok(()),
        }
    }

    /// Writes the general registers, then the control and status registers bit by bit.
    pub(crate) fn write_registers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrapFrame { sstatus, sepc, scause, stval, .. } = *self.frame;
        writeln!(f, "{}", self.frame)?;
        let registers = control::read()
            .with(&names::SSTATUS, sstatus)
            .with(&names::SEPC, sepc)
            .with(&names::SCAUSE, scause)
            .with(&names::STVAL, stval);
        writeln!(f, "{registers}")
    }

    /// Writes the machine's own records of the trap, for [`Cause::Other`]: there are none.
    pub(crate) fn write_records(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Whether the cause with this number is a page fault.
fn is_page_fault(number: u64) -> bool {
    matches!(number, cause::FETCH_PAGE_FAULT | cause::LOAD_PAGE_FAULT | cause::STORE_PAGE_FAULT)
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_general(f, self.registers())
    }
}
