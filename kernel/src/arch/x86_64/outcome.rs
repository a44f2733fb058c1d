//! [`Outcome`]: the result of a probe, in the form that the probes' instructions return.

use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use libjos::monitor::processor::vector::{GENERAL_PROTECTION, PAGE_FAULT};
use x86_64::structures::idt::PageFaultErrorCode;

use super::trap::Trap;

/// The result of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(in crate::arch) struct Outcome {
    /// The value that was read, or the address that faulted.
    pub value: u64,
    /// 0, or [`FAULTED`] and the error code.
    pub fault: u64,
}

/// A bit that tells a fault with the error code 0 from success.
pub(in crate::arch) const FAULTED: u64 = 1 << 63;

impl Outcome {
    /// The value, or the fault.
    pub(in crate::arch) fn check(self) -> Result<u64, Fault> {
        if self.fault & FAULTED == 0 {
            return Ok(self.value);
        }
        let error = PageFaultErrorCode::from_bits_truncate(self.fault);
        Err(Fault {
            va: VirtAddr::new(self.value),
            present: error.contains(PageFaultErrorCode::PROTECTION_VIOLATION),
            write: error.contains(PageFaultErrorCode::CAUSED_BY_WRITE),
        })
    }

    /// The outcome of a probe that `trap` interrupted: a write if `store`, or else a read. `None` if
    /// no access raises such a trap.
    pub(in crate::arch) fn of(trap: &Trap<'_>, store: bool) -> Option<Self> {
        let (value, error) = match trap.frame.vector {
            PAGE_FAULT => (trap.cr2, trap.frame.error),
            // A non-canonical address: the processor reports neither the address, which is a probe's
            // first argument, nor the kind of access.
            GENERAL_PROTECTION => {
                let mut error = PageFaultErrorCode::empty();
                error.set(PageFaultErrorCode::CAUSED_BY_WRITE, store);
                (trap.frame.rdi, error.bits())
            }
            _ => return None,
        };
        Some(Self { value, fault: FAULTED | error })
    }
}

#[cfg(test)]
mod tests;
