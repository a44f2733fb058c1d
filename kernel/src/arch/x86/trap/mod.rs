//! Traps, as far as PCs share them: the stubs, machine checks, and the description of a trap.

pub(in crate::arch) mod machine_check;
#[cfg(jos_machine)]
pub(in crate::arch) mod stubs;
#[cfg(jos_machine)]
pub(in crate::arch) mod unwind;
mod words;

use crate::arch::frame::TrapFrame;

/// An exception, or an interrupt of a device.
#[derive(Debug)]
pub(crate) struct Trap<'a> {
    /// The interrupted registers.
    pub(in crate::arch) frame: &'a mut TrapFrame,
    /// CR2 at the exception: the address of the latest page fault. (Handling the trap may change CR2.)
    pub(in crate::arch) cr2: u64,
}
