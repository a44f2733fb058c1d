//! [`Outcome`]: the result of a probe, in the form that the probes' instructions return.

use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use libjos::monitor::processor::vector::{GENERAL_PROTECTION, PAGE_FAULT};
use x86_64::structures::idt::PageFaultErrorCode;

use super::trap::Trap;

/// The result of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::arch) struct Outcome {
    /// The value that was read, or the address that faulted.
    pub value: usize,
    /// 0, or [`FAULTED`] and the error code.
    pub fault: usize,
}

/// A bit that tells a fault with the error code 0 from success.
pub(in crate::arch) const FAULTED: usize = 1 << (usize::BITS - 1);

impl Outcome {
    /// The value, or the fault.
    pub(in crate::arch) fn check(self) -> Result<usize, Fault> {
        if self.fault & FAULTED == 0 {
            return Ok(self.value);
        }
        let error = PageFaultErrorCode::from_bits_truncate(self.fault as u64);
        Err(Fault {
            va: VirtAddr::new(self.value as u64),
            present: error.contains(PageFaultErrorCode::PROTECTION_VIOLATION),
            write: error.contains(PageFaultErrorCode::CAUSED_BY_WRITE),
        })
    }

    /// The outcome of a probe that `trap` interrupted: a write if `store`, or else a read. `None` if
    /// no access raises such a trap.
    pub(in crate::arch) fn of(trap: &Trap<'_>, store: bool) -> Option<Self> {
        let (value, error) = match trap.frame.vector() {
            PAGE_FAULT => (trap.cr2, trap.frame.error()),
            // A non-canonical address: the processor reports neither the address, which the probe
            // still has, nor the kind of access.
            GENERAL_PROTECTION => {
                let mut error = PageFaultErrorCode::empty();
                error.set(PageFaultErrorCode::CAUSED_BY_WRITE, store);
                (trap.frame.probed_address(), error.bits())
            }
            _ => return None,
        };
        Some(Self { value: value as usize, fault: FAULTED | error as usize })
    }
}

#[cfg(test)]
mod tests;
