//! Traps: stubs in assembly pass each one as a [`Trap`] to the handler.
//!
//! `stubs` push a [`TrapFrame`] and call the handler; `idt` leads to them, on the
//! stacks that `segments` gives. `x86::trap` has the stubs' beginning, turns machine checks on, and describes
//! a trap in the processor's terms. Double fault, NMI and machine check run on stacks of their own, since the interrupted
//! stack may be unusable.

#[cfg(jos_machine)]
mod idt;
#[cfg(jos_machine)]
mod segments;
#[cfg(jos_machine)]
pub(in crate::arch) mod stubs;

#[cfg(jos_machine)]
pub(crate) use idt::init;

pub(crate) use crate::arch::x86::trap::Trap;
pub(crate) use crate::arch::x86_64::frame::TrapFrame;
