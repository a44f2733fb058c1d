//! The entry of x86-64: the checks of the processor, and the switch to long mode, as JOS's `entry.S` turns on paging.
//! `x86/entry.rs` says how the processor comes here.

use core::arch::global_asm;

use layout::{Jos64, MemLayout};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};
use x86_64::registers::model_specific::EferFlags;
use x86_64::structures::gdt::DescriptorFlags;

/// The machine's map.
pub(crate) type Layout = Jos64;

/// The GDT that the entry runs 64-bit code with: flat segments at privilege level 0 (Intel SDM
/// vol. 3A, 3.4.5 and 5.2.1). The kernel's own table, with a task state segment, replaces it.
#[unsafe(no_mangle)]
pub(crate) static entry_gdt: [u64; 3] =
    [0, DescriptorFlags::KERNEL_CODE64.bits(), DescriptorFlags::KERNEL_DATA.bits()];

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
    include_str!("entry.s"),
    KERNBASE = const Layout::KERNBASE,
    CR0 = const CR0,
    CR4 = const CR4,
    MSR_EFER = const MSR_EFER,
    EFER = const EFER,
    CPUID_EXTENDED = const CPUID_EXTENDED,
    CPUID_EDX_NX = const CPUID_EDX_NX,
    CPUID_EDX_LM = const CPUID_EDX_LM,
);
