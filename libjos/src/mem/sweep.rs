//! [`sweep`]: the addresses that are in some ranges and in none of some others, run by run. The
//! ranges may be any number, in any order.
//!
//! A loader's list may have thousands of entries, which make few runs in the end or many, and there
//! is no memory yet to sort them in. So each pass over the list finds the lowest runs that are left,
//! as many as a [`RangeSet`] holds. A full set gives up its highest run. From that run's start on the
//! pass is no longer exact, so there the next one begins. All runs are exact to the byte.

use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::range_set::RangeSet;

/// Runs that a pass can hold.
const WORKING_RUNS: usize = 64;
/// The most ranges that all passes together look at, which takes some seconds on a slow machine.
/// Every run of a pass begins where some range begins or ends, so a list of n ranges takes n * n / 62
/// looks at most. This is enough for any list of 32,000.
const MOST_LOOKS: usize = 1 << 24;

/// Calls `found` with each run of `within` that lies in `wanted` and nowhere in `unwanted`, from the
/// lowest up; no two of them touch.
///
/// Returns the end of the part that was swept. This is the end of `within`, unless a list is so long
/// that the rest would take for ever.
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
    // The last run found, which may go on in the next pass.
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

/// The lowest runs of `within`, and the address up to which there are no others.
fn lowest_runs(
    mut within: PhysRange,
    wanted: impl Iterator<Item = PhysRange>,
    unwanted: impl Iterator<Item = PhysRange>,
) -> (RangeSet<WORKING_RUNS>, PhysAddr) {
    let mut runs = RangeSet::default();
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

#[cfg(all(test, not(miri)))]
mod tests;
