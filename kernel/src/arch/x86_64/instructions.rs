//! The instructions and registers that the code of all PCs uses, as the crate `x86_64` has them.

pub(in crate::arch) use x86_64::instructions::hlt;
pub(in crate::arch) use x86_64::instructions::interrupts::{
    are_enabled, disable, enable, enable_and_hlt, int3,
};
pub(in crate::arch) use x86_64::instructions::port::Port;
pub(in crate::arch) use x86_64::registers::control::{Cr0, Cr2, Cr4, Cr8, Efer};
pub(in crate::arch) use x86_64::registers::model_specific::Msr;
pub(in crate::arch) use x86_64::registers::rflags;

use raw_cpuid::{CpuId, CpuIdReaderNative};
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::registers::control;
use x86_64::structures::DescriptorTablePointer;

/// The page directory in use, and bits beside it. The crate's type takes the register apart.
pub(in crate::arch) struct Cr3;

impl Cr3 {
    /// The register's value.
    pub(in crate::arch) fn read_raw() -> u64 {
        let (directory, flags) = control::Cr3::read_raw();
        directory.start_address().as_u64() | u64::from(flags)
    }
}

/// Loads an IDT without an entry.
///
/// # Safety
///
/// The next exception shuts the processor down.
pub(in crate::arch) unsafe fn lidt_empty() {
    // SAFETY: the caller wants this.
    unsafe { lidt(&DescriptorTablePointer { limit: 0, base: VirtAddr::zero() }) };
}

/// The processor's identification.
pub(in crate::arch) fn cpuid() -> CpuId<CpuIdReaderNative> {
    CpuId::new()
}
