//! A simulated PC in place of the machine, so that tests on the host run the portable half, and the
//! devices' drivers (`arch/x86`) down to their ports.
//!
//! A test sets the machine up and looks at it through [`pc()`]. A test that needs the kernel's statics
//! runs in a process of its own ([`process::alone`]).
//!
//! | file | holds |
//! |---|---|
//! | `ports` | the I/O ports, and the devices behind them: [`ports::Pc`] |
//! | `uart`, `i8042`, `i8259`, `timer`, `vga` | a serial port, controllers of keyboard and interrupts, a timer, a screen |
//! | `process` | processes for tests, and the end of the machine |
//! | `memory` | physical memory, and the symbols of `linker.ld` |
//! | `cpu`, `processor`, `mmu`, `probe`, `stack`, `trap`, `faults` | the processor |
//! | `floats` | the processor's registers for floating-point numbers |
//! | `instructions` | the instructions that `arch/x86` uses |

pub(crate) mod cpu;
pub(crate) mod faults;
pub(in crate::arch) mod floats;
mod i8042;
mod i8259;
pub(in crate::arch) mod instructions;
pub(crate) mod memory;
mod mmu;
mod ports;
pub(crate) mod probe;
pub(crate) mod process;
pub(in crate::arch) mod processor;
pub(crate) mod stack;
mod timer;
pub(crate) mod trap;
mod uart;
#[cfg(test)]
pub(crate) mod vga;

pub(crate) use super::x86::{clock, devices, exit, interrupts, keyboard, screen, serial};
#[cfg(test)]
pub(crate) use ports::pc;

pub(crate) use super::no_user as user;
pub use super::x86_64::{Format, Layout};
pub(crate) use super::x86_64::{control, features};
pub(super) use super::x86_64::{frame, program};
