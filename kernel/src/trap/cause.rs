//! [`Cause`]: the cause of a trap, in terms that all machines share.

use libjos::machine::AccessKind;
use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;

/// The cause of a trap.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// The page tables do not allow an access.
    PageFault(PageFault),
    /// An exception could not be delivered. The latest page fault was at this address.
    DoubleFault(VirtAddr),
    /// An interrupt of a device.
    Interrupt(Interrupt),
    /// A cause that only the machine's own code knows.
    Other,
}

/// The device that interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interrupt {
    /// The timer.
    Timer,
    /// A device on which a byte was typed.
    Typed,
    /// Another one.
    Other,
}

/// An access that the page tables do not allow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageFault {
    /// The address.
    pub va: VirtAddr,
    /// The access that was tried there.
    pub access: AccessKind,
    /// Whether the page is present.
    pub present: bool,
    /// Whether an entry has a reserved bit set.
    pub malformed: bool,
    /// Whether user code made the access.
    pub by_user: bool,
}

impl From<PageFault> for Fault {
    fn from(fault: PageFault) -> Self {
        let PageFault { va, access, present, .. } = fault;
        Self { va, present, write: access == AccessKind::Write }
    }
}
