//! The processor: the bits that protect the kernel, the TLB, the stack registers, the counter, the halt.

use core::arch::asm;

use layout::PGSIZE;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};

use crate::arch::instructions::{Cr0, Cr4, cpuid, disable, hlt, int3, lidt_empty, wide};
use crate::arch::stack::note_pgdir;

pub(crate) use self::counter as fine_counter;
pub(crate) use crate::arch::instructions::DWARF_PLACE;

/// Whether one instruction fills memory.
pub(crate) const FILLS: bool = true;

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

/// The page directory in use.
#[must_use]
pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new(read_cr3() as u64).page_start()
}

fn read_cr3() -> usize {
    let value;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes CR3, which drops all translations that are not global.
///
/// # Safety
///
/// As for [`lcr3`].
unsafe fn write_cr3(value: usize) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// Makes `pgdir` the page directory in use, and drops all translations that are not global.
///
/// # Safety
///
/// `pgdir` maps all code, stacks and data in use at the same addresses as the directory before.
pub(crate) unsafe fn lcr3(pgdir: PhysAddr) {
    assert!(pgdir.is_aligned(PGSIZE), "a page directory is a whole frame");
    // SAFETY: the caller's promise.
    unsafe { write_cr3(pgdir.as_u64() as usize) };
    note_pgdir(pgdir);
}

/// Drops the translation of the page at `va`. A non-canonical address has none, and the instruction does nothing
/// (Intel SDM vol. 2A, INVLPG).
#[inline]
pub(crate) fn invlpg(va: VirtAddr) {
    // SAFETY: drops a translation, which the processor finds again in the tables.
    unsafe {
        asm!("invlpg [{}]", in(reg) va.as_u64() as usize, options(nostack, preserves_flags));
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
        // SAFETY: the register keeps its value.
        unsafe { write_cr3(read_cr3()) };
    }
}

/// The stack pointer.
pub(crate) fn stack_pointer() -> VirtAddr {
    let sp: usize;
    // SAFETY: reads a register.
    unsafe { asm!(wide!("mov {}, " sp), out(reg) sp, options(nomem, nostack, preserves_flags)) };
    VirtAddr::new(sp as u64)
}

/// The frame pointer of the function that calls this one.
#[inline(always)]
pub(crate) fn frame_pointer() -> u64 {
    let bp: usize;
    // SAFETY: reads a register.
    unsafe { asm!(wide!("mov {}, " bp), out(reg) bp, options(nomem, nostack, preserves_flags)) };
    bp as u64
}

/// The addresses at which the frame at `frame` holds its caller's frame pointer and the return address
/// (System V ABI for i386, 2.2.2, and for x86-64, 3.2.2).
pub(crate) fn saved(frame: u64) -> [u64; 2] {
    [frame, frame.wrapping_add(size_of::<usize>() as u64)]
}

/// Need do nothing: the processor remembers no entry that is not valid (Intel SDM vol. 3A, 4.10.2.3).
pub(crate) fn made_valid(_page: Option<VirtAddr>) {}

/// The time-stamp counter, which runs from the machine's reset on, on processors of the last fifteen years at a constant
/// rate.
#[inline]
pub(crate) fn counter() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter that every processor has that the entry lets through.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Clears CR0.TS: the next instruction may use the registers for floating-point numbers.
pub(in crate::arch) fn clear_task_switched() {
    // SAFETY: the bit only says whether the registers can be used.
    unsafe { asm!("clts", options(nomem, nostack, preserves_flags)) };
}

/// Stops the processor until it is woken, which should not happen with interrupts off.
pub(crate) fn halt() {
    disable();
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
    unsafe { lidt_empty() };
    int3();
}
