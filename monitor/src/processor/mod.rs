//! The bits of a processor's control registers and error codes, as data: the monitor's `cr`
//! and the reports of exceptions decode by these tables.
//!
//! The tables here are those of x86-64 and i386; [`riscv`] has those of RISC-V. Source: Intel SDM vol. 3A, 2.5 "Control
//! registers", 2.2.1 (EFER), 2.3 (RFLAGS), 4.7 "Page-fault exceptions", 6.3.1 and 6.13; vol. 3B, 15.3 (machine checks);
//! AMD APM vol. 2, 3.1 and 8.2.

mod exceptions;
mod registers;
pub mod riscv;
#[cfg(test)]
mod tests;

pub use exceptions::{ErrorCode, exception, vector};
pub use registers::{CR0, CR2, CR3, CR4, CR8, EFER, EFLAGS, MCG_STATUS, MCI_STATUS, RFLAGS};
pub use registers::{Field, FieldNames, Register};
