//! The one door to the architecture: the rest of the kernel reaches the machine only through here.
//!
//! Each machine has a folder that defines the same names, and only this file picks the folder. Parts
//! that two machines share are in a folder of their own, such as `x86`. Nothing in these folders depends
//! on how the portable half uses it.
//!
//! | name | each machine defines |
//! |---|---|
//! | [`Layout`], [`Format`] | its memory map, and the format of its page-table entries |
//! | `devices` | the devices whose registers are memory, by their physical addresses |
//! | `cpu` | the page directory in use, the TLB, the stack registers, the counter, the halt |
//! | `features` | the features of the processor |
//! | `control` | the control registers, for display |
//! | `probe` | accesses that may fault |
//! | `stack` | the switch to another stack; separate stacks for some exceptions |
//! | `trap` | exceptions: frame, name and details |
//! | `interrupts` | interrupts: the controller; off, on, and waiting for one |
//! | `user` | the registers of a program; the way to user mode and back |
//! | `faults` | single instructions that must fault |
//! | `serial`, `keyboard`, `screen` | the console's devices |
//! | `clock` | the counter's frequency; the alarm |
//! | `exit` | the end of the machine, and its reset |

#[cfg(jos_machine)]
mod exception_stack;
#[cfg(all(jos_machine, target_arch = "x86"))]
mod i386;
#[cfg(any(target_arch = "riscv64", not(jos_machine)))]
pub(crate) mod no_user;
#[cfg(jos_machine)]
mod odd_registers;
mod outcome;
#[cfg(jos_machine)]
mod probes;
#[cfg(all(jos_machine, target_arch = "riscv64"))]
mod riscv64;
mod uart;
mod values;
#[cfg(any(target_arch = "x86", target_arch = "x86_64", not(jos_machine)))]
mod x86;
#[cfg(any(target_arch = "x86_64", not(jos_machine)))]
mod x86_64;
#[cfg(all(jos_machine, target_arch = "x86"))]
use self::i386 as machine;
#[cfg(all(jos_machine, target_arch = "riscv64"))]
use self::riscv64 as machine;
#[cfg(all(jos_machine, target_arch = "x86_64"))]
use self::x86_64 as machine;

#[cfg(not(jos_machine))]
pub(crate) mod host;
#[cfg(not(jos_machine))]
use host as machine;

pub use machine::{Format, Layout};
pub(crate) use machine::{
    clock, control, cpu, devices, exit, faults, features, interrupts, keyboard, probe, screen,
    serial, stack, trap, user,
};
#[cfg(any(target_arch = "x86", target_arch = "x86_64", not(jos_machine)))]
use machine::{floats, frame, instructions, program};
#[cfg(all(jos_machine, any(target_arch = "x86", target_arch = "x86_64")))]
use machine::{registers, syscall};

use layout::MemLayout;
use libjos::paging::format::{self, Geometry};

/// Columns of an address in hexadecimal, with its "0x".
pub(crate) const ADDRESS_COLUMNS: usize = <Format as Geometry>::ADDRESS_COLUMNS;

/// The integer that an entry of a page table is. It is as wide as a register.
pub(crate) type EntryWord = <Format as format::Format>::Word;
const _: () = assert!(size_of::<EntryWord>() == size_of::<usize>());

// Map and format belong to the same machine. Other properties are asserted where they are used.
const _: () = assert!(Layout::VA_BITS == <Format as Geometry>::VA_BITS);
const _: () = assert!(Layout::SELF_MAP == <Format as format::Format>::SELF_MAP);
