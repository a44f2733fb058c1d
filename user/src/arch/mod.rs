//! The one place that picks the machine. Each gives the same names, in files of the same names:
//!
//! | name | is |
//! |---|---|
//! | `Layout`, `Format` | the machine's memory map and page-table format |
//! | `REGISTERS` | the general registers' names, in the order of a `UTrapframe` |
//! | `TRAPFRAME_WORDS` | the length of `struct Trapframe`, in machine words |
//! | `syscall` | makes a system call |
//! | `exofork` | makes a child, in which it returns too |
//! | `pgfault_upcall` | the kernel's way to the page-fault handler |
//! | `FAR` | instructions that lead out of the program's segments |
//! | `GATES` | the instructions that make a system call |
//! | `LAST_CALLS` | calls by the last instructions of user memory |
//! | `fault_with_stack` | a fault with an odd stack pointer |
//! | `fault_with_registers`, `COMPARED` | a fault amid known registers, and how many it has |
//! | `clear_flags` | tries to clear flags |
//! | `has_first_floats` | whether the registers for floating-point numbers are as at first |
//!
//! Assembly defines `_start`, which calls [`start::libmain`](crate::start).

mod gate;
#[cfg(target_arch = "x86")]
mod i386;
mod privileged;
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use gate::Gate;
#[cfg(target_arch = "x86")]
pub use i386::*;
pub use privileged::{Instruction, PRIVILEGED};
pub use x86::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
