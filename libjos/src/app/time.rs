//! Time: a clock that never goes back, and waiting.

use core::ops::{Add, Sub};
use core::time::Duration;

use super::with;

/// A moment by the processor's clock. It is never before a moment that was taken earlier.
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().run(|| {
/// let start = Instant::now();
/// sleep(Duration::from_millis(2));
/// assert!(start.elapsed() >= Duration::from_millis(2));
/// # });
/// # assert!(run.code.is_success());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Instant(Duration);

impl Instant {
    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        Self(uptime())
    }

    /// The time since this moment.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }
}

/// The time from `other` to `self`, or zero if `other` is later.
impl Sub for Instant {
    type Output = Duration;
    fn sub(self, other: Self) -> Duration {
        self.0.saturating_sub(other.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, time: Duration) -> Self {
        Self(self.0 + time)
    }
}

/// Returns the time since the kernel began. The first call measures how fast the processor's clock
/// runs, which may take some hundredths of a second.
#[must_use]
pub fn uptime() -> Duration {
    with(|platform| platform.uptime())
}

/// Waits for at least `time`. The processor halts meanwhile, if the machine has a timer that wakes it.
pub fn sleep(time: Duration) {
    let end = uptime().saturating_add(time);
    while uptime() < end {
        with(|platform| platform.rest_until(end));
    }
}
