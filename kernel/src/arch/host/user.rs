//! No user mode: the simulated PC runs no programs.

use core::ptr::NonNull;

use libjos::env::Cause;

use crate::trap::cause::Interrupt;

pub(crate) use crate::arch::x86::floats::{give_floats, lend_floats, take_floats};
pub(crate) use crate::arch::x86_64::program::Frame;

/// Whether the machine runs programs. (This one says so, for the tests of the monitor's words.)
pub(crate) const RUNS_PROGRAMS: bool = true;

/// A handler of traps of programs.
pub(crate) type Handler = extern "C" fn(NonNull<Frame>, usize) -> NonNull<Frame>;

pub(crate) fn init(_calls: Handler, _traps: Handler) {}

/// # Safety
///
/// None is needed here.
pub(crate) unsafe fn run(_frame: NonNull<Frame>) {}

/// # Safety
///
/// None is needed here.
pub(crate) unsafe fn leave() -> ! {
    unreachable!("no program runs")
}

pub(crate) fn cause(_frame: &Frame) -> (Cause, Option<Interrupt>) {
    (Cause::Exception, None)
}

pub(crate) fn allow_floats(_allowed: bool) {}

pub(crate) fn wants_floats(_frame: &Frame) -> bool {
    false
}
