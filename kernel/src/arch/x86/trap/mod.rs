//! Traps, as far as PCs share them: the stubs, machine checks, and the description of a trap.

pub(in crate::arch) mod machine_check;
#[cfg(jos_machine)]
pub(in crate::arch) mod stubs;
#[cfg(jos_machine)]
pub(in crate::arch) mod unwind;
mod words;

use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use monitor::processor::vector::{GENERAL_PROTECTION, PAGE_FAULT};
use x86_64::structures::idt::PageFaultErrorCode;

use crate::arch::frame::TrapFrame;

/// An exception, or an interrupt of a device.
#[derive(Debug)]
pub(crate) struct Trap<'a> {
    /// The interrupted registers.
    pub(in crate::arch) frame: &'a mut TrapFrame,
    /// CR2 at the exception: the address of the latest page fault. (Handling the trap may change CR2.)
    pub(in crate::arch) cr2: u64,
}

impl Trap<'_> {
    /// The fault of the probe that this trap interrupted: a write if `store`, or else a read. `None` if no access
    /// raises such a trap.
    pub(in crate::arch) fn fault(&self, store: bool) -> Option<Fault> {
        let error = PageFaultErrorCode::from_bits_truncate(self.frame.error());
        let (va, present, write) = match self.frame.vector() {
            PAGE_FAULT => (
                self.cr2,
                error.contains(PageFaultErrorCode::PROTECTION_VIOLATION),
                error.contains(PageFaultErrorCode::CAUSED_BY_WRITE),
            ),
            // A non-canonical address: the processor reports neither the address, which the probe still has, nor
            // the kind of access.
            GENERAL_PROTECTION => (self.frame.probed_address(), false, store),
            _ => return None,
        };
        Some(Fault { va: VirtAddr::new(va), present, write })
    }
}

#[cfg(test)]
mod tests;
