//! A PC with an x86-64 processor.
//!
//! Files that need no instruction of this processor compile for the host's simulated PC too.

pub(crate) mod control;
#[cfg(target_os = "none")]
pub(crate) mod cpu;
#[cfg(target_os = "none")]
pub(crate) mod faults;
pub(crate) mod features;
pub(in crate::arch) mod outcome;
#[cfg(target_os = "none")]
pub(crate) mod probe;
#[cfg(target_os = "none")]
mod registers;
#[cfg(target_os = "none")]
pub(crate) mod stack;
pub(crate) mod trap;

#[cfg(target_os = "none")]
pub(crate) use {
    super::x86::{clock, exit, keyboard, screen, serial},
    ::x86_64::instructions::port::Port,
    ::x86_64::registers::model_specific::Msr,
};

/// The machine's memory map.
pub type Layout = layout::Jos64;
/// The format of the machine's page tables.
pub type Format = libjos::paging::format::x86_64::X86_64;
