//! The entry of i386: paging with 4 MB pages, and the jump to KERNBASE.
#![cfg(any(not(jos_machine), target_arch = "x86"))]

#[cfg(jos_machine)]
pub mod entry;
pub mod entry_pgdir;
