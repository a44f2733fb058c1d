//! [`sweep`]: all of some ranges that none of some others covers, run by run, however many they are
//! and in whatever order.
//!
//! A loader's list may have thousands of entries, which make few runs in the end or many, and nothing
//! to sort them in has been allocated yet. So they are passed over again and again. Each pass finds
//! the lowest runs of what is left, as many as a [`RangeSet`] holds: when it is full, it gives up its
//! highest run, and from that run's start on the pass is no longer exact, which is where the next
//! one begins. Everything here is exact to the byte.

use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::range_set::RangeSet;

/// Runs that one pass works with.
const WORKING_RUNS: usize = 64;
/// Ranges that are looked at in all passes together, some seconds on a slow machine. Every run of a
/// pass begins where some range begins or ends, so a list of n ranges takes n * n / 62 looks at most:
/// this is enough for any list of 32,000.
const MOST_LOOKS: usize = 1 << 24;

/// Calls `found` with each run of `within` that lies in `wanted` and nowhere in `unwanted`, from the
/// lowest up; no two of them touch.
///
/// Returns up to where that has been done: the end of `within`, except where a list is so long
/// that this would take for ever. It is done in part then, from the bottom up.
pub(crate) fn sweep<W, U>(
    within: PhysRange,
    wanted: W,
    unwanted: U,
    mut found: impl FnMut(PhysRange),
) -> PhysAddr
where
    W: Iterator<Item = PhysRange> + Clone,
    U: Iterator<Item = PhysRange> + Clone,
{
    let ranges = wanted.clone().count() + unwanted.clone().count();
    let mut passes = (MOST_LOOKS / ranges.max(1)).max(1);
    let mut rest = within;
    // The last run, which the next pass may find to go on.
    let mut open = PhysRange::default();
    while !rest.is_empty() && passes > 0 {
        let (runs, end) = lowest_runs(rest, wanted.clone(), unwanted.clone());
        for &run in runs.runs() {
            if run.start == open.end_exclusive {
                open.end_exclusive = run.end_exclusive;
            } else {
                Some(open).filter(|open| !open.is_empty()).map(&mut found);
                open = run;
            }
        }
        rest.start = end;
        passes -= 1;
    }
    Some(open).filter(|open| !open.is_empty()).map(&mut found);
    rest.start
}

/// The lowest runs of `within`, and up to where these are all.
fn lowest_runs(
    mut within: PhysRange,
    wanted: impl Iterator<Item = PhysRange>,
    unwanted: impl Iterator<Item = PhysRange>,
) -> (RangeSet<WORKING_RUNS>, PhysAddr) {
    let mut runs = RangeSet::new();
    // Each turn gives up a run, and an empty set has room.
    let give_up = |within: &mut PhysRange, runs: &mut RangeSet<WORKING_RUNS>| {
        if let Some(highest) = runs.pop() {
            within.end_exclusive = highest.start;
        }
    };
    for range in wanted {
        while runs.insert(range.intersection(&within)).is_err() {
            give_up(&mut within, &mut runs);
        }
    }
    for range in unwanted {
        while runs.remove(range.intersection(&within)).is_err() {
            give_up(&mut within, &mut runs);
        }
    }
    (runs, within.end_exclusive)
}
