//! How fast a counter runs: [`rate()`], from looks at it and at a timer chip whose rate is known.
//!
//! Whatever runs the machine may stop it between two instructions, for longer than the timer takes
//! to come round: QEMU in a shell's Ctrl-Z, a host with more to do. So only what goes by between
//! looks that are near each other counts. Nothing here asks hardware: the looks are the caller's.

/// Looks that tell how far from each other looks usually are.
const USUAL_LOOKS: usize = 100;
/// Looks so many times farther from each other than usual are far apart.
const FAR: u64 = 16;
/// One measurement takes this part of a second.
const PARTS: u64 = 100;
/// Measurements, until one is exact: uncertain by less than one part in so many.
const TRIES: usize = 5;
const EXACT: u64 = 1_000;
/// Looks in which the timer must begin to count, and in which all must be done.
const PATIENCE_BEGIN: usize = 10_000;
const PATIENCE: usize = 1_000_000;

/// A look at the timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// The counter's value just before.
    pub before: u64,
    /// The timer's count, which goes down and round.
    pub count: u16,
    /// The counter's value just after.
    pub after: u64,
}

impl Look {
    /// Counts of the counter in which the timer's count was true at some moment.
    fn width(&self) -> u64 {
        self.after.wrapping_sub(self.before)
    }

    /// Counts of the counter from before `earlier` to after this look.
    fn reach(&self, earlier: &Self) -> u64 {
        self.after.wrapping_sub(earlier.before)
    }
}

/// One measurement: what went by between neighbouring looks that are near each other.
#[derive(Clone, Copy, Default)]
struct Sample {
    /// By the timer.
    ticks: u64,
    /// By the counter.
    counts: u64,
    /// How many `counts` may be wrong: at both ends of each row of near looks, a look's width.
    uncertain: u64,
}

impl Sample {
    /// Looks until the timer has come `ticks` far; `None` where the looks run out.
    fn take(looks: &mut impl Iterator<Item = Look>, near: u64, ticks: u64) -> Option<Self> {
        let mut last = looks.next()?;
        let mut sample = Self { uncertain: last.width(), ..Self::default() };
        while sample.ticks < ticks {
            let look = looks.next()?;
            if look.reach(&last) <= near {
                sample.ticks += u64::from(last.count.wrapping_sub(look.count));
                sample.counts += look.before.wrapping_sub(last.before);
            } else {
                sample.uncertain += last.width() + look.width();
            }
            last = look;
        }
        sample.uncertain += last.width();
        Some(sample)
    }

    fn is_exact(&self) -> bool {
        self.uncertain < self.counts / EXACT
    }
}

/// How far the counter comes in a second, by `look`s at it and at a timer that counts `timer_hz`
/// times a second and has just been set. `None` where the timer does not count.
///
/// It takes a hundredth of a second; up to five if the measurement is not exact, and then the least
/// uncertain one counts.
pub fn rate(timer_hz: u64, mut look: impl FnMut() -> Look) -> Option<u64> {
    // The first count may be older than the one that was set, until the timer's clock has ticked.
    let set = look();
    (0..PATIENCE_BEGIN).map(|_| look()).find(|look| look.count != set.count)?;

    let mut looks = (0..PATIENCE).map(|_| look());
    let mut last = looks.next()?;
    let reaches = looks.by_ref().take(USUAL_LOOKS).map(|look| {
        let reach = look.reach(&last);
        last = look;
        reach
    });
    let near = reaches.min()?.saturating_mul(FAR);

    // A look that took long says nothing.
    let mut looks = looks.filter(|look| look.width() <= near);
    let mut best: Option<Sample> = None;
    for _ in 0..TRIES {
        let Some(sample) = Sample::take(&mut looks, near, timer_hz / PARTS) else { break };
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
