//! A PC with an x86-64 processor.
//!
//! Files that need no instruction of this processor compile for the host's simulated PC too.

pub(crate) mod control;
pub(crate) mod features;
#[cfg(jos_machine)]
pub(super) mod floats;
pub(super) mod frame;
#[cfg(jos_machine)]
pub(super) mod instructions;
pub(super) mod program;
#[cfg(jos_machine)]
pub(super) mod registers;
#[cfg(jos_machine)]
pub(crate) mod stack;
#[cfg(jos_machine)]
pub(super) mod syscall;
pub(crate) mod trap;

#[cfg(jos_machine)]
pub(crate) use super::x86::{
    clock, cpu, devices, exit, faults, interrupts, keyboard, probe, screen, serial, user,
};

/// The machine's memory map.
pub type Layout = layout::Jos64;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::x86_64::X86_64;
