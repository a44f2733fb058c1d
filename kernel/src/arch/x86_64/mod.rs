//! A PC with an x86-64 processor.
//!
//! Files that need no instruction of this processor compile for the host's simulated PC too.

pub(crate) mod control;
#[cfg(jos_machine)]
pub(crate) mod cpu;
#[cfg(jos_machine)]
pub(crate) mod faults;
pub(crate) mod features;
pub(super) mod frame;
#[cfg(jos_machine)]
pub(super) mod instructions;
#[cfg(jos_machine)]
pub(crate) mod probe;
pub(super) mod program;
#[cfg(jos_machine)]
pub(super) mod registers;
#[cfg(jos_machine)]
pub(super) mod ring3;
#[cfg(jos_machine)]
pub(crate) mod stack;
#[cfg(jos_machine)]
mod syscall;
pub(crate) mod trap;
#[cfg(jos_machine)]
pub(crate) mod user;

#[cfg(jos_machine)]
pub(crate) use super::x86::{clock, devices, exit, interrupts, keyboard, screen, serial};

/// The machine's memory map.
pub type Layout = layout::Jos64;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::x86_64::X86_64;
