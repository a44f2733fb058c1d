//! The entry of i386: the checks of the processor, and paging, as in JOS's `entry.S`.
//! `x86/entry.rs` says how the processor comes here.

use core::arch::global_asm;

use layout::{Jos32, MemLayout};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};

use crate::x86::entry::CPUID_FEATURES;

/// The machine's map.
pub(crate) type Layout = Jos32;

/// The GDT that the entry runs with: flat segments of code and data at privilege level 0, already
/// accessed (Intel SDM vol. 3A, 3.4.5). The kernel's own table, with task state segments, replaces it.
#[unsafe(no_mangle)]
pub(crate) static entry_gdt: [u64; 3] = [0, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF];

/// CR0 on entry to the kernel. The caches are on. NE makes exceptions of x87 errors. Without it they
/// would be interrupts, which would be lost.
const CR0: u64 =
    Cr0Flags::PROTECTED_MODE_ENABLE.union(Cr0Flags::NUMERIC_ERROR).union(Cr0Flags::PAGING).bits();
/// CR4 on entry to the kernel: 4 MB pages. PAE is clear, since it would make another format of tables.
const CR4: u64 = Cr4Flags::PAGE_SIZE_EXTENSION.bits();

/// EFER, the register that turns on long mode. The entry clears it, since turning on paging without PAE
/// faults while long mode is enabled.
const MSR_EFER: u32 = 0xC000_0080;
/// The CPUID leaf of the extended features (Intel SDM vol. 2A, CPUID, table 3-8), and the bits of its
/// EDX for no-execute and long mode: a processor that has either has EFER.
const CPUID_EXTENDED: u32 = 0x8000_0001;
const CPUID_EDX_HAS_EFER: u32 = 1 << 20 | 1 << 29;
/// Bits of the features' EDX: for 4 MB pages, for the time-stamp counter and for CMPXCHG8B. The last two came with the
/// Pentium, for which the kernel is compiled.
const CPUID_EDX_PSE: u32 = 1 << 3;
const CPUID_EDX_PENTIUM: u32 = 1 << 4 | 1 << 8;

global_asm!(
    include_str!("entry.s"),
    KERNBASE = const Layout::KERNBASE,
    CR0 = const CR0,
    CR4 = const CR4,
    MSR_EFER = const MSR_EFER,
    CPUID_EXTENDED = const CPUID_EXTENDED,
    CPUID_EDX_HAS_EFER = const CPUID_EDX_HAS_EFER,
    CPUID_FEATURES = const CPUID_FEATURES,
    CPUID_EDX_PSE = const CPUID_EDX_PSE,
    CPUID_EDX_PENTIUM = const CPUID_EDX_PENTIUM,
);
