//! The rate of a counter ([`rate()`]), measured against a timer whose rate is known.
//!
//! A machine may be stopped between two instructions for longer than the timer takes to wrap: by
//! Ctrl-Z in the shell of QEMU, or by a busy host. So a measurement adds up only the times between
//! readings that are near each other. The caller does the reading; nothing here touches hardware.

/// Readings that tell how far apart neighbours usually are.
const USUAL_READINGS: usize = 100;
/// Neighbours that are this many times as far apart as usual are not near.
const FAR: u64 = 16;
/// One measurement takes this part of a second.
const PARTS: u64 = 100;
/// The number of measurements, at most. The first exact one ends them.
const TRIES: usize = 5;
/// An exact measurement is uncertain by less than this part of it.
const EXACT: u64 = 1_000;
/// Readings until the timer begins to count, at most.
const PATIENCE_BEGIN: usize = 10_000;
/// Readings for all measurements, at most.
const PATIENCE: usize = 1_000_000;

/// One reading of the timer, between two of the counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The counter's value just before.
    pub before: u64,
    /// The timer's count, which goes down and wraps.
    pub count: u16,
    /// The counter's value just after.
    pub after: u64,
}

impl Reading {
    /// The counter's progress during the reading.
    fn width(&self) -> u64 {
        self.after.wrapping_sub(self.before)
    }

    /// The counter's progress from the beginning of `earlier` to the end of this reading.
    fn reach(&self, earlier: &Self) -> u64 {
        self.after.wrapping_sub(earlier.before)
    }
}

/// One measurement: the sum over neighbouring readings that are near each other.
#[derive(Clone, Copy, Default)]
struct Sample {
    /// The timer's progress.
    ticks: u64,
    /// The counter's progress.
    counts: u64,
    /// The possible error of `counts`: a reading's width at both ends of each row of near readings.
    uncertain: u64,
}

impl Sample {
    /// Reads until the timer has counted `ticks`. `None` if the readings run out.
    fn take(readings: &mut impl Iterator<Item = Reading>, near: u64, ticks: u64) -> Option<Self> {
        let mut last = readings.next()?;
        let mut sample = Self { uncertain: last.width(), ..Self::default() };
        while sample.ticks < ticks {
            let now = readings.next()?;
            if now.reach(&last) <= near {
                sample.ticks += u64::from(last.count.wrapping_sub(now.count));
                sample.counts += now.before.wrapping_sub(last.before);
            } else {
                sample.uncertain += last.width() + now.width();
            }
            last = now;
        }
        sample.uncertain += last.width();
        Some(sample)
    }

    fn is_exact(&self) -> bool {
        self.uncertain < self.counts / EXACT
    }
}

/// Measures the counter's rate in counts per second. `read` reads it and a timer that counts `timer_hz`
/// times a second and has just been set. `None` if the timer does not count.
///
/// A measurement takes a hundredth of a second. There are up to five until one is exact; otherwise the
/// least uncertain one is taken.
pub fn rate(timer_hz: u64, mut read: impl FnMut() -> Reading) -> Option<u64> {
    // Until the timer's clock ticks, its count may be older than the setting.
    let set = read();
    (0..PATIENCE_BEGIN).map(|_| read()).find(|now| now.count != set.count)?;

    let mut readings = (0..PATIENCE).map(|_| read());
    let mut last = readings.next()?;
    let reaches = readings.by_ref().take(USUAL_READINGS).map(|now| {
        let reach = now.reach(&last);
        last = now;
        reach
    });
    let near = reaches.min()?.saturating_mul(FAR);

    // A reading that took long says nothing.
    let mut readings = readings.filter(|now| now.width() <= near);
    let mut best: Option<Sample> = None;
    for _ in 0..TRIES {
        let Some(sample) = Sample::take(&mut readings, near, timer_hz / PARTS) else { break };
        if best.is_none_or(|best| sample.uncertain < best.uncertain) {
            best = Some(sample);
        }
        if sample.is_exact() {
            break;
        }
    }
    let Sample { ticks, counts, .. } = best?;
    let rate = u128::from(counts) * u128::from(timer_hz) / u128::from(ticks);
    u64::try_from(rate).ok().filter(|rate| *rate > 0)
}
