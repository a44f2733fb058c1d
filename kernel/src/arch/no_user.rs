//! User mode of a machine that runs no programs.

use core::ptr::NonNull;

use libjos::env::Cause;
use libjos::env::abi::EnvId;
use libjos::env::frame::TrapFrame as _;
use libjos::mem::addr::VirtAddr;

pub(crate) use super::machine::program::Frame;

/// Whether there are programs for this machine. (For the host's there are, so that its tests see the monitor's words.)
pub(crate) const RUNS_PROGRAMS: bool = Frame::ELF_MACHINE != 0;

/// A handler of traps of programs.
pub(crate) type Handler = extern "C" fn(NonNull<Frame>, usize) -> NonNull<Frame>;

pub(crate) fn init(_calls: Handler, _traps: Handler) {}

/// Runs nothing.
///
/// # Safety
///
/// None is needed here.
pub(crate) unsafe fn run(_frame: NonNull<Frame>) {}

/// Is never called.
///
/// # Safety
///
/// None is needed here.
pub(crate) unsafe fn leave() -> ! {
    unreachable!("no program runs")
}

pub(crate) fn cause(_frame: &Frame) -> Cause {
    Cause::Exception
}

pub(crate) fn allow_floats(_allowed: bool) {}

pub(crate) fn wants_floats(_frame: &Frame) -> bool {
    false
}

pub(crate) fn give_floats(_id: EnvId, _page: VirtAddr, _new: bool) {}

pub(crate) fn lend_floats(_id: EnvId, _has_page: bool) {}

pub(crate) fn take_floats(_page_of: impl FnOnce(EnvId) -> Option<VirtAddr>) {}
