//! User mode: ring 3.

pub(crate) use super::program::Frame;
pub(crate) use super::ring3::{allow_floats, leave, run};
pub(crate) use crate::arch::x86::floats::{give_floats, lend_floats, take_floats};
pub(crate) use crate::arch::x86::user::{cause, init, wants_floats};

/// Whether the machine runs programs.
pub(crate) const RUNS_PROGRAMS: bool = true;
