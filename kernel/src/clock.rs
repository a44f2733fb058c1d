//! Time: the processor's counter since the kernel began.
//!
//! How fast it runs is what the machine states, or else what it measures; it is found out once, when
//! the time is first asked for.

use core::time::Duration;

use spin::Once;

use crate::arch::clock::{measured, nominal, stated};
use crate::arch::cpu::counter;

/// The counter when the kernel began.
static START: Once<u64> = Once::new();
/// Counts in a second; `None` where nothing tells.
static FREQUENCY: Once<Option<u64>> = Once::new();

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
