//! A PC with an x86-64 processor.

pub(crate) mod control;
pub(crate) mod cpu;
pub(crate) mod faults;
pub(super) mod instructions;
pub(crate) mod probe;
mod registers;
pub(crate) mod stack;
pub(crate) mod trap;

pub(crate) use super::x86::{clock, exit, keyboard, screen, serial};

/// The machine's memory map.
pub type Layout = layout::Jos64;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::x86_64::X86_64;
