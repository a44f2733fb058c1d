//! From the loader's jump to `kernel_main`: JOS64's way in.
//!
//! One kernel file, two ways to start it:
//!
//! * GRUB, or any multiboot2 loader, finds the [header](x86::header) and jumps to `multiboot2_start`;
//! * `qemu -kernel`, or any PVH loader, finds the ELF note in `x86/pvh.rs` and jumps to `pvh_start`.
//!
//! Both arrive in 32-bit protected mode without paging and meet in `entry`, which checks the
//! loader and the processor, loads `entry_pgdir`, goes on in the mode that the kernel runs in, and calls
//! the kernel's `kernel_main` at its high address. This crate calls up through that one symbol,
//! as JOS's `entry.S` does. What the loader says about the machine is read by [`info`], which
//! runs on the host too, so that its tests (and fuzzers) can feed it anything. What is one machine's is
//! in a folder of its own; what PCs share is in [`x86`].
#![cfg_attr(not(test), no_std)]

pub mod info;
pub mod x86;
pub mod x86_64;

pub use info::{BootInfo, BootInfoError, Protocol};
