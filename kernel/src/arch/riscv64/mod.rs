//! A RISC-V hart with Sv39, on QEMU's `virt` board.

mod address;
pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod cpu;
pub(crate) mod exit;
pub(crate) mod faults;
pub(crate) mod features;
mod instructions;
pub(crate) mod interrupts;
pub(crate) mod keyboard;
mod plic;
pub(crate) mod probe;
pub(super) mod program;
pub(super) mod registers;
pub(crate) mod screen;
pub(crate) mod serial;
pub(crate) mod stack;
pub(crate) mod trap;

pub(crate) use super::no_user as user;
pub(crate) use address::devices;

/// The machine's memory map.
pub type Layout = layout::JosSv39;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::riscv::Sv39;
