//! How fast the time-stamp counter runs: by what a hypervisor or the processor states, or as the timer
//! chip measures it.

use libjos::app::rate::{self, Reading};

use super::Port;
use crate::arch::cpu::{counter, cpuid};

/// The 8254's frequency, in Hz.
const TIMER_HZ: u64 = 1_193_182;
/// Its channel 0, which all boards have (channel 2's gate is a PC's alone), and its control port
/// (8254 data sheet; ports of the PC/AT).
const CHANNEL_0: u16 = 0x40;
const CONTROL: u16 = 0x43;
/// Channel 0, low byte then high byte, mode 0: counts down, once round and on.
const COUNT_DOWN: u8 = 0b11 << 4;
/// Holds channel 0's count, to be read low byte then high byte.
const LATCH: u8 = 0;

/// Counts in a second as somebody who knows states them: the hypervisor (CPUID leaf 0x4000_0010, of
/// VMware and KVM), or the processor, by its crystal (leaf 0x15, Intel SDM vol. 3B, 18.7.3).
pub(crate) fn stated() -> Option<u64> {
    let cpuid = cpuid();
    let hypervisor = cpuid.get_hypervisor_info().and_then(|info| info.tsc_frequency());
    let by_crystal = || cpuid.get_tsc_info().and_then(|info| info.tsc_frequency());
    hypervisor.map(|khz| u64::from(khz) * 1_000).filter(|hz| *hz > 0).or_else(by_crystal)
}

/// Counts in a second by the processor's nominal frequency (leaf 0x16), which is within some percent.
pub(crate) fn nominal() -> Option<u64> {
    let info = cpuid().get_processor_frequency_info()?;
    Some(u64::from(info.processor_base_frequency()) * 1_000_000).filter(|hz| *hz > 0)
}

/// Counts in a second by the timer chip. Its interrupt reaches nobody.
pub(crate) fn measured() -> Option<u64> {
    let mut control = Port::<u8>::new(CONTROL);
    let mut channel = Port::<u8>::new(CHANNEL_0);
    // SAFETY: on a PC these ports are the timer's, or nobody's. Nothing else uses the timer.
    unsafe {
        control.write(COUNT_DOWN);
        channel.write(u8::MAX);
        channel.write(u8::MAX);
    }
    rate::rate(TIMER_HZ, || {
        let before = counter();
        // SAFETY: as above.
        let count = unsafe {
            control.write(LATCH);
            u16::from_le_bytes([channel.read(), channel.read()])
        };
        Reading { before, count, after: counter() }
    })
}
