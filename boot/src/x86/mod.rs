//! The entry that all PCs share: the headers by which loaders find the kernel, and the 32-bit code
//! that they jump to.
#![cfg(any(not(jos_machine), target_arch = "x86", target_arch = "x86_64"))]

#[cfg(jos_machine)]
pub mod entry;
pub mod header;
#[cfg(jos_machine)]
mod pvh;
