//! Numbers for `entry.s`, the part of the way in that all PCs have: the 32-bit entries, and the words for
//! a machine that cannot start.
//!
//! Each machine's own `entry.rs` assembles it before its own part, so that both see each other's labels.

use x86_64::registers::rflags::RFlags;

/// EFLAGS on entry to the kernel: no interrupts, string instructions go up, SMAP is not lifted.
pub(crate) const EFLAGS: u64 = RFlags::empty().bits();
/// This one can be set where there is a CPUID instruction (Intel SDM vol. 1, 3.4.3.3).
pub(crate) const EFLAGS_ID: u64 = RFlags::ID.bits();
/// DR7 as at reset: no hardware breakpoint. Bit 10 is always 1 (Intel SDM vol. 3B, 17.2.4).
pub(crate) const DR7: u32 = 1 << 10;

/// COM1, where the first serial line is on a PC.
pub(crate) const COM1: u16 = 0x3F8;
/// QEMU's isa-debug-exit device, and what to write to it for a failure (status 35).
pub(crate) const DEBUG_EXIT_PORT: u16 = 0xF4;
pub(crate) const DEBUG_EXIT_FAILURE: u8 = 0x11;
/// VGA's text buffer, and white on red.
pub(crate) const VGA_TEXT: u32 = 0xB_8000;
pub(crate) const VGA_WHITE_ON_RED: u8 = 0x4F;
