//! Time: the processor's time-stamp counter, held against the timer chip once.

use core::arch::x86_64::_rdtsc;
use core::time::Duration;

use spin::Once;
use x86_64::instructions::port::Port;

/// The counter when the kernel began.
static START: Once<u64> = Once::new();
/// Counts in a second; `None` where there is no timer chip to hold them against.
static FREQUENCY: Once<Option<u64>> = Once::new();

/// The 8254's frequency, in Hz.
const TIMER_HZ: u64 = 1_193_182;
/// Its channel 2, and its control port (8254 data sheet; ports of the PC/AT).
const CHANNEL_2: u16 = 0x42;
const CONTROL: u16 = 0x43;
/// Channel 2, low byte then high byte, mode 0: the output goes high when the count is done.
const COUNT_DOWN: u8 = 0b10 << 6 | 0b11 << 4;
/// The port with channel 2's gate (bit 0), the speaker (bit 1) and channel 2's output (bit 5).
const GATE: u16 = 0x61;
const GATE_ON: u8 = 1 << 0;
const SPEAKER_ON: u8 = 1 << 1;
const OUTPUT: u8 = 1 << 5;
/// What the chip counts down: 20 ms.
const COUNT: u16 = (TIMER_HZ / 50) as u16;
/// Looks at the output after which there is no chip.
const PATIENCE: u32 = 10_000_000;

/// Notes when the kernel began.
pub fn init() {
    START.call_once(counter);
}

/// What the counter says, which begins at the machine's reset, and how far it has come since
/// [`init`].
#[must_use]
pub fn counts() -> (u64, u64) {
    let now = counter();
    (now, START.get().map_or(0, |start| now - start))
}

/// The time since [`init`]; `None` where nothing tells how fast the counter runs.
#[must_use]
pub fn uptime() -> Option<Duration> {
    let counts = counter() - START.get()?;
    let frequency = (*FREQUENCY.call_once(measure))?;
    let nanoseconds = u128::from(counts) * 1_000_000_000 / u128::from(frequency);
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// As [`uptime`], for those who must have a time: where nothing tells how fast the counter runs, it
/// is taken to run at 1 GHz.
#[must_use]
pub fn monotonic() -> Duration {
    let counts = || START.get().map_or(0, |start| counter() - start);
    uptime().unwrap_or_else(|| Duration::from_nanos(counts()))
}

fn counter() -> u64 {
    // SAFETY: reads a counter that every x86-64 processor has.
    unsafe { _rdtsc() }
}

/// Counts in a second, by letting the timer count down once.
fn measure() -> Option<u64> {
    let mut gate = Port::<u8>::new(GATE);
    let mut control = Port::<u8>::new(CONTROL);
    let mut channel = Port::<u8>::new(CHANNEL_2);
    let [low, high] = COUNT.to_le_bytes();
    // SAFETY: on a PC these ports are the timer's and the speaker's, or nobody's. Channel 2 is
    // nothing but the speaker's, which stays off.
    unsafe {
        let before = gate.read();
        gate.write(before & !SPEAKER_ON | GATE_ON);
        control.write(COUNT_DOWN);
        channel.write(low);
        channel.write(high);
        let start = counter();
        let is_done = (0..PATIENCE).any(|_| gate.read() & OUTPUT != 0);
        let counts = counter() - start;
        gate.write(before);
        Some(counts * TIMER_HZ / u64::from(COUNT)).filter(|counts| is_done && *counts > 0)
    }
}
