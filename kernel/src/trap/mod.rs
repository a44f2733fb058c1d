//! Traps: each is offered to whoever listens, and what nobody takes is the end.
//!
//! The machine's stubs bring every exception here, as a [`Trap`]. Listeners are a probe that faulted, an
//! application's areas, and last of all the report of a panic; who they are is not known here. `cause`
//! has what all machines say of a trap, `words` the sentence, `report` all the rest.

pub(crate) mod cause;
pub(crate) mod report;
mod words;

use spin::Once;

use crate::arch::probe;
use crate::arch::trap::{self as machine, Trap};

/// Whoever may take a trap. If it returns true, the interrupted code goes on as the trap's frame says.
pub(crate) type Listener = fn(&mut Trap<'_>) -> bool;

/// Who listens, in the order in which they began to.
static LISTENERS: [Once<Listener>; 4] = [const { Once::new() }; 4];

/// From here on every exception comes to the listeners.
pub(crate) fn init() {
    listen(probe::recover);
    machine::init(offer);
}

/// Offers all traps to `listener` from here on, before those that listen already.
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
