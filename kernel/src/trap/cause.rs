//! [`Cause`]: what a trap is about, as far as all machines have it.

use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use libjos::monitor::explain::AccessKind;

/// The cause of a trap.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// The page tables do not allow an access.
    PageFault(PageFault),
    /// An exception could not be delivered. The latest page fault was at this address.
    DoubleFault(VirtAddr),
    /// Something that only the machine knows.
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
    /// Whether an entry has a bit that must not be set.
    pub malformed: bool,
    /// Whether user code did it.
    pub by_user: bool,
}

impl From<PageFault> for Fault {
    fn from(fault: PageFault) -> Self {
        let PageFault { va, access, present, .. } = fault;
        Self { va, present, write: access == AccessKind::Write }
    }
}
