//! [`Report`]: the details of a trap, after its sentence: the registers, the failed walk of a page
//! fault, and the machine's own records.

use core::fmt;

use libjos::mem::addr::VirtAddr;
use monitor::explain::WalkTrace;

use super::cause::{Cause, PageFault};
use crate::arch::trap::Trap;
use crate::arch::{Format, Layout, cpu};
use crate::inspect;

/// A trap, to be displayed in full.
#[derive(Debug)]
pub(crate) struct Report<'a>(pub(crate) &'a Trap<'a>);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_registers(f)?;
        match self.0.cause() {
            Cause::PageFault(fault) => {
                let walk = write_walk(f, fault.va)?;
                let PageFault { access, by_user, .. } = fault;
                if fault.malformed {
                    return writeln!(
                        f,
                        "  a bit that must be 0 is set in the last of these entries"
                    );
                }
                writeln!(f, "  {}", walk.blame(access, by_user))
            }
            // The processor does not say whether the undelivered page fault was a read or a write.
            Cause::DoubleFault(latest) => write_walk(f, latest).map(|_| ()),
            Cause::Interrupt(_) | Cause::Other => self.0.write_records(f),
        }
    }
}

/// Writes the walk of `va`.
fn write_walk(f: &mut fmt::Formatter<'_>, va: VirtAddr) -> Result<WalkTrace<Format>, fmt::Error> {
    let region = layout::region_of::<Layout>(va.as_u64()).map_or("nowhere", |found| found.name);
    let walk = inspect::walk(cpu::pgdir_in_use(), va);
    writeln!(f, "Walk of {va} (\"{region}\"):")?;
    writeln!(f, "{walk}")?;
    Ok(walk)
}

#[cfg(test)]
mod tests;
