//! Code that PCs share, whether their processor is an i386 or an x86-64: the devices, and the parts of the
//! processor that the two have in common. Each machine gives them its own `instructions`.

pub(crate) mod clock;
#[cfg(jos_machine)]
pub(crate) mod cpu;
pub(crate) mod exit;
#[cfg(jos_machine)]
pub(crate) mod faults;
pub(crate) mod features;
pub(in crate::arch) mod floats;
pub(in crate::arch) mod frame;
pub(crate) mod interrupts;
pub(in crate::arch) mod jos;
pub(crate) mod keyboard;
#[cfg(jos_machine)]
pub(crate) mod probe;
mod program;
#[cfg(jos_machine)]
pub(in crate::arch) mod ring3;
pub(crate) mod screen;
pub(crate) mod serial;
#[cfg(jos_machine)]
pub(crate) mod stack;
#[cfg_attr(not(any(jos_machine, test)), expect(dead_code, reason = "the host runs no programs"))]
mod sysenter;
pub(crate) mod trap;
#[cfg(jos_machine)]
pub(crate) mod user;

/// A PC's devices have I/O ports, or lie in the window.
pub(crate) fn devices() -> &'static [libjos::mem::addr::PhysRange] {
    &[]
}
