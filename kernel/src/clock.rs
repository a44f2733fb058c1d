//! Time: the processor's counter since the kernel started.
//!
//! The machine states the counter's frequency, or else it is measured, once, at the first request.

use core::fmt;
use core::time::Duration;

use spin::Once;

use crate::arch::clock::{measured, nominal, stated};
use crate::arch::cpu::{counter, fine_counter};

/// The counter's value at the kernel's start.
static START: Once<u64> = Once::new();
/// The finest counter's value then.
static FINE_START: Once<u64> = Once::new();
/// Counts per second; `None` if the machine has no way to tell.
static FREQUENCY: Once<Option<u64>> = Once::new();

/// Records the counter's value at the kernel's start.
pub fn init() {
    START.call_once(counter);
    FINE_START.call_once(fine_counter);
}

/// The counts of the machine's finest counter since its reset, to measure by: it is read where this is
/// called, by few instructions.
#[must_use]
#[inline(always)]
pub fn now() -> u64 {
    fine_counter()
}

/// The counts of the machine's finest counter since its reset, and since [`init`].
#[must_use]
pub fn fine_counts() -> (u64, u64) {
    let now = fine_counter();
    (now, FINE_START.get().map_or(0, |start| now.saturating_sub(*start)))
}

/// The counts since the machine's reset, and since [`init`].
#[must_use]
pub fn counts() -> (u64, u64) {
    let now = counter();
    (now, START.get().map_or(0, |start| now.saturating_sub(*start)))
}

/// The time since [`init`]; `None` if the counter's frequency is unknown.
#[must_use]
pub fn uptime() -> Option<Duration> {
    let (_, counts) = counts();
    let frequency = (*FREQUENCY.call_once(|| stated().or_else(measured).or_else(nominal)))?;
    let nanoseconds = u128::from(counts) * 1_000_000_000 / u128::from(frequency);
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// A time as hours, minutes, seconds and milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hours(pub(crate) Duration);

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{hours}:{minutes:02}:{seconds:02}.{:03}", self.0.subsec_millis())
    }
}

/// The time since [`init`], which assumes 1 GHz if the counter's frequency is unknown.
#[must_use]
pub fn monotonic() -> Duration {
    uptime().unwrap_or_else(|| Duration::from_nanos(counts().1))
}

#[cfg(test)]
mod tests;
