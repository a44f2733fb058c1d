//! Constants for `entry.s`, the entry code that all PCs share: the 32-bit entry points, and the
//! message of a machine that cannot start.
//!
//! Each machine's own `entry.rs` assembles it together with its own `entry.s`, so that each sees the
//! other's labels.

use x86_64::registers::rflags::RFlags;

/// EFLAGS on entry to the kernel: no interrupts, string instructions go up, SMAP is in force.
pub(crate) const EFLAGS: u64 = RFlags::empty().bits();
/// The flag that can be set if the processor has the CPUID instruction (Intel SDM vol. 1, 3.4.3.3).
pub(crate) const EFLAGS_ID: u64 = RFlags::ID.bits();
/// DR7 as at reset: no hardware breakpoint. Bit 10 is always 1 (Intel SDM vol. 3B, 17.2.4).
pub(crate) const DR7: u32 = 1 << 10;

/// The ports of COM1, a PC's first serial line.
pub(crate) const COM1: u16 = 0x3F8;
/// The port of QEMU's isa-debug-exit device, and the value that ends QEMU with a failure (status 35).
pub(crate) const DEBUG_EXIT_PORT: u16 = 0xF4;
pub(crate) const DEBUG_EXIT_FAILURE: u8 = 0x11;
/// VGA's text buffer, and the attribute for white on red.
pub(crate) const VGA_TEXT: u32 = 0xB_8000;
pub(crate) const VGA_WHITE_ON_RED: u8 = 0x4F;
