//! Exceptions: stubs in assembly pass each one as a [`Trap`] to the handler.
//!
//! `stubs` push a [`TrapFrame`](frame::TrapFrame) and call the handler; `idt` leads to them, on the
//! stacks that `segments` gives; `machine_check` turns machine checks on; `words` describes a trap in
//! this machine's terms. The kernel runs with interrupts off, so exceptions are the only traps. Double
//! fault, NMI and machine check run on stacks of their own, since the interrupted stack may be unusable.

pub(in crate::arch) mod frame;
#[cfg(target_os = "none")]
mod idt;
pub(in crate::arch) mod machine_check;
#[cfg(target_os = "none")]
mod segments;
#[cfg(target_os = "none")]
mod stubs;
mod words;

pub(crate) use frame::Trap;
#[cfg(target_os = "none")]
pub(crate) use idt::init;
