//! Interrupts: the firmware's timer, and the UART by a PLIC (RISC-V PLIC specification 1.0.0).
//!
//! The UART requests an interrupt as long as it holds bytes. So its interrupt is finished only when none is left to read:
//! if the kernel has no room for more, nothing interrupts the hart until it has.

use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use boot::riscv64::devices::{Device, uart_source};

use super::address::registers;
use super::instructions::{SIE, read};
use super::probe::store_narrow;

/// The bits of the timer and of devices in SIE and SIP (RISC-V privileged specification, 12.1.3).
const TIMER: u64 = 1 << 5;
const EXTERNAL: u64 = 1 << 9;

/// Words of the PLIC's bits of sources, and bits of a word.
const ENABLES: usize = 32;
const BITS: u32 = 32;

/// Whether a PLIC answers.
static PRESENT: AtomicBool = AtomicBool::new(false);
/// The source whose interrupt the hart has begun to handle, or 0.
static CLAIMED: AtomicU32 = AtomicU32::new(0);

/// Sets up the PLIC: of all sources, only the UART may interrupt the hart. It does not yet.
pub(crate) fn init() {
    PRESENT.store(set_up().is_some(), Relaxed);
}

/// Sets up the PLIC, if the device tree names one, and a device answers there. It need not be one, since the tree may be
/// wrong: [`allow_uart`] finds out.
fn set_up() -> Option<()> {
    let [priority, enables, threshold] =
        [Device::Priority, Device::Enables, Device::Context].map(registers::<u32>);
    let (priority, enables, threshold) = (priority?, enables?, threshold?);
    for word in 0..ENABLES {
        // SAFETY: the address is the device's alone. Whatever is there does not access memory.
        unsafe { store_narrow(enables.wrapping_add(word), 0) }?;
    }
    let own = enables.wrapping_add((uart_source() / BITS) as usize);
    for (at, value) in [(own, 1 << (uart_source() % BITS)), (priority, 1), (threshold, 0)] {
        // SAFETY: as above.
        unsafe { store_narrow(at, value) }?;
    }
    Some(())
}

/// The register by which the hart claims an interrupt and tells that it is handled: behind the threshold.
fn claim() -> Option<*mut u32> {
    registers::<u32>(Device::Context).map(|threshold| threshold.wrapping_add(1))
}

/// Lets the UART, which requests an interrupt now, interrupt the hart. Returns false if its request does not arrive.
pub(super) fn allow_uart() -> bool {
    let is_requested = PRESENT.load(Relaxed) && read!(sip) & EXTERNAL != 0;
    if is_requested {
        acknowledge_device();
    }
    let arrives = is_requested && CLAIMED.load(Relaxed) == uart_source();
    if arrives {
        // SAFETY: a trap's entry handles the interrupt.
        unsafe { asm!("csrs sie, {}", in(reg) EXTERNAL, options(nomem, nostack)) };
    }
    arrives
}

/// Lets the timer interrupt the hart, once.
pub(super) fn allow_timer() {
    // SAFETY: as in `allow_uart`.
    unsafe { asm!("csrs sie, {}", in(reg) TIMER, options(nomem, nostack)) };
}

/// Tells the timer that its interrupt is taken.
pub(super) fn acknowledge_timer() {
    // SAFETY: only fewer interrupts come.
    unsafe { asm!("csrc sie, {}", in(reg) TIMER, options(nomem, nostack)) };
}

/// Tells the PLIC that the hart has begun to handle an interrupt of a device.
pub(super) fn acknowledge_device() {
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
