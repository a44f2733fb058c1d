//! Traps: each is offered to the listeners in turn, the last of which reports a panic.
//!
//! The machine's stubs deliver every exception and interrupt here, as a [`Trap`]. The listeners are the application's
//! areas, interrupts, the probes, and last the panic; this module does not know them by name. `cause` has the
//! facts of a trap that all machines share, `words` its one-sentence description, `report` the full
//! report.

pub(crate) mod cause;
pub(crate) mod report;
mod words;

use spin::Once;

use crate::arch::probe;
use crate::arch::trap::{self as machine, Trap};

/// A function that may take a trap. If it returns true, the interrupted code continues with the
/// registers in the trap's frame.
pub(crate) type Listener = fn(&mut Trap<'_>) -> bool;

/// The listeners, in the order in which they were added.
static LISTENERS: [Once<Listener>; 4] = [const { Once::new() }; 4];

/// Starts the delivery of every exception to the listeners.
pub(crate) fn init() {
    listen(probe::recover);
    machine::init(offer);
}

/// Adds a listener, which is offered each trap before the earlier ones.
///
/// # Panics
///
/// If there is no room for another.
pub(crate) fn listen(listener: Listener) {
    let free = LISTENERS.iter().find(|listener| !listener.is_completed());
    free.expect("there is room for another listener").call_once(|| listener);
}

/// Offers `trap` to the listeners, the latest first, until one takes it.
fn offer(trap: &mut Trap<'_>) {
    let mut listeners = LISTENERS.iter().rev().filter_map(Once::get);
    if !listeners.any(|listener| listener(trap)) {
        panic!("nobody listens to traps");
    }
}

#[cfg(test)]
mod tests;
