//! Time: a clock that never goes back.

use core::ops::{Add, Sub};
use core::time::Duration;

use super::with;

/// A moment, by the processor's clock: never before one that was taken earlier.
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
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        Self(uptime())
    }

    /// The time since then.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }
}

/// The time from the one to the other; zero where `other` is the later one.
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

/// The time since the kernel began. How fast the processor's clock runs is found out when this is
/// first called, which may take some hundredths of a second.
#[must_use]
pub fn uptime() -> Duration {
    with(|platform| platform.uptime())
}

/// Does nothing for at least `time`. There are no interrupts to wait for, so the processor spins.
pub fn sleep(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        core::hint::spin_loop();
    }
}
