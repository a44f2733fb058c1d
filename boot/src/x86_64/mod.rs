//! The entry of x86-64: the switch from 32-bit code to long mode at KERNBASE.

#[cfg(jos_machine)]
pub mod entry;
pub mod entry_pgdir;
