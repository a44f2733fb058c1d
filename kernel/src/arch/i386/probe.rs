//! Probes: memory accesses that may fault, and report the fault as an error.
//!
//! Each probe is one instruction at a known address. If it faults, `recover` makes the processor
//! continue at `probe_faulted`, with the fault in the registers of the result. Eight bytes are two
//! probes.

use core::arch::{asm, global_asm};

use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;
use libjos::monitor::processor::vector::PAGE_FAULT;
use x86_64::registers::control::Cr4Flags;
use x86_64::registers::rflags::RFlags;
use x86_64::structures::idt::PageFaultErrorCode;

use super::instructions::Cr4;
use super::trap::Trap;

// All probes take the address in ECX and the value in EDX, as the calling convention fastcall has it, and
// return the two halves of a u64 in EAX and EDX. The access is the first instruction of a probe, so that
// the symbol is its address. The exception is probe_load_user, which first allows the kernel to read user
// pages (Intel SDM vol. 3A, 4.6.1: SMAP and EFLAGS.AC).
global_asm!(
    ".macro probe name, access:vararg",
    ".globl \\name",
    ".type \\name, @function",
    "\\name:",
    "    \\access",
    "    xor edx, edx",
    "    ret",
    ".size \\name, . - \\name",
    ".endm",
    "probe probe_load, mov eax, [ecx]",
    "probe probe_load_byte, movzx eax, byte ptr [ecx]",
    "probe probe_store, mov [ecx], edx",
    "probe probe_store_byte, mov [ecx], dl",
    ".purgem probe",
    ".globl probe_load_user, probe_load_user_access, probe_faulted",
    ".type probe_load_user, @function",
    "probe_load_user:",
    "    stac",
    "probe_load_user_access:",
    "    mov eax, [ecx]",
    "    clac",
    "    xor edx, edx",
    "    ret",
    ".size probe_load_user, . - probe_load_user",
    ".type probe_faulted, @function",
    "probe_faulted:",
    "    ret",
    ".size probe_faulted, . - probe_faulted",
);

unsafe extern "C" {
    fn probe_load();
    fn probe_load_byte();
    fn probe_load_user();
    fn probe_load_user_access();
    fn probe_store();
    fn probe_store_byte();
    fn probe_faulted();
}

/// A bit that tells a fault with the error code 0 from success.
const FAULTED: u32 = 1 << 31;

/// Calls `probe`.
///
/// # Safety
///
/// `probe` is one of the functions above that make an access, and the access does no harm if it
/// succeeds.
unsafe fn call(probe: unsafe extern "C" fn(), va: u64, value: u32) -> Result<u32, Fault> {
    let (result, fault): (u32, u32);
    // SAFETY: the caller's promise. A fault is returned as an outcome.
    unsafe {
        asm!(
            "call {}",
            in(reg) probe,
            inout("ecx") va as u32 => _,
            inlateout("edx") value => fault,
            lateout("eax") result,
        );
    }
    if fault & FAULTED == 0 {
        return Ok(result);
    }
    let error = PageFaultErrorCode::from_bits_truncate(fault.into());
    Err(Fault {
        va: VirtAddr::new(result.into()),
        present: error.contains(PageFaultErrorCode::PROTECTION_VIOLATION),
        write: error.contains(PageFaultErrorCode::CAUSED_BY_WRITE),
    })
}

/// Joins the halves of a value.
fn join([low, high]: [u32; 2]) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Reads the word at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_word(va: u64) -> Result<usize, Fault> {
    // SAFETY: reading does not change Rust's memory.
    unsafe { call(probe_load, va, 0) }.map(|word| word as usize)
}

/// Reads the 8 bytes at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load(va: u64) -> Result<u64, Fault> {
    // SAFETY: as in `load_word`.
    let half = |va| unsafe { call(probe_load, va, 0) };
    Ok(join([half(va)?, half(va + 4)?]))
}

/// Reads the byte at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_byte(va: u64) -> Result<u8, Fault> {
    // SAFETY: as in `load_word`.
    unsafe { call(probe_load_byte, va, 0) }.map(|value| value as u8)
}

/// Reads the 8 bytes at `va` like [`load`], but also in user-accessible pages.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_user(va: u64) -> Result<u64, Fault> {
    if !Cr4::read().contains(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION) {
        // Nothing forbids the access, and a processor without SMAP has no STAC.
        return load(va);
    }
    // SAFETY: as in `load_word`; both returns leave the flag clear.
    let half = |va| unsafe { call(probe_load_user, va, 0) };
    Ok(join([half(va)?, half(va + 4)?]))
}

/// Writes the 8 bytes at `va`, if the page tables allow the kernel to.
///
/// # Safety
///
/// If `va` is mapped writable, no Rust object may lie there.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) unsafe fn store(va: u64, value: u64) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    let half = |va, value| unsafe { call(probe_store, va, value) };
    half(va, value as u32)?;
    half(va + 4, (value >> 32) as u32).map(|_| ())
}

/// Writes the byte at `va`, if the page tables allow the kernel to.
///
/// # Safety
///
/// If `va` is mapped writable, no Rust object may lie there.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) unsafe fn store_byte(va: u64, value: u8) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    unsafe { call(probe_store_byte, va, value.into()) }.map(|_| ())
}

/// Returns false unless the trap interrupted a probe; if it did, makes the probe return the fault.
pub(crate) fn recover(trap: &mut Trap<'_>) -> bool {
    let Trap { frame, cr2 } = trap;
    let eip = frame.eip;
    let at = |access: unsafe extern "C" fn()| eip == access as usize as u32;
    let user = at(probe_load_user_access);
    let any = [probe_load, probe_load_byte, probe_store, probe_store_byte].into_iter().any(at);
    if !any && !user || u64::from(frame.vector) != PAGE_FAULT {
        return false;
    }
    frame.eax = *cr2 as u32;
    frame.edx = FAULTED | frame.error;
    frame.eip = probe_faulted as *const () as usize as u32;
    if user {
        frame.eflags &= !(RFlags::ALIGNMENT_CHECK.bits() as u32);
    }
    true
}

/// Copies `length` bytes by a single instruction, which can be restarted if it faults in the middle.
///
/// # Safety
///
/// The bytes at `from` can be read and those at `to` written, or the fault is the caller's error. The
/// bytes at `to` belong to no Rust object but the caller's own.
pub(crate) unsafe fn copy(to: u64, from: u64, length: usize) {
    // SAFETY: the caller's promise; the ABI keeps the direction flag clear. The compiler keeps ESI to
    // itself, so its value is kept here.
    unsafe {
        asm!(
            "xchg esi, {from}",
            "rep movsb",
            "xchg esi, {from}",
            from = inout(reg) from as u32 => _,
            inout("edi") to as u32 => _,
            inout("ecx") length => _,
            options(nostack, preserves_flags),
        );
    }
}
