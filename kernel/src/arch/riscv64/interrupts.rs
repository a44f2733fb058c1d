//! Interrupts: the firmware's timer, and the UART by a PLIC (RISC-V PLIC specification 1.0.0).
//!
//! The UART requests an interrupt as long as it holds bytes. So its interrupt is finished only when none is left to read:
//! if the kernel has no room for more, nothing interrupts the hart until it has.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use boot::riscv64::devices::{Device, uart_source};

use super::address::registers;
use super::instructions::{SIE, read};

/// The causes that are interrupts have this bit set (RISC-V privileged specification, table 23).
pub(super) const INTERRUPT: u64 = 1 << 63;
/// Interrupts of the timer and of devices: the cause, and the bit in SIE and SIP (12.1.3).
pub(super) const TIMER: u64 = INTERRUPT | 5;
pub(super) const EXTERNAL: u64 = INTERRUPT | 9;
const TIMER_BIT: u64 = 1 << 5;
const EXTERNAL_BIT: u64 = 1 << 9;

/// The source whose interrupt the hart has begun to handle, or 0.
static CLAIMED: AtomicU32 = AtomicU32::new(0);

/// Sets up nothing: the UART's driver does that, by `plic.rs`.
pub(crate) fn init() {}

/// The register by which the hart claims an interrupt and tells that it is handled: behind the threshold.
fn claim() -> Option<*mut u32> {
    registers::<u32>(Device::Context).map(|threshold| threshold.wrapping_add(1))
}

/// Lets the UART, which requests an interrupt now, interrupt the hart. Returns false if its request does not arrive.
pub(super) fn allow_uart() -> bool {
    let is_requested = read!(sip) & EXTERNAL_BIT != 0;
    if is_requested {
        acknowledge_device();
    }
    let arrives = is_requested && CLAIMED.load(Relaxed) == uart_source();
    if arrives {
        // SAFETY: a trap's entry handles the interrupt.
        unsafe { asm!("csrs sie, {}", in(reg) EXTERNAL_BIT, options(nomem, nostack)) };
    }
    arrives
}

/// Lets the timer interrupt the hart, once.
pub(super) fn allow_timer() {
    // SAFETY: as in `allow_uart`.
    unsafe { asm!("csrs sie, {}", in(reg) TIMER_BIT, options(nomem, nostack)) };
}

/// Begins to handle the interrupt of this cause, if it is one.
pub(super) fn acknowledge(cause: u64) {
    match cause {
        TIMER => acknowledge_timer(),
        EXTERNAL => acknowledge_device(),
        _ => {}
    }
}

/// Keeps the timer from interrupting the hart once more.
fn acknowledge_timer() {
    // SAFETY: only fewer interrupts come.
    unsafe { asm!("csrc sie, {}", in(reg) TIMER_BIT, options(nomem, nostack)) };
}

/// Tells the PLIC that the hart has begun to handle an interrupt of a device.
fn acknowledge_device() {
    if let Some(claim) = claim() {
        // SAFETY: a register of the PLIC, which does not access memory.
        CLAIMED.store(unsafe { claim.read_volatile() }, Relaxed);
    }
}

/// Tells the PLIC that the UART's interrupt is handled, if there was one: all typed bytes are read.
pub(crate) fn typed_is_read() {
    let source = CLAIMED.load(Relaxed);
    if let (1.., Some(claim)) = (source, claim()) {
        CLAIMED.store(0, Relaxed);
        // SAFETY: as in `acknowledge_device`.
        unsafe { claim.write_volatile(source) };
    }
}

/// Turns interrupts on.
pub(crate) fn on() {
    // SAFETY: the handlers are ready.
    unsafe { asm!("csrs sstatus, {}", in(reg) SIE, options(nostack)) };
}

/// Turns interrupts off. Returns whether they were on.
pub(crate) fn off() -> bool {
    let before: u64;
    // SAFETY: only fewer interrupts come.
    unsafe { asm!("csrrc {}, sstatus, {}", out(reg) before, in(reg) SIE, options(nostack)) };
    before & SIE != 0
}

/// Stops the hart until an interrupt comes, which may be before it stops. They are on afterwards for a moment, so that
/// it is taken.
pub(crate) fn wait() {
    // SAFETY: waits; a requested interrupt ends the wait though interrupts are off (3.3.3).
    unsafe { asm!("wfi", options(nostack)) };
    on();
    off();
}
