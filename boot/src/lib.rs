//! From the loader's jump to `kernel_main`: JOS64's way in.
//!
//! A PC's kernel file has two ways to start it:
//!
//! * GRUB, or any multiboot2 loader, finds the [header](x86::header) and jumps to `multiboot2_start`;
//! * `qemu -kernel`, or any PVH loader, finds the ELF note in `x86/pvh.rs` and jumps to `pvh_start`.
//!
//! Both arrive in 32-bit protected mode without paging and meet in `entry`. On RISC-V firmware such as OpenSBI
//! jumps to `sbi_start`, with a device tree. The entry code checks the
//! loader and the processor, loads `entry_pgdir`, enters the mode that the kernel runs in, and calls
//! the kernel's `kernel_main` at its high address. This crate calls up through that one symbol,
//! as JOS's `entry.S` does. [`info`] parses the loader's description of the machine. It also runs on
//! the host, so that tests and fuzzers can feed it anything. Each machine's code has its own folder;
//! [`x86`] holds the code that PCs share.
#![cfg_attr(not(test), no_std)]

pub mod i386;
pub mod info;
pub mod riscv64;
pub mod x86;
pub mod x86_64;

pub use info::{BootInfo, BootInfoError, Protocol};
