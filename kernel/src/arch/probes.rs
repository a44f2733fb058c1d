//! Probes: memory accesses that may fault, and report the fault as an error.
//!
//! Each probe is one instruction, the first of a function of assembly, so that the function's symbol is its address. If
//! it faults, [`recover`] makes the processor continue at `probe_faulted`, with the fault in the registers
//! of the result. Where a register holds less than 8 bytes, they take several probes.

use libjos::machine::Fault;

use super::machine::probe::{OWN_STORES, call};
use super::machine::trap::Trap;
use super::outcome::Outcome;

/// A probe, or another address in its code.
pub(super) type Probe = unsafe extern "C" fn();

unsafe extern "C" {
    fn probe_load();
    fn probe_load_byte();
    fn probe_load_user();
    fn probe_load_user_access();
    fn probe_store();
    fn probe_store_byte();
    fn probe_faulted();
}

/// Returns false unless the trap interrupted a probe at its access; if it did, makes the probe return the fault.
pub(crate) fn recover(trap: &mut Trap<'_>) -> bool {
    let pc = trap.instruction();
    let at = |access: Probe| pc == access as usize as u64;
    let write =
        at(probe_store) || at(probe_store_byte) || OWN_STORES.iter().any(|store| at(*store));
    let has_opened_user_pages = at(probe_load_user_access);
    if !write && !has_opened_user_pages && !at(probe_load) && !at(probe_load_byte) {
        return false;
    }
    let Some(fault) = trap.fault(write) else { return false };
    let Outcome { value, fault } = fault.into();
    trap.frame.return_words([value, fault], probe_faulted as *const () as usize);
    if has_opened_user_pages {
        trap.frame.forbid_user_access();
    }
    true
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

/// Reads the 8 bytes at `va` like [`load`], but also in user-accessible pages. For processors that can open them.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_open(va: u64) -> Result<u64, Fault> {
    load_by(probe_load_user, va)
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
