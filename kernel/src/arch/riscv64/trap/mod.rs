//! Traps: a stub in assembly passes each one as a [`Trap`] to the handler.
//!
//! `stubs` saves a [`TrapFrame`] and calls the handler; `words` describes a trap in the hart's terms. The handler runs with
//! interrupts off.

mod frame;
mod stubs;
mod words;

pub(crate) use frame::Trap;
pub(crate) use stubs::init;
