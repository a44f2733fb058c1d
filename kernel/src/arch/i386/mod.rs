//! A PC with an i386: a Pentium or newer, in 32-bit mode.

pub(crate) mod control;
pub(crate) mod features;
pub(super) mod floats;
pub(super) mod frame;
pub(super) mod instructions;
mod memory;
pub(super) mod program;
pub(super) mod registers;
pub(crate) mod stack;
pub(super) mod syscall;
pub(crate) mod trap;

pub(crate) use super::x86::{
    clock, cpu, devices, exit, faults, interrupts, keyboard, probe, screen, serial, user,
};

/// The machine's memory map.
pub type Layout = layout::Jos32;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::i386::I386;
