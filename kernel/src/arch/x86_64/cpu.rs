//! The processor: the registers for paging, the stack and the counter, and the features.

use core::arch::asm;
use core::arch::x86_64::_rdtsc;

use libjos::mem::addr::{PhysAddr, VirtAddr};
use raw_cpuid::{CpuId, CpuIdReaderNative};
use x86_64::instructions::interrupts::int3;
use x86_64::instructions::tables::lidt;
use x86_64::instructions::{hlt, interrupts, tlb};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr3Flags, Cr4, Cr4Flags};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::paging::PhysFrame;

/// DWARF's number for the program counter (System V ABI, figure 3.36).
pub(crate) const DWARF_PC: u8 = 16;

/// The processor's identification.
pub(crate) fn cpuid() -> CpuId<CpuIdReaderNative> {
    CpuId::new()
}

/// The page directory in use.
#[must_use]
pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new(Cr3::read_raw().0.start_address().as_u64())
}

/// Makes `pgdir` the page directory in use, and drops all translations that are not global.
///
/// # Safety
///
/// `pgdir` maps all code, stacks and data in use at the same addresses as the directory before.
pub(crate) unsafe fn lcr3(pgdir: PhysAddr) {
    let frame = PhysFrame::from_start_address(x86_64::PhysAddr::new(pgdir.as_u64()))
        .expect("a page directory is a whole frame");
    // SAFETY: the caller's promise.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) };
}

/// Makes page permissions bind the kernel too. Sets bits in addition to those of the entry
/// (`boot::entry`) and to CR4.MCE (`trap`):
///
/// | bit | reason |
/// |---|---|
/// | CR0.WP | the kernel must not write to read-only pages: code and constants, UPAGES, UVPT |
/// | CR4.PGE | the kernel's half is mapped global |
/// | CR4.SMEP, SMAP | the kernel must not execute user pages, nor access them without STAC |
/// | CR4.UMIP | user code must not read the addresses of GDT, IDT and TSS |
///
/// The entry has already turned on no-execute pages. Bits and CPUID leaves: Intel SDM vol. 3A, 2.5
/// "Control registers", and 4.6 "Access rights".
pub(crate) fn protect_kernel() {
    let basic = cpuid().get_feature_info();
    let extended = cpuid().get_extended_feature_info();
    let basic = |has: fn(&raw_cpuid::FeatureInfo) -> bool| basic.as_ref().is_some_and(has);
    let extended =
        |has: fn(&raw_cpuid::ExtendedFeatures) -> bool| extended.as_ref().is_some_and(has);

    let mut cr4 = Cr4::read();
    cr4.set(Cr4Flags::PAGE_GLOBAL, basic(|f| f.has_pge()));
    cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, extended(|f| f.has_smep()));
    cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, extended(|f| f.has_smap()));
    cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, extended(|f| f.has_umip()));
    // SAFETY: this only adds protections that the processor has; the kernel's mappings in kern_pgdir
    // respect them all.
    unsafe {
        Cr4::write(cr4);
        Cr0::update(|cr0| cr0.insert(Cr0Flags::WRITE_PROTECT));
    }
}

/// Lets machine checks raise an exception (CR4.MCE), in place of a reset.
///
/// # Safety
///
/// The processor has machine checks, and the exception has a handler.
pub(crate) unsafe fn allow_machine_checks() {
    // SAFETY: the caller's promise.
    unsafe { Cr4::update(|cr4| cr4.insert(Cr4Flags::MACHINE_CHECK_EXCEPTION)) };
}

/// Drops the translation of the page at `va`.
pub(crate) fn invlpg(va: VirtAddr) {
    // A non-canonical address has no translation to drop.
    if let Ok(va) = x86_64::VirtAddr::try_new(va.as_u64()) {
        tlb::flush(va);
    }
}

/// Drops all translations. Reloading CR3 would keep the global ones; turning CR4.PGE off and on drops
/// them (Intel SDM vol. 3A, 4.10.4.1).
pub(crate) fn flush_tlb() {
    let cr4 = Cr4::read();
    if cr4.contains(Cr4Flags::PAGE_GLOBAL) {
        // SAFETY: the bit only controls whether translations survive a change of CR3.
        unsafe {
            Cr4::write(cr4 - Cr4Flags::PAGE_GLOBAL);
            Cr4::write(cr4);
        }
    } else {
        tlb::flush_all();
    }
}

/// The stack pointer.
pub(crate) fn stack_pointer() -> VirtAddr {
    let rsp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack, preserves_flags)) };
    VirtAddr::new(rsp)
}

/// The frame pointer of the function that calls this one.
#[inline(always)]
pub(crate) fn frame_pointer() -> u64 {
    let rbp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags)) };
    rbp
}

/// The addresses at which the frame at `frame` holds its caller's frame pointer and the return address
/// (System V ABI for x86-64, 3.2.2).
pub(crate) fn saved(frame: u64) -> [u64; 2] {
    [frame, frame.wrapping_add(8)]
}

/// The time-stamp counter, which runs at a constant rate from the machine's reset on.
pub(crate) fn counter() -> u64 {
    // SAFETY: reads a counter that every x86-64 processor has.
    unsafe { _rdtsc() }
}

/// Stops the processor until it is woken, which should not happen with interrupts off.
pub(crate) fn halt() {
    interrupts::disable();
    hlt();
}

/// Shuts the processor down, by an exception that cannot be delivered (Intel SDM vol. 3A, 6.15, double
/// fault).
///
/// # Safety
///
/// No exception is handled after this.
pub(crate) unsafe fn shut_down() {
    // SAFETY: the caller's promise.
    unsafe { lidt(&DescriptorTablePointer { limit: 0, base: x86_64::VirtAddr::zero() }) };
    int3();
}
