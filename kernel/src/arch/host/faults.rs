//! No fault is simulated yet.

use core::sync::atomic::AtomicU8;

use crate::faults::fault::FaultTest;

pub(crate) const FAULTS: &[FaultTest] = &[];
pub(crate) const RESERVED_BIT: u64 = 1 << 51;
pub(crate) static CODE: AtomicU8 = AtomicU8::new(0);

pub(crate) fn read(_va: u64) {
    unimplemented!("the host has no such instruction")
}

pub(crate) fn write(_va: u64) {
    unimplemented!("the host has no such instruction")
}

pub(crate) unsafe fn execute(_va: u64) {
    unimplemented!("the host has no such instruction")
}

pub(crate) fn user_access_allowed() -> bool {
    false
}
