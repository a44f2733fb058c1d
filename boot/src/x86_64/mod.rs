//! The entry of x86-64: the switch from 32-bit code to long mode at KERNBASE.
#![cfg(any(not(jos_machine), target_arch = "x86_64"))]

#[cfg(jos_machine)]
pub mod entry;
pub mod entry_pgdir;
