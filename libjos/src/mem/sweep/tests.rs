//! Tests of the passes of `sweep`: how many there are, and runs that more than one of them find.

use super::*;
use core::cell::Cell;
use std::vec::Vec;

fn range(start: u64, end: u64) -> PhysRange {
    PhysRange::new(PhysAddr::new(start), PhysAddr::new(end))
}

/// `n` ranges of one byte from `first` on, every second address.
fn apart(first: u64, n: u64) -> impl Iterator<Item = PhysRange> + Clone {
    (0..n).map(move |i| range(first + 2 * i, first + 2 * i + 1))
}

/// The runs that `sweep` finds below 2^32, and where it ended.
fn swept(
    wanted: impl Iterator<Item = PhysRange> + Clone,
    unwanted: impl Iterator<Item = PhysRange> + Clone,
) -> (Vec<PhysRange>, u64) {
    let mut runs = Vec::new();
    let end = sweep(range(0, 1 << 32), wanted, unwanted, |run| runs.push(run));
    (runs, end.as_u64())
}

#[test]
fn a_short_list_takes_one_pass() {
    let looks = Cell::new(0);
    let wanted = [range(8, 9), range(0, 2), range(1, 4)];
    let counted = wanted.iter().copied().inspect(|_| looks.set(looks.get() + 1));
    let (runs, end) = swept(counted, [range(2, 3)].into_iter());
    assert_eq!(runs, [range(0, 2), range(3, 4), range(8, 9)]);
    assert_eq!(end, 1 << 32);
    // Once to count them, and once for the pass.
    assert_eq!(looks.get(), 2 * wanted.len());
}

#[test]
fn an_empty_list_has_no_runs() {
    assert_eq!(swept(apart(0, 0), apart(0, 0)), (Vec::new(), 1 << 32));
    assert_eq!(swept(apart(0, 0), apart(0, 9)), (Vec::new(), 1 << 32));
}

#[test]
fn more_runs_than_a_pass_holds_are_all_found() {
    let n = 5 * WORKING_RUNS as u64 + 1;
    let (runs, end) = swept(apart(0, n), apart(1, n));
    assert!(runs.into_iter().eq(apart(0, n)));
    assert_eq!(end, 1 << 32);
}

#[test]
fn a_run_over_the_border_of_two_passes_is_one() {
    let n = 3 * WORKING_RUNS as u64;
    // The range that joins all others comes last, when the pass has given up the higher ones.
    let (runs, _) = swept(apart(0, n).chain([range(0, 2 * n)]), apart(0, 0));
    assert_eq!(runs, [range(0, 2 * n)]);
}

#[test]
fn a_list_that_would_take_for_ever_is_swept_in_part() {
    let n = 1 << 15;
    let passes = MOST_LOOKS as u64 / (2 * n);
    let (runs, end) = swept(apart(0, n), apart(1 << 31, n));
    // A pass gives up its highest run when it has no room for another, and ends where that began.
    let found = passes * (WORKING_RUNS as u64 - 1);
    assert_eq!(end, 2 * found);
    assert!(runs.into_iter().eq(apart(0, found)));
}

#[test]
fn the_longest_list_is_looked_at_once() {
    let beyond = apart(1 << 40, MOST_LOOKS as u64 + 1);
    assert_eq!(swept(beyond.chain([range(1, 2)]), apart(0, 0)), ([range(1, 2)].into(), 1 << 32));
}
