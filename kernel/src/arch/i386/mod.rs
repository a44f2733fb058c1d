//! A PC with an i386: a Pentium or newer, in 32-bit mode.

pub(crate) mod control;
pub(crate) mod cpu;
pub(crate) mod faults;
pub(crate) mod features;
pub(super) mod frame;
pub(super) mod instructions;
mod memory;
pub(crate) mod probe;
pub(super) mod program;
pub(super) mod registers;
pub(super) mod ring3;
pub(crate) mod stack;
pub(crate) mod trap;
pub(crate) mod user;

pub(crate) use super::x86::{clock, devices, exit, interrupts, keyboard, screen, serial};

/// The machine's memory map.
pub type Layout = layout::Jos32;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::i386::I386;
