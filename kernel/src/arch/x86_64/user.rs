//! User mode: ring 3.

pub(crate) use super::program::Frame;
pub(crate) use super::ring3::{allow_floats, leave, run};
pub(crate) use crate::arch::x86::floats::{give_floats, lend_floats, take_floats};
pub(crate) use crate::arch::x86::user::{Handler, cause, wants_floats};

use super::syscall;
use crate::arch::x86::user;

/// Whether the machine runs programs.
pub(crate) const RUNS_PROGRAMS: bool = true;

/// Makes `calls` the handler of system calls, and `traps` that of all other traps of programs. Lets them use SYSCALL.
pub(crate) fn init(calls: Handler, traps: Handler) {
    user::init(calls, traps);
    syscall::init();
}
