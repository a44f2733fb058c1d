//! The probes of a PC's processor; and the copy that may fault.

use core::arch::{asm, global_asm};

use libjos::machine::Fault;
use x86_64::registers::control::Cr4Flags;

use crate::arch::instructions::{Cr4, wide};
use crate::arch::outcome::Outcome;
use crate::arch::probes::{Probe, load_open};

pub(crate) use crate::arch::instructions::copy;
pub(crate) use crate::arch::probes::{load, load_byte, load_word, recover, store, store_byte};

// A probe finds the address in CX and the value to write in DX, and returns an `Outcome` in AX and DX. The access is its
// first instruction, but for probe_load_user, which first allows the kernel to read user pages (Intel SDM vol. 3A, 4.6.1:
// SMAP and EFLAGS.AC).
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
    wide!("probe probe_load, mov " ax ", [" cx "]"),
    wide!("probe probe_load_byte, movzx eax, byte ptr [" cx "]"),
    wide!("probe probe_store, mov [" cx "], " dx),
    wide!("probe probe_store_byte, mov [" cx "], dl"),
    ".purgem probe",
    ".globl probe_load_user, probe_load_user_access, probe_faulted",
    ".type probe_load_user, @function",
    "probe_load_user:",
    "    stac",
    "probe_load_user_access:",
    wide!("    mov " ax ", [" cx "]"),
    "    clac",
    "    xor edx, edx",
    "    ret",
    ".size probe_load_user, . - probe_load_user",
    ".type probe_faulted, @function",
    "probe_faulted:",
    "    ret",
    ".size probe_faulted, . - probe_faulted",
);

/// Probes that write and that only this machine has: none.
pub(in crate::arch) const OWN_STORES: &[Probe] = &[];

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
            "call {}",
            in(reg) probe,
            inout("ecx") va as usize => _,
            inlateout("edx") outcome.fault,
            lateout("eax") outcome.value,
        );
    }
    outcome.check()
}

/// Reads the 8 bytes at `va` like [`load`], but also in user-accessible pages.
///
/// # Errors
///
/// The fault that the processor raised.
pub(crate) fn load_user(va: u64) -> Result<u64, Fault> {
    let has_smap = Cr4::read().contains(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION);
    // Without SMAP nothing forbids the access, and a processor without it has no STAC.
    if has_smap { load_open(va) } else { load(va) }
}
