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
/// Its channel 0, which all boards have (channel 2's gate is a PC's alone), and its control port
/// (8254 data sheet; ports of the PC/AT).
const CHANNEL_0: u16 = 0x40;
const CONTROL: u16 = 0x43;
/// Channel 0, low byte then high byte, mode 0: counts down, once round and on.
const COUNT_DOWN: u8 = 0b11 << 4;
/// Holds channel 0's count, to be read low byte then high byte.
const LATCH: u8 = 0;
/// How far it is to come: 20 ms, of 55 that it takes to come round.
const COUNT: u16 = (TIMER_HZ / 50) as u16;
/// Looks at the count after which there is no chip.
const PATIENCE: u32 = 1_000_000;

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

/// Counts in a second, by letting the timer count down for a while. Its interrupt reaches nobody.
fn measure() -> Option<u64> {
    let mut control = Port::<u8>::new(CONTROL);
    let mut channel = Port::<u8>::new(CHANNEL_0);
    // SAFETY: on a PC these ports are the timer's, or nobody's. Nothing else uses the timer.
    unsafe {
        control.write(COUNT_DOWN);
        channel.write(u8::MAX);
        channel.write(u8::MAX);
    }
    let mut look = || {
        // SAFETY: as above.
        unsafe {
            control.write(LATCH);
            (counter(), u16::from_le_bytes([channel.read(), channel.read()]))
        }
    };
    // The first count may be older than the one that was set, until the chip's clock has ticked.
    let (_, set) = look();
    let (start, first) = (0..PATIENCE).map(|_| look()).find(|(_, count)| *count != set)?;
    let gone = |count: u16| first.wrapping_sub(count);
    let (end, last) = (0..PATIENCE).map(|_| look()).find(|(_, count)| gone(*count) >= COUNT)?;
    Some((end - start) * TIMER_HZ / u64::from(gone(last))).filter(|counts| *counts > 0)
}
