//! The probes of a hart, and a walk to find out why one faulted.

use core::arch::{asm, global_asm};

use libjos::machine::Fault;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::paging::format::{Format as _, Geometry};
use monitor::processor::riscv::cause;

use super::cpu::pgdir_in_use;
use super::instructions::SUM;
use super::trap::Trap;
use crate::arch::outcome::Outcome;
use crate::arch::probes::Probe;
use crate::arch::{Format, Layout};

pub(crate) use crate::arch::probes::load_open as load_user;
pub(crate) use crate::arch::probes::{load, load_byte, load_word, recover, store, store_byte};

// All probes take the address in A0 and the value in A1, and return an `Outcome` in A0 and A1. The access is a probe's
// first instruction, but for probe_load_user, which first allows the kernel to read user pages.
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
    "probe probe_store_narrow, sw a1, 0(a0)",
    ".purgem probe",
    ".globl probe_load_user, probe_load_user_access, probe_faulted",
    ".type probe_load_user, @function",
    "probe_load_user:",
    "    li a1, {SUM}",
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
    SUM = const SUM,
);

/// Calls `probe`.
///
/// # Safety
///
/// `probe` is one of the functions that make an access, and the access does no harm if it
/// succeeds.
pub(in crate::arch) unsafe fn call(probe: Probe, va: u64, value: usize) -> Result<usize, Fault> {
    let mut outcome = Outcome { value: 0, fault: value };
    // SAFETY: the caller's promise. A fault is returned as an outcome.
    unsafe {
        asm!(
            "jalr {}",
            in(reg) probe,
            inlateout("a0") va => outcome.value,
            inlateout("a1") outcome.fault,
            out("ra") _,
        );
    }
    outcome.check()
}

unsafe extern "C" {
    fn probe_store_narrow();
}

/// Probes that write and that only this machine has.
pub(in crate::arch) const OWN_STORES: &[Probe] = &[probe_store_narrow];

/// Writes a device's register of 4 bytes, if a device answers.
///
/// # Safety
///
/// No Rust object lies there, and the device does not access memory.
pub(super) unsafe fn store_narrow(at: *mut u32, value: u32) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    unsafe { call(probe_store_narrow, at.addr() as u64, value as usize) }.map(|_| ())
}

impl Trap<'_> {
    /// The fault of the probe that this trap interrupted: a write if `store`, or else a read. `None` if no access
    /// raises such a trap.
    pub(in crate::arch) fn fault(&self, store: bool) -> Option<Fault> {
        let va = self.frame.stval;
        let present = match self.frame.scause {
            cause::LOAD_PAGE_FAULT | cause::STORE_PAGE_FAULT => look(va).present,
            // The address is mapped, or none of its tables is memory.
            cause::LOAD_ACCESS_FAULT | cause::STORE_ACCESS_FAULT => true,
            _ => return None,
        };
        Some(Fault { va: VirtAddr::new(va), present, write: store })
    }
}

/// The state of the entries on the way to an address.
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
/// The bits that must be clear in a table's entry: user, accessed and dirty.
const TABLE_RESERVED: u64 = 1 << 4 | 0b11 << 6;
/// The bits that must be clear in any entry: those that no extension uses, and those of Svpbmt and Svnapot, which are not
/// on.
const RESERVED: u64 = u64::MAX << 54;

/// Walks `va` in the tables in use, which have no entry for an address that is not canonical. The hart does not say why it
/// refused an access.
pub(super) fn look(va: u64) -> Look {
    if !Format::is_canonical(VirtAddr::new(va)) {
        return Look { present: false, malformed: false };
    }
    let mut table = pgdir_in_use();
    for level in (0..Format::LEVELS).rev() {
        let at = Format::entry(level, table, VirtAddr::new(va));
        let word = kaddr::<Layout>(at, 8).and_then(|at| load(at.as_u64()).ok()).unwrap_or(0);
        let leaf = word & (R | X) != 0;
        table = PhysAddr::new((word & PPN) << 2);
        let malformed = word & RESERVED != 0
            || word & (R | W) == W
            || !leaf && (word & TABLE_RESERVED != 0 || level == 0)
            || leaf && !table.is_aligned(Format::page_size(level));
        if word & V == 0 || leaf || malformed {
            return Look { present: word & V != 0, malformed: word & V != 0 && malformed };
        }
    }
    unreachable!("a table at the last level is malformed")
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
