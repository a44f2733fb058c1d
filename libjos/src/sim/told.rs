//! The calls that tell a simulated processor of changed page tables, by their places in the sources, so that a test can
//! leave one out: the fence or flush there should be missed.

use core::cell::Cell;
use core::panic::Location;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::thread_local;

/// A call's place: the file, as the compiler names it, and the line.
pub type Place = (&'static str, u32);

thread_local! {
    static LEFT_OUT: Cell<Option<Place>> = const { Cell::new(None) };
    static CALLED: RefCell<BTreeSet<Place>> = const { RefCell::new(BTreeSet::new()) };
}

/// Leaves the calls at `place` out, on all simulated machines of this thread; or none.
pub fn leave_out(place: Option<Place>) {
    LEFT_OUT.set(place);
}

/// The places of all calls that this thread has made.
#[must_use]
pub fn called() -> BTreeSet<Place> {
    CALLED.with_borrow(BTreeSet::clone)
}

/// Whether the call of the function that calls this one counts.
#[track_caller]
pub(super) fn counts() -> bool {
    let caller = Location::caller();
    let place = (caller.file(), caller.line());
    CALLED.with_borrow_mut(|called| called.insert(place));
    LEFT_OUT.get() != Some(place)
}
