//! Instructions that must fault. Instructions that only this processor could have are left to the machine.

use core::sync::atomic::AtomicU8;

use libjos::machine::AccessKind;

use super::ports::pc;
use super::probe::at;
use super::trap::CODE as PROGRAM;
use crate::faults::fault::FaultTest;

pub(crate) const FAULTS: &[FaultTest] = &[FaultTest { name: "simulated", commit: || read(0x123) }];
pub(crate) const RESERVED: (u32, u64) = (0, 1 << 51);
pub(crate) const NO_RAM: u64 = 1 << 39;
pub(crate) static CODE: AtomicU8 = AtomicU8::new(0);

pub(crate) fn read(va: u64) {
    let _ = at(va, AccessKind::Read, PROGRAM);
}

pub(crate) fn write(va: u64) {
    let _ = at(va, AccessKind::Write, PROGRAM);
}

pub(crate) unsafe fn execute(va: u64) {
    let _ = at(va, AccessKind::Fetch, PROGRAM);
}

/// EFLAGS.AC.
pub(crate) fn user_access_allowed() -> bool {
    pc().processor.allows_user_access
}
