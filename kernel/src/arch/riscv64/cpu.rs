//! The hart: the registers for paging and the stack, the TLB, the counter, the halt.
//!
//! Every address space has the same identifier (ASID 0), and a fence names none, so it drops global
//! translations too (RISC-V privileged specification, 12.2.1).

use core::arch::asm;

use layout::PGSHIFT;
use libjos::mem::addr::{PhysAddr, VirtAddr};

use super::instructions::{FS_INITIAL, MXR, SUM, read};

/// DWARF's number for a register whose sign tells whether the kernel runs in its window: the stack pointer,
/// since the program counter has no number (RISC-V ABIs, "DWARF Register Numbers").
pub(crate) const DWARF_PLACE: u8 = 2;

/// Whether one instruction fills memory.
pub(crate) const FILLS: bool = false;

// SATP's fields: the mode, and the root table's frame number (12.1.11).
const SATP_SV39: u64 = 8 << 60;
const SATP_PPN: u64 = (1 << 44) - 1;

/// The page directory in use.
#[must_use]
pub(crate) fn pgdir_in_use() -> PhysAddr {
    PhysAddr::new((read!(satp) & SATP_PPN) << PGSHIFT)
}

/// Makes `pgdir` the page directory in use, and drops all translations.
///
/// # Safety
///
/// `pgdir` maps all code, stacks and data in use at the same addresses as the directory before.
pub(crate) unsafe fn lcr3(pgdir: PhysAddr) {
    assert!(pgdir == pgdir.page_start(), "a page directory is a whole frame");
    let satp = SATP_SV39 | pgdir.as_u64() >> PGSHIFT;
    // SAFETY: the caller's promise. The first fence orders the tables' contents before the first walk; the
    // second drops the old directory's translations.
    unsafe {
        asm!("sfence.vma", "csrw satp, {}", "sfence.vma", in(reg) satp, options(nostack));
    }
}

/// Makes page permissions bind the kernel too: user pages, and the reading of pages that may only be executed,
/// are forbidden (SUM and MXR are off). Write protection is always in force. The FPU is on, for applications.
pub(crate) fn protect_kernel() {
    // SAFETY: the kernel's mappings in kern_pgdir respect these; traps save the registers of the FPU.
    unsafe {
        asm!(
            "csrc sstatus, {}",
            "csrs sstatus, {}",
            in(reg) SUM | MXR,
            in(reg) FS_INITIAL,
            options(nostack)
        );
    }
}

/// Drops the translation of the page at `va`.
pub(crate) fn invlpg(va: VirtAddr) {
    // SAFETY: drops a translation, which the hart finds again in the tables.
    unsafe { asm!("sfence.vma {}, zero", in(reg) va.as_u64(), options(nostack)) };
}

/// Drops all translations.
pub(crate) fn flush_tlb() {
    // SAFETY: as in `invlpg`.
    unsafe { asm!("sfence.vma", options(nostack)) };
}

/// Forgets that the entries of `page`, or any entries, were not valid.
pub(crate) fn made_valid(page: Option<VirtAddr>) {
    page.map_or_else(flush_tlb, invlpg);
}

/// The stack pointer.
pub(crate) fn stack_pointer() -> VirtAddr {
    let sp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mv {}, sp", out(reg) sp, options(nomem, nostack)) };
    VirtAddr::new(sp)
}

/// The frame pointer of the function that calls this one.
#[inline(always)]
pub(crate) fn frame_pointer() -> u64 {
    let s0: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mv {}, s0", out(reg) s0, options(nomem, nostack)) };
    s0
}

/// The addresses at which the frame at `frame` holds its caller's frame pointer and the return address
/// (RISC-V ABIs, "Frame Pointer Convention": below the address that the frame pointer holds).
pub(crate) fn saved(frame: u64) -> [u64; 2] {
    [frame.wrapping_sub(16), frame.wrapping_sub(8)]
}

/// The timer's counter, which runs at a constant rate from the machine's reset on.
pub(crate) fn counter() -> u64 {
    read!(time)
}

/// The instructions since the machine's reset, on QEMU if it counts them (`-icount`).
#[inline(always)]
pub(crate) fn fine_counter() -> u64 {
    read!(instret)
}

/// Stops the hart until it is woken, which should not happen with interrupts off.
pub(crate) fn halt() {
    // SAFETY: waits.
    unsafe { asm!("wfi", options(nomem, nostack)) };
}
