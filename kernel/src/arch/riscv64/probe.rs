//! Probes: memory accesses that may fault, and report the fault as an error.
//!
//! Each probe is one instruction at a known address. If it faults, `recover` makes the hart continue at
//! `probe_faulted`, with the fault in the registers of the result.

use core::arch::{asm, global_asm};

use libjos::machine::Fault;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::monitor::processor::riscv::cause;
use libjos::paging::format::{Format as _, Geometry};

use super::cpu::pgdir_in_use;
use super::instructions::SUM;
use super::trap::Trap;
use crate::arch::{Format, Layout};

// All probes take the address in A0 and the value in A1, and return the value in A0, and in A1 whether there was a
// fault. The access is the first instruction of a probe, so that the symbol is its address. The exception is
// probe_load_user, which first allows the kernel to read user pages (SSTATUS.SUM).
global_asm!(
    ".macro probe name, access:vararg",
    ".globl \\name",
    ".type \\name, @function",
    "\\name:",
    "    \\access",
    "    li a1, 0",
    "    ret",
    ".size \\name, . - \\name",
    ".endm",
    "probe probe_load, ld a0, 0(a0)",
    "probe probe_load_byte, lbu a0, 0(a0)",
    "probe probe_store, sd a1, 0(a0)",
    "probe probe_store_byte, sb a1, 0(a0)",
    ".purgem probe",
    ".globl probe_load_user, probe_load_user_access, probe_faulted",
    ".type probe_load_user, @function",
    "probe_load_user:",
    "    csrs sstatus, a1",
    "probe_load_user_access:",
    "    ld a0, 0(a0)",
    "    csrc sstatus, a1",
    "    li a1, 0",
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

// The bits of a fault in A1.
const FAULTED: u64 = 1 << 0;
const PRESENT: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;

/// Calls `probe`.
///
/// # Safety
///
/// `probe` is one of the functions above that make an access, and the access does no harm if it
/// succeeds.
unsafe fn call(probe: unsafe extern "C" fn(), va: u64, value: u64) -> Result<u64, Fault> {
    let (result, fault): (u64, u64);
    // SAFETY: the caller's promise. A fault is returned as an outcome.
    unsafe {
        asm!(
            "jalr {}",
            in(reg) probe,
            inout("a0") va => result,
            inout("a1") value => fault,
            out("ra") _,
        );
    }
    if fault & FAULTED == 0 {
        return Ok(result);
    }
    let va = VirtAddr::new(result);
    Err(Fault { va, present: fault & PRESENT != 0, write: fault & WRITE != 0 })
}

/// Reads the word at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the hart raised.
pub(crate) fn load_word(va: u64) -> Result<usize, Fault> {
    load(va).map(|word| word as usize)
}

/// Reads the 8 bytes at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the hart raised.
pub(crate) fn load(va: u64) -> Result<u64, Fault> {
    // SAFETY: reading does not change Rust's memory.
    unsafe { call(probe_load, va, 0) }
}

/// Reads the byte at `va`, mapped or not.
///
/// # Errors
///
/// The fault that the hart raised.
pub(crate) fn load_byte(va: u64) -> Result<u8, Fault> {
    // SAFETY: as in `load`.
    unsafe { call(probe_load_byte, va, 0) }.map(|value| value as u8)
}

/// Reads the 8 bytes at `va` like [`load`], but also in user-accessible pages.
///
/// # Errors
///
/// The fault that the hart raised.
pub(crate) fn load_user(va: u64) -> Result<u64, Fault> {
    // SAFETY: as in `load`; both returns leave the bit clear.
    unsafe { call(probe_load_user, va, SUM) }
}

/// Writes the 8 bytes at `va`, if the page tables allow the kernel to.
///
/// # Safety
///
/// If `va` is mapped writable, no Rust object may lie there.
///
/// # Errors
///
/// The fault that the hart raised.
pub(crate) unsafe fn store(va: u64, value: u64) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    unsafe { call(probe_store, va, value) }.map(|_| ())
}

/// Writes the byte at `va`, if the page tables allow the kernel to.
///
/// # Safety
///
/// If `va` is mapped writable, no Rust object may lie there.
///
/// # Errors
///
/// The fault that the hart raised.
pub(crate) unsafe fn store_byte(va: u64, value: u8) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    unsafe { call(probe_store_byte, va, value.into()) }.map(|_| ())
}

/// Returns false unless the trap interrupted a probe; if it did, makes the probe return the fault.
pub(crate) fn recover(trap: &mut Trap<'_>) -> bool {
    let (pc, va) = (trap.frame.sepc, trap.frame.stval);
    let at = |access: unsafe extern "C" fn()| pc == access as usize as u64;
    let user = at(probe_load_user_access);
    let any = [probe_load, probe_load_byte, probe_store, probe_store_byte].into_iter().any(at);
    let (write, present) = match trap.frame.scause {
        cause::LOAD_PAGE_FAULT => (false, look(va).present),
        cause::STORE_PAGE_FAULT => (true, look(va).present),
        // The address is mapped, or none of its tables is memory.
        cause::LOAD_ACCESS_FAULT => (false, true),
        cause::STORE_ACCESS_FAULT => (true, true),
        _ => return false,
    };
    if !any && !user {
        return false;
    }
    let bit = |set, bit| if set { bit } else { 0 };
    trap.frame.set_a0(va);
    trap.frame.set_a1(FAULTED | bit(present, PRESENT) | bit(write, WRITE));
    trap.frame.sepc = probe_faulted as *const () as usize as u64;
    if user {
        trap.frame.sstatus &= !SUM;
    }
    true
}

/// What the page tables say of an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Whether all entries on the way are valid.
    pub(super) present: bool,
    /// Whether one of them is reserved: a hart refuses it as if it were not valid.
    pub(super) malformed: bool,
}

// Bits of an entry (RISC-V privileged specification, 12.4.1).
const V: u64 = 1 << 0;
const R: u64 = 1 << 1;
const W: u64 = 1 << 2;
const X: u64 = 1 << 3;
const PPN: u64 = (1 << 54) - (1 << 10);
/// Of a table's entry: user, accessed and dirty.
const TABLE_RESERVED: u64 = 1 << 4 | 0b11 << 6;
/// Of any entry: those that no extension uses, and those of Svpbmt and Svnapot, which are not on.
const RESERVED: u64 = u64::MAX << 54;

/// Walks `va` in the tables in use. The hart does not say why it refused an access.
pub(super) fn look(va: u64) -> Look {
    let mut table = pgdir_in_use();
    for level in (0..Format::LEVELS).rev() {
        let at = Format::entry(level, table, VirtAddr::new(va));
        let word = kaddr::<Layout>(at, 8).and_then(|at| load(at.as_u64()).ok());
        let Some(entry) = word.filter(|entry| entry & V != 0) else {
            return Look { present: false, malformed: false };
        };
        let is_leaf = entry & (R | X) != 0;
        let frame = PhysAddr::new((entry & PPN) << 2);
        let reserved = if is_leaf {
            entry & (R | W) == W || !frame.is_aligned(Format::page_size(level))
        } else {
            entry & (TABLE_RESERVED | W) != 0 || level == 0
        };
        if reserved || entry & RESERVED != 0 {
            return Look { present: true, malformed: true };
        }
        if is_leaf {
            break;
        }
        table = frame;
    }
    Look { present: true, malformed: false }
}

/// Copies `length` bytes, each by two instructions that can be restarted if they fault.
///
/// # Safety
///
/// The bytes at `from` can be read and those at `to` written, or the fault is the caller's error. The
/// bytes at `to` belong to no Rust object but the caller's own.
pub(crate) unsafe fn copy(to: u64, from: u64, length: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "1:",
            "beqz {length}, 2f",
            "lbu {byte}, 0({from})",
            "sb {byte}, 0({to})",
            "addi {from}, {from}, 1",
            "addi {to}, {to}, 1",
            "addi {length}, {length}, -1",
            "j 1b",
            "2:",
            length = inout(reg) length => _,
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            byte = out(reg) _,
            options(nostack),
        );
    }
}
