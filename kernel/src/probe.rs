//! Accesses that may fault: the page-fault handler sends them on to a second return.
//!
//! Each probe is one instruction at a known address. When it faults, `recover` lets the
//! processor go on at `probe_faulted`, with what was wrong in the registers of the result.

use core::arch::global_asm;

use libjos::addr::VirtAddr;
use libjos::machine::Fault;
use x86_64::structures::idt::{ExceptionVector, PageFaultErrorCode};

use crate::traps::TrapFrame;

// Both return in RAX:RDX, as the System V ABI (3.2.3) returns a pair of words.
global_asm!(
    ".globl probe_load, probe_store, probe_faulted",
    ".type probe_load, @function",
    "probe_load:",
    "    mov rax, [rdi]", // the access: the first instruction, so the symbol is its address
    "    xor edx, edx",
    "    ret",
    ".size probe_load, . - probe_load",
    ".type probe_store, @function",
    "probe_store:",
    "    mov [rdi], rsi",
    "    xor edx, edx",
    "    ret",
    ".size probe_store, . - probe_store",
    ".type probe_faulted, @function",
    "probe_faulted:",
    "    ret",
    ".size probe_faulted, . - probe_faulted",
);

/// What a probe returns.
#[repr(C)]
struct Outcome {
    /// The value that was read, or the address that faulted.
    value: u64,
    /// 0, or [`FAULTED`] and the error code.
    fault: u64,
}

/// Tells a fault whose error code is 0 from none.
const FAULTED: u64 = 1 << 63;

unsafe extern "C" {
    fn probe_load(va: u64) -> Outcome;
    fn probe_store(va: u64, value: u64) -> Outcome;
    fn probe_faulted();
}

impl Outcome {
    fn check(self) -> Result<u64, Fault> {
        if self.fault & FAULTED == 0 {
            return Ok(self.value);
        }
        let error = PageFaultErrorCode::from_bits_truncate(self.fault);
        Err(Fault {
            va: VirtAddr::new(self.value),
            present: error.contains(PageFaultErrorCode::PROTECTION_VIOLATION),
            write: error.contains(PageFaultErrorCode::CAUSED_BY_WRITE),
        })
    }
}

/// Reads the 8 bytes at `va`, whatever is there.
///
/// # Errors
///
/// The fault that the processor raised.
pub fn load(va: u64) -> Result<u64, Fault> {
    // SAFETY: reading does no harm to Rust's memory, and a fault comes back as an outcome.
    unsafe { probe_load(va) }.check()
}

/// Writes the 8 bytes at `va`, if the page tables let the kernel.
///
/// # Safety
///
/// Where `va` is mapped writable, no Rust object may lie there.
///
/// # Errors
///
/// The fault that the processor raised.
pub unsafe fn store(va: u64, value: u64) -> Result<(), Fault> {
    // SAFETY: the caller's promise; a fault comes back as an outcome.
    unsafe { probe_store(va, value) }.check().map(|_| ())
}

/// Sends a probe that faulted on to its second return, and says whether it was one.
pub(crate) fn recover(frame: &mut TrapFrame, cr2: u64) -> bool {
    let rip = frame.rip;
    let store = rip == probe_store as *const () as u64;
    if !store && rip != probe_load as *const () as u64 {
        return false;
    }
    const PAGE: u64 = ExceptionVector::Page as u64;
    const GENERAL_PROTECTION: u64 = ExceptionVector::GeneralProtection as u64;
    let (va, error) = match frame.vector {
        PAGE => (cr2, frame.error),
        // A non-canonical address: the processor reports neither address nor kind.
        GENERAL_PROTECTION => {
            let mut error = PageFaultErrorCode::empty();
            error.set(PageFaultErrorCode::CAUSED_BY_WRITE, store);
            (frame.rdi, error.bits())
        }
        _ => return false,
    };
    frame.rax = va;
    frame.rdx = FAULTED | error;
    frame.rip = probe_faulted as *const () as u64;
    true
}
