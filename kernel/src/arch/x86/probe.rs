//! Probes: memory accesses that may fault, and report the fault as an error.
//!
//! Each probe is one instruction at a known address. If it faults, `recover` makes the processor
//! continue at `probe_faulted`, with the fault in the registers of the result. Where a register holds
//! less than 8 bytes, they take several probes.

use core::arch::asm;

use libjos::machine::Fault;
use x86_64::registers::control::Cr4Flags;

use super::outcome::Outcome;
use super::trap::Trap;
use crate::arch::instructions::Cr4;

/// Defines the probes, with a machine's names of the registers AX, CX and DX. A probe finds the address in CX
/// and the value to write in DX, and returns an [`Outcome`] in AX and DX. The access is its first instruction,
/// so that the symbol is its address. The exception is probe_load_user, which first allows the kernel to read
/// user pages (Intel SDM vol. 3A, 4.6.1: SMAP and EFLAGS.AC).
macro_rules! probes {
    ($ax:literal, $cx:literal, $dx:literal) => {
        core::arch::global_asm!(
            ".macro probe name, access:vararg",
            ".globl \\name",
            ".type \\name, @function",
            "\\name:",
            "    \\access",
            "    xor edx, edx",
            "    ret",
            ".size \\name, . - \\name",
            ".endm",
            concat!("probe probe_load, mov ", $ax, ", [", $cx, "]"),
            concat!("probe probe_load_byte, movzx eax, byte ptr [", $cx, "]"),
            concat!("probe probe_store, mov [", $cx, "], ", $dx),
            concat!("probe probe_store_byte, mov [", $cx, "], dl"),
            ".purgem probe",
            ".globl probe_load_user, probe_load_user_access, probe_faulted",
            ".type probe_load_user, @function",
            "probe_load_user:",
            "    stac",
            "probe_load_user_access:",
            concat!("    mov ", $ax, ", [", $cx, "]"),
            "    clac",
            "    xor edx, edx",
            "    ret",
            ".size probe_load_user, . - probe_load_user",
            ".type probe_faulted, @function",
            "probe_faulted:",
            "    ret",
            ".size probe_faulted, . - probe_faulted",
        );
    };
}
pub(in crate::arch) use probes;

/// A probe, or another address in its code.
type Probe = unsafe extern "C" fn();

unsafe extern "C" {
    fn probe_load();
    fn probe_load_byte();
    fn probe_load_user();
    fn probe_load_user_access();
    fn probe_store();
    fn probe_store_byte();
    fn probe_faulted();
}

/// Calls `probe`.
///
/// # Safety
///
/// `probe` is one of the functions above that make an access, and the access does no harm if it
/// succeeds.
unsafe fn call(probe: Probe, va: u64, value: usize) -> Result<usize, Fault> {
    let mut outcome = Outcome { value: 0, fault: value };
    // SAFETY: the caller's promise. A fault is returned as an outcome.
    unsafe {
        asm!(
            "call {}",
            in(reg) probe,
            inout("ecx") va as usize => _,
            inlateout("edx") outcome.fault,
            lateout("eax") outcome.value,
        );
    }
    outcome.check()
}

/// Reads the 8 bytes at `va` by `probe`, which reads a word.
fn load_by(probe: Probe, va: u64) -> Result<u64, Fault> {
    let mut value = 0;
    for offset in (0..u64::from(u64::BITS) / 8).step_by(size_of::<usize>()) {
        // SAFETY: reading does not change Rust's memory. If the probe allows access to user pages, it forbids
        // it again, and `recover` does.
        value |= (unsafe { call(probe, va + offset, 0) }? as u64) << (8 * offset);
    }
    Ok(value)
}

/// Reads the 8 bytes at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load(va: u64) -> Result<u64, Fault> {
    load_by(probe_load, va)
}

/// Reads the word at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_word(va: u64) -> Result<usize, Fault> {
    // SAFETY: reading does not change Rust's memory.
    unsafe { call(probe_load, va, 0) }
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
    let has_smap = Cr4::read().contains(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION);
    // Without SMAP nothing forbids the access, and a processor without it has no STAC.
    load_by(if has_smap { probe_load_user } else { probe_load }, va)
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
    for offset in (0..u64::from(u64::BITS) / 8).step_by(size_of::<usize>()) {
        // SAFETY: the caller's promise.
        unsafe { call(probe_store, va + offset, (value >> (8 * offset)) as usize) }?;
    }
    Ok(())
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
    let instruction = trap.frame.instruction();
    let at = |access: Probe| instruction == access as usize as u64;
    let store = at(probe_store) || at(probe_store_byte);
    let user = at(probe_load_user_access);
    if !store && !user && !at(probe_load) && !at(probe_load_byte) {
        return false;
    }
    let Some(outcome) = Outcome::of(trap, store) else { return false };
    trap.frame.return_words([outcome.value, outcome.fault], probe_faulted as *const () as usize);
    if user {
        trap.frame.forbid_user_access();
    }
    true
}
