//! The 32-bit entry points, the checks that need no Rust, and the switch to long mode: JOS's `entry.S`.
//! `x86/entry.rs` says how the processor comes here.

use core::arch::global_asm;

use layout::{Jos64, MemLayout, PGSIZE};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};
use x86_64::registers::model_specific::EferFlags;
use x86_64::structures::gdt::DescriptorFlags;

use crate::info::START_INFO_MAGIC;
use crate::x86::entry::{
    APIC_EXTERNAL, APIC_LINT0, COM1, CPUID_EDX_APIC, CPUID_FEATURES, DEBUG_EXIT_FAILURE,
    DEBUG_EXIT_PORT, DR7, EFLAGS, EFLAGS_ID, VGA_TEXT, VGA_WHITE_ON_RED,
};

/// The GDT that the entry runs 64-bit code with: flat segments at privilege level 0 (Intel SDM
/// vol. 3A, 3.4.5 and 5.2.1). The kernel's own table, with a task state segment, replaces it.
#[unsafe(no_mangle)]
static entry_gdt: [u64; 3] =
    [0, DescriptorFlags::KERNEL_CODE64.bits(), DescriptorFlags::KERNEL_DATA.bits()];

/// Selectors of the two segments in `entry_gdt`.
const CODE_SELECTOR: u16 = 8;
const DATA_SELECTOR: u16 = 16;

/// EFER, the register that holds long mode enable and no-execute enable (Intel SDM vol. 4, 2.1).
const MSR_EFER: u32 = 0xC000_0080;
/// EFER on entry to the kernel. No-execute enable must be set before an entry has the no-execute bit.
const EFER: u64 = EferFlags::LONG_MODE_ENABLE.union(EferFlags::NO_EXECUTE_ENABLE).bits();
/// CR0 on entry to the kernel. The caches are on. The x87 bits are clear, since no code here uses x87.
const CR0: u64 = Cr0Flags::PROTECTED_MODE_ENABLE.union(Cr0Flags::PAGING).bits();
/// CR4 on entry to the kernel. Long mode requires PAE; LA57 is clear, since it would make five levels
/// of tables.
const CR4: u64 = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION.bits();
/// The CPUID leaf of the extended features (Intel SDM vol. 2A, CPUID, table 3-8).
const CPUID_EXTENDED: u32 = 0x8000_0001;
/// The bits of that leaf's EDX for no-execute and long mode.
const CPUID_EDX_NX: u32 = 1 << 20;
const CPUID_EDX_LM: u32 = 1 << 29;

global_asm!(
    include_str!("../x86/entry.s"),
    include_str!("entry.s"),
    KERNBASE = const Jos64::KERNBASE,
    KSTKSIZE = const Jos64::KSTKSIZE,
    PGSIZE = const PGSIZE,
    MULTIBOOT2_MAGIC = const multiboot2::MAGIC,
    PVH_MAGIC = const START_INFO_MAGIC,
    CODE_SELECTOR = const CODE_SELECTOR,
    DATA_SELECTOR = const DATA_SELECTOR,
    GDT_LIMIT = const size_of_val(&entry_gdt) - 1,
    CR0 = const CR0,
    CR4 = const CR4,
    MSR_EFER = const MSR_EFER,
    EFER = const EFER,
    EFLAGS = const EFLAGS,
    EFLAGS_ID = const EFLAGS_ID,
    DR7 = const DR7,
    CPUID_EXTENDED = const CPUID_EXTENDED,
    CPUID_EDX_NX = const CPUID_EDX_NX,
    CPUID_EDX_LM = const CPUID_EDX_LM,
    CPUID_FEATURES = const CPUID_FEATURES,
    CPUID_EDX_APIC = const CPUID_EDX_APIC,
    APIC_LINT0 = const APIC_LINT0,
    APIC_EXTERNAL = const APIC_EXTERNAL,
    COM1 = const COM1,
    DEBUG_EXIT_PORT = const DEBUG_EXIT_PORT,
    DEBUG_EXIT_FAILURE = const DEBUG_EXIT_FAILURE,
    VGA_TEXT = const VGA_TEXT,
    VGA_WHITE_ON_RED = const VGA_WHITE_ON_RED,
);
