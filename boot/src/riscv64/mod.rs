//! The entry of RISC-V: Sv39 with 2 MB pages, and the jump to the window.
#![cfg(any(not(jos_machine), target_arch = "riscv64"))]

#[cfg(jos_machine)]
pub mod devices;
#[cfg(jos_machine)]
pub mod entry;
pub mod entry_pgdir;
#[cfg(jos_machine)]
pub mod firmware;
