//! How fast a counter runs, on machines that stop: a simulated counter and timer chip, and stops of
//! any length between any two accesses. Nothing here is unsafe, so that Miri is spared it.
#![cfg(not(miri))]

use libjos::app::rate::{Reading, rate};
use proptest::prelude::*;

const TIMER_HZ: u64 = 1_193_182;
const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const SECOND: u128 = 1_000_000_000;

/// A counter and a timer chip, both by a time that goes on while nothing runs. All in nanoseconds.
struct Machine<'s> {
    now: u64,
    counter_hz: u64,
    timer_hz: u64,
    /// The time that an access takes.
    access: u64,
    /// Accesses until now.
    accesses: u64,
    /// How long the machine is stopped before an access, by its number and the time.
    stop: &'s dyn Fn(u64, u64) -> u64,
}

impl Machine<'_> {
    fn access(&mut self) -> u64 {
        self.now += (self.stop)(self.accesses, self.now) + self.access;
        self.accesses += 1;
        self.now
    }

    fn counter(&mut self) -> u64 {
        (u128::from(self.access()) * u128::from(self.counter_hz) / SECOND) as u64
    }

    fn timer(&mut self) -> u16 {
        u16::MAX - (u128::from(self.access()) * u128::from(self.timer_hz) / SECOND) as u16
    }

    fn look(&mut self) -> Reading {
        let before = self.counter();
        let count = self.timer();
        Reading { before, count, after: self.counter() }
    }
}

/// The rate that `rate` finds for a counter, and how many accesses that takes.
fn measure(counter_hz: u64, access: u64, stop: &dyn Fn(u64, u64) -> u64) -> (Option<u64>, u64) {
    let mut machine =
        Machine { now: 12_345, counter_hz, timer_hz: TIMER_HZ, access, accesses: 0, stop };
    let measured = rate(TIMER_HZ, || machine.look());
    (measured, machine.accesses)
}

#[track_caller]
fn assert_right(counter_hz: u64, access: u64, stop: &dyn Fn(u64, u64) -> u64) -> u64 {
    let (measured, accesses) = measure(counter_hz, access, stop);
    let measured = measured.expect("the timer counts");
    let wrong = measured.abs_diff(counter_hz) as f64 / counter_hz as f64;
    assert!(wrong < 0.003, "{measured} Hz measured, {counter_hz} Hz are right");
    accesses
}

#[test]
fn a_machine_that_never_stops() {
    for counter_hz in [10_000_000, 1_000_000_000, 2_400_000_123, 9_000_000_000] {
        for access in [50, 500, US, 10 * US] {
            assert_right(counter_hz, access, &|_, _| 0);
        }
    }
}

/// The stops that a shell, a debugger or a busy host makes; 54.9 ms is once round for the timer.
const STOPS: [u64; 8] = [100 * US, MS, 20 * MS, 50 * MS, 54 * MS, 55 * MS, 110 * MS, 3_000 * MS];

#[test]
fn one_stop_anywhere() {
    let accesses = assert_right(3_000_000_000, 10 * US, &|_, _| 0);
    // The simulated machine's divisions of 128 bits take long in 32-bit code.
    let step = if cfg!(target_pointer_width = "32") { 23 } else { 1 };
    for stop in STOPS {
        for at in (0..accesses).step_by(step) {
            assert_right(3_000_000_000, 10 * US, &|access, _| if access == at { stop } else { 0 });
        }
    }
}

#[test]
fn stops_again_and_again() {
    for stop in STOPS {
        for run in [MS, 5 * MS, 17 * MS] {
            for phase in (0..run).step_by(397_003) {
                let period = |now| (now + phase) / run;
                let last = std::cell::Cell::new(period(0));
                // A stop is time that passes: what runs is counted without it.
                let stopped = std::cell::Cell::new(0);
                assert_right(3_000_000_000, 2 * US, &|_, now| {
                    let current = period(now - stopped.get());
                    if last.replace(current) == current {
                        return 0;
                    }
                    stopped.set(stopped.get() + stop);
                    stop
                });
            }
        }
    }
}

proptest! {
    #[test]
    fn any_stops(stops in prop::collection::btree_map(0..30_000_u64, 1..200 * MS, 0..40)) {
        assert_right(2_000_000_000, US, &|access, _| stops.get(&access).copied().unwrap_or(0));
    }
}

#[test]
fn no_timer() {
    let mut accesses = 0;
    let mut look = |count| {
        accesses += 1;
        Reading { before: accesses, count, after: accesses }
    };
    assert_eq!(rate(TIMER_HZ, || look(u16::MAX)), None);
    // One that counts once, and then no more.
    let mut counts = [3, 3, 2].into_iter();
    assert_eq!(rate(TIMER_HZ, || look(counts.next().unwrap_or(2))), None);
    assert!(accesses < 2_000_000, "{accesses} readings");
}

/// A counter that goes on by 100 from one tick of the timer to the next, and readings at each tick, each of which
/// takes `width` counts. Before the reading with the number `gap` the counter runs on by 50,000. Returns the rate
/// that is found, in counts per tick, and how many measurements were made.
fn by_ticks(width: u64, gap: Option<u64>) -> (Option<u64>, u64) {
    /// Ticks of a measurement, which takes a hundredth of a second.
    const TICKS: u64 = 1000;
    let mut readings = 0;
    let measured = rate(100 * TICKS, || {
        let stopped = if gap.is_some_and(|gap| readings >= gap) { 50_000 } else { 0 };
        let before = 100 * readings + stopped;
        let reading =
            Reading { before, count: 0_u16.wrapping_sub(readings as u16), after: before + width };
        readings += 1;
        reading
    });
    // About a hundred readings come before the first measurement.
    (measured.map(|rate| rate / (100 * TICKS)), readings / TICKS)
}

/// A measurement of 100,000 counts is exact if less than 100 of them are uncertain: those of a reading at each end of
/// each row of near readings.
#[test]
fn the_first_exact_measurement_is_the_last() {
    assert_eq!(by_ticks(49, None), (Some(100), 1));
    assert_eq!(by_ticks(50, None), (Some(100), 5), "none is exact");
    // With a gap in it, two rows are measured.
    assert_eq!(by_ticks(24, Some(500)), (Some(100), 1));
    assert_eq!(by_ticks(25, Some(500)), (Some(100), 2));
}

#[test]
fn a_counter_that_stands_still() {
    let mut count = 0_u16;
    let stands = || {
        count = count.wrapping_sub(1);
        Reading { before: 7, count, after: 7 }
    };
    assert_eq!(rate(TIMER_HZ, stands), None);
}
