//! [`Report`]: all there is to say of an exception after its sentence: registers, the error code
//! bit by bit, for a page fault the walk that failed, for a machine check the processor's banks.

use core::fmt;

use layout::Jos64;
use libjos::mem::addr::VirtAddr;
use libjos::monitor::explain::Access;
use libjos::monitor::processor::vector::{DOUBLE_FAULT, MACHINE_CHECK, PAGE_FAULT};
use libjos::monitor::processor::{ErrorCode, RFLAGS};
use x86_64::structures::idt::PageFaultErrorCode;

use super::{TrapFrame, machine_check};
use crate::control::ControlRegisters;
use crate::inspect;

/// An exception, to be displayed in full.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The state that it interrupted.
    pub frame: &'a TrapFrame,
    /// The control registers when it came. (The report itself may change CR2.)
    pub control: ControlRegisters,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrapFrame { vector, error, rflags, .. } = *self.frame;
        writeln!(f, "{}", self.frame)?;
        writeln!(f, "  {:<6} {rflags:016x}  {}", RFLAGS.name, RFLAGS.names(rflags))?;
        writeln!(f, "{}", self.control)?;
        writeln!(f, "  {}", ErrorCode { vector, code: error })?;
        match vector {
            PAGE_FAULT => self.walk(f, error),
            // The page fault that could not be delivered pushed no error code that is still there.
            DOUBLE_FAULT => self.walk(f, 0),
            MACHINE_CHECK => machine_check::write_banks(f),
            _ => Ok(()),
        }
    }
}

impl Report<'_> {
    /// The walk of CR2, and what it means for the access of `error`.
    fn walk(&self, f: &mut fmt::Formatter<'_>, error: u64) -> fmt::Result {
        let va = VirtAddr::new(self.control.cr2);
        let region = layout::region_of::<Jos64>(va.as_u64()).map_or("nowhere", |found| found.name);
        let walk = inspect::walk(inspect::pgdir_in_use(), va);
        writeln!(f, "Walk of {va} (\"{region}\"):")?;
        writeln!(f, "{walk}")?;
        if self.frame.vector == PAGE_FAULT {
            let error = PageFaultErrorCode::from_bits_truncate(error);
            if error.contains(PageFaultErrorCode::MALFORMED_TABLE) {
                return writeln!(f, "  a bit that must be 0 is set in the last of these entries");
            }
            let access = if error.contains(PageFaultErrorCode::INSTRUCTION_FETCH) {
                Access::Fetch
            } else if error.contains(PageFaultErrorCode::CAUSED_BY_WRITE) {
                Access::Write
            } else {
                Access::Read
            };
            let by_user = error.contains(PageFaultErrorCode::USER_MODE);
            writeln!(f, "  {}", walk.blame(access, by_user))?;
        }
        Ok(())
    }
}
