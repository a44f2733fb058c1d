//! Probes: memory accesses that may fault, and report the fault as an error.
//!
//! Each probe is one instruction at a known address. If it faults, `recover` makes the processor
//! continue at `probe_faulted`, with the fault in the registers of the result.

use core::arch::{asm, global_asm};

use libjos::machine::Fault;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::rflags::RFlags;

use super::outcome::Outcome;
use super::trap::Trap;

// All probes return in RAX:RDX, as the System V ABI (3.2.3) returns a pair of words. The access is the
// first instruction of a probe, so that the symbol is its address. The exception is probe_load_user,
// which first allows the kernel to read user pages (Intel SDM vol. 3A, 4.6.1: SMAP and EFLAGS.AC).
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
    "probe probe_load, mov rax, [rdi]",
    "probe probe_load_byte, movzx eax, byte ptr [rdi]",
    "probe probe_store, mov [rdi], rsi",
    "probe probe_store_byte, mov [rdi], sil",
    ".purgem probe",
    ".globl probe_load_user, probe_load_user_access, probe_faulted",
    ".type probe_load_user, @function",
    "probe_load_user:",
    "    stac",
    "probe_load_user_access:",
    "    mov rax, [rdi]",
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
    fn probe_load(va: u64) -> Outcome;
    fn probe_load_byte(va: u64) -> Outcome;
    fn probe_load_user(va: u64) -> Outcome;
    fn probe_load_user_access();
    fn probe_store(va: u64, value: u64) -> Outcome;
    fn probe_store_byte(va: u64, value: u64) -> Outcome;
    fn probe_faulted();
}

/// Reads the 8 bytes at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load(va: u64) -> Result<u64, Fault> {
    // SAFETY: reading does not change Rust's memory, and a fault is returned as an outcome.
    unsafe { probe_load(va) }.check()
}

/// Reads the word at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_word(va: u64) -> Result<usize, Fault> {
    load(va).map(|value| value as usize)
}

/// Reads the byte at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_byte(va: u64) -> Result<u8, Fault> {
    // SAFETY: as in `load`.
    unsafe { probe_load_byte(va) }.check().map(|value| value as u8)
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
    // SAFETY: as in `load`; both returns leave the flag clear.
    unsafe { probe_load_user(va) }.check()
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
    // SAFETY: the caller's promise; a fault is returned as an outcome.
    unsafe { probe_store(va, value) }.check().map(|_| ())
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
    // SAFETY: the caller's promise; a fault is returned as an outcome.
    unsafe { probe_store_byte(va, value.into()) }.check().map(|_| ())
}

/// Returns false unless the trap interrupted a probe; if it did, makes the probe return the fault.
pub(crate) fn recover(trap: &mut Trap<'_>) -> bool {
    let rip = trap.frame.rip;
    let at = |access: *const ()| rip == access as u64;
    let store = at(probe_store as *const ()) || at(probe_store_byte as *const ());
    let user = at(probe_load_user_access as *const ());
    if !store && !user && !at(probe_load as *const ()) && !at(probe_load_byte as *const ()) {
        return false;
    }
    let Some(Outcome { value, fault }) = Outcome::of(trap, store) else { return false };
    let frame = &mut *trap.frame;
    frame.rax = value;
    frame.rdx = fault;
    frame.rip = probe_faulted as *const () as u64;
    if user {
        frame.rflags &= !RFlags::ALIGNMENT_CHECK.bits();
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
    // SAFETY: the caller's promise; the ABI keeps the direction flag clear.
    unsafe {
        asm!(
            "rep movsb",
            inout("rdi") to => _,
            inout("rsi") from => _,
            inout("rcx") length => _,
            options(nostack, preserves_flags),
        );
    }
}
