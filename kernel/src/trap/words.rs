//! A trap in one sentence: its name, and for traps that concern the memory system the access, the
//! reason and the place.

use core::fmt;

use layout::MemLayout;
use libjos::machine::AccessKind;
use libjos::mem::addr::VirtAddr;

use super::cause::{Cause, PageFault};
use crate::arch::trap::Trap;
use crate::arch::{ADDRESS_COLUMNS, Layout};
use crate::symbols;

impl fmt::Display for Trap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause();
        let overflow = matches!(cause, Cause::DoubleFault(latest) if in_guard_gap(latest));
        let name = if overflow { "kernel stack overflow" } else { self.name() };
        write!(f, "{name} (")?;
        self.write_code(f)?;
        write!(f, ")")?;
        match cause {
            Cause::PageFault(fault) => write_page_fault(&fault, f),
            Cause::DoubleFault(latest) if overflow => write!(
                f,
                ": the stack ran into the guard gap below KSTACKTOP-KSTKSIZE, at {:#0ADDRESS_COLUMNS$x}",
                latest.as_u64()
            ),
            Cause::DoubleFault(latest) => write!(
                f,
                ": an exception could not be delivered; the latest page fault was at {:#0ADDRESS_COLUMNS$x}, in {}",
                latest.as_u64(),
                Place(latest)
            ),
            Cause::Interrupt(_) | Cause::Other => self.write_detail(f),
        }
    }
}

/// Access, address, reason and region of a page fault.
fn write_page_fault(fault: &PageFault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let access = match fault.access {
        AccessKind::Fetch => "instruction fetch from",
        AccessKind::Write => "write to",
        AccessKind::Read => "read of",
    };
    // Malformed entries are tested first: QEMU reports their pages as not present.
    let reason = if fault.malformed {
        "reserved bit set in a page-table entry"
    } else if !fault.present {
        "page not present"
    } else if fault.access == AccessKind::Fetch {
        "no-execute page"
    } else {
        "protection violation (page present)"
    };
    let user = if fault.by_user { ", by user code" } else { "" };
    let (va, place) = (fault.va.as_u64(), Place(fault.va));
    write!(f, ": {access} {va:#0ADDRESS_COLUMNS$x}: {reason}{user}, in {place}")
}

/// Whether `va` lies in the guard gap of the kernel stack.
fn in_guard_gap(va: VirtAddr) -> bool {
    (Layout::KSTACK - Layout::KSTKGAP..Layout::KSTACK).contains(&va.as_u64())
}

/// The place of an address: the region of the memory map, and the part of the kernel.
struct Place(VirtAddr);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            layout::region_of::<Layout>(self.0.as_u64()).map_or("nowhere", |region| region.name);
        write!(f, "\"{name}\"")?;
        match symbols::part_of(self.0) {
            Some(part) => write!(f, " (kernel {part})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
