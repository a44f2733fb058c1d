//! The library OS of JOS64: MIT JOS's memory system, generic over machine and page-table format.
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![deny(unsafe_code)]

pub mod addr;
pub mod boot_alloc;
mod check_installed;
mod check_kern_pgdir;
pub mod check_page;
pub mod check_pages;
pub mod format;
pub mod i386;
pub mod machine;
pub mod mapping;
pub mod memory_map;
#[expect(unsafe_code)]
pub mod pages;
pub mod pgdir;
#[cfg(test)]
mod planted;
pub mod pmap;
pub mod range_set;
pub mod riscv;
#[cfg(any(test, feature = "std"))]
pub mod sim;
#[expect(unsafe_code)]
pub mod word;
pub mod x86_64;
