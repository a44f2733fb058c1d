//! Time: the processor's time-stamp counter since the kernel began.
//!
//! How fast it runs is what a hypervisor or the processor states, or else what is measured by the
//! timer chip ([`rate`](mod@rate)); it is found out once, when the time is first asked for.

use core::arch::x86_64::_rdtsc;
use core::time::Duration;

use libjos::app::rate::{self, Look};
use raw_cpuid::CpuId;
use spin::Once;
use x86_64::instructions::port::Port;

/// The counter when the kernel began.
static START: Once<u64> = Once::new();
/// Counts in a second; `None` where nothing tells.
static FREQUENCY: Once<Option<u64>> = Once::new();

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

/// Notes when the kernel began.
pub fn init() {
    START.call_once(counter);
}

/// What the counter says, which begins at the machine's reset, and how far it has come since
/// [`init`].
#[must_use]
pub fn counts() -> (u64, u64) {
    let now = counter();
    (now, START.get().map_or(0, |start| now.saturating_sub(*start)))
}

/// The time since [`init`]; `None` where nothing tells how fast the counter runs.
#[must_use]
pub fn uptime() -> Option<Duration> {
    let (_, counts) = counts();
    let frequency = (*FREQUENCY.call_once(|| stated().or_else(measured).or_else(nominal)))?;
    let nanoseconds = u128::from(counts) * 1_000_000_000 / u128::from(frequency);
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// As [`uptime`], for those who must have a time: where nothing tells how fast the counter runs, it
/// is taken to run at 1 GHz.
#[must_use]
pub fn monotonic() -> Duration {
    uptime().unwrap_or_else(|| Duration::from_nanos(counts().1))
}

fn counter() -> u64 {
    // SAFETY: reads a counter that every x86-64 processor has.
    unsafe { _rdtsc() }
}

/// Counts in a second as somebody who knows states them: the hypervisor (CPUID leaf 0x4000_0010, of
/// VMware and KVM), or the processor, by its crystal (leaf 0x15, Intel SDM vol. 3B, 18.7.3).
fn stated() -> Option<u64> {
    let cpuid = CpuId::new();
    let hypervisor = cpuid.get_hypervisor_info().and_then(|info| info.tsc_frequency());
    let by_crystal = || cpuid.get_tsc_info().and_then(|info| info.tsc_frequency());
    hypervisor.map(|khz| u64::from(khz) * 1_000).filter(|hz| *hz > 0).or_else(by_crystal)
}

/// Counts in a second by the processor's nominal frequency (leaf 0x16), which is within some percent.
fn nominal() -> Option<u64> {
    let info = CpuId::new().get_processor_frequency_info()?;
    Some(u64::from(info.processor_base_frequency()) * 1_000_000).filter(|hz| *hz > 0)
}

/// Counts in a second by the timer chip. Its interrupt reaches nobody.
fn measured() -> Option<u64> {
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
        Look { before, count, after: counter() }
    })
}
