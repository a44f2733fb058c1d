//! The entry code that all PCs share: the 32-bit entry points, the segments, and the message of a machine that
//! cannot start.
//!
//! The assembly of a machine is in two files called `entry.s`: this one, and the machine's own. `entry.rs` beside each
//! gives it its constants as `const` operands, so that each is written once. The part in `.boot` is linked where it is
//! loaded, because it runs before paging; it ends by a jump to its high address and a call of `kernel_main`. gdb knows
//! the symbols at both addresses, but no lines: the compiler records none for assembly.
//!
//! On the way in (Multiboot2 specification 2.0, section 3.3 "I386 machine state"; Xen PVH, "the
//! boot-time state"): 32-bit protected mode, flat segments, no paging, interrupts off, no stack,
//! no usable GDT; EBX holds the physical address of the boot information, and EAX the loader's
//! magic under multiboot2. All other registers may hold anything: firmware leaves CR4 as it used it
//! itself. So CR0, CR4, EFER, EFLAGS and DR7 are written whole, with the bits that the machine's own code needs
//! and no others; `kernel` adds the bits that it uses. The caching of memory (PAT and MTRRs) stays as
//! the firmware set it up, since only the firmware knows the board.

use core::arch::global_asm;

use layout::{MemLayout, PGSIZE};
use x86_64::registers::rflags::RFlags;

#[cfg(target_arch = "x86")]
use crate::i386::entry::{Layout, entry_gdt};
use crate::info::START_INFO_MAGIC;
#[cfg(target_arch = "x86_64")]
use crate::x86_64::entry::{Layout, entry_gdt};

unsafe extern "C" {
    /// The kernel. The entry calls it with the magic of the loader's protocol
    /// ([`Protocol::from_magic`](crate::Protocol::from_magic)) and the physical address of the boot
    /// information.
    pub fn kernel_main(magic: u32, info: u32) -> !;
}

/// EFLAGS on entry to the kernel: no interrupts, string instructions go up, SMAP is in force.
const EFLAGS: u64 = RFlags::empty().bits();
/// The flag that can be set if the processor has the CPUID instruction (Intel SDM vol. 1, 3.4.3.3).
const EFLAGS_ID: u64 = RFlags::ID.bits();
/// DR7 as at reset: no hardware breakpoint. Bit 10 is always 1 (Intel SDM vol. 3B, 17.2.4).
const DR7: u32 = 1 << 10;

/// The CPUID leaf of the features, and the bit of its EDX for the processor's own interrupt controller.
pub(crate) const CPUID_FEATURES: u32 = 1;
const CPUID_EDX_APIC: u32 = 1 << 9;
/// The controller's register for the requests of other controllers, and the value that lets them through.
const APIC_LINT0: u32 = 0xFEE0_0350;
const APIC_EXTERNAL: u32 = 0b111 << 8;

/// The ports of COM1, a PC's first serial line.
const COM1: u16 = 0x3F8;
/// The port of QEMU's isa-debug-exit device, and the value that ends QEMU with a failure (status 35).
const DEBUG_EXIT_PORT: u16 = 0xF4;
const DEBUG_EXIT_FAILURE: u8 = 0x11;
/// VGA's text buffer, and the attribute for white on red.
const VGA_TEXT: u32 = 0xB_8000;
const VGA_WHITE_ON_RED: u8 = 0x4F;

/// Selectors of the two segments in `entry_gdt`.
const CODE_SELECTOR: u16 = 8;
const DATA_SELECTOR: u16 = 16;

global_asm!(
    include_str!("entry.s"),
    KERNBASE = const Layout::KERNBASE,
    KSTKSIZE = const Layout::KSTKSIZE,
    PGSIZE = const PGSIZE,
    MULTIBOOT2_MAGIC = const multiboot2::MAGIC,
    PVH_MAGIC = const START_INFO_MAGIC,
    CODE_SELECTOR = const CODE_SELECTOR,
    DATA_SELECTOR = const DATA_SELECTOR,
    GDT_LIMIT = const size_of_val(&entry_gdt) - 1,
    EFLAGS = const EFLAGS,
    EFLAGS_ID = const EFLAGS_ID,
    DR7 = const DR7,
    CPUID_FEATURES = const CPUID_FEATURES,
    CPUID_EDX_APIC = const CPUID_EDX_APIC,
    APIC_LINT0 = const APIC_LINT0,
    APIC_EXTERNAL = const APIC_EXTERNAL,
    COM1 = const COM1,
    DEBUG_EXIT_PORT = const DEBUG_EXIT_PORT,
    DEBUG_EXIT_FAILURE = const DEBUG_EXIT_FAILURE,
    VGA_TEXT = const VGA_TEXT,
    VGA_WHITE_ON_RED = const VGA_WHITE_ON_RED,
    BITS = const usize::BITS,
);
