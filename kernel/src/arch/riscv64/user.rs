//! No user mode yet: this machine runs no programs.

use core::fmt;
use core::ptr::NonNull;

use libjos::env::Cause;
use libjos::env::abi::{EnvId, UTrapframe};
use libjos::env::frame::TrapFrame;
use libjos::mem::addr::VirtAddr;

use crate::trap::cause::Interrupt;

/// Whether the machine runs programs.
pub(crate) const RUNS_PROGRAMS: bool = false;

/// The registers of a program: the program counter and the stack pointer alone.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Frame {
    pc: u64,
    sp: u64,
}

/// A handler of traps of programs.
pub(crate) type Handler = extern "C" fn(NonNull<Frame>, usize) -> NonNull<Frame>;

// SAFETY: a frame is integers.
unsafe impl TrapFrame for Frame {
    type Word = u64;
    /// No program is for this machine.
    const ELF_MACHINE: u16 = 0;
    type UTrapframe = UTrapframe<0, u64>;

    fn user(entry: VirtAddr, stack: VirtAddr) -> Self {
        Self { pc: entry.as_u64(), sp: stack.as_u64() }
    }

    fn number(&self) -> u64 {
        u64::MAX
    }

    fn argument(&self, _n: usize) -> u64 {
        0
    }

    fn set_result(&mut self, _result: i64) {}

    fn pc(&self) -> VirtAddr {
        VirtAddr::new(self.pc)
    }

    fn sp(&self) -> VirtAddr {
        VirtAddr::new(self.sp)
    }

    fn redirect(&mut self, pc: VirtAddr, sp: VirtAddr) {
        *self = Self::user(pc, sp);
    }

    fn utrapframe(&self, fault_va: VirtAddr) -> Self::UTrapframe {
        UTrapframe {
            utf_fault_va: fault_va.as_u64(),
            utf_err: 0,
            utf_regs: [],
            utf_eip: self.pc,
            utf_eflags: 0,
            utf_esp: self.sp,
        }
    }
}

impl Frame {
    pub(crate) fn step(&mut self, _on: bool) {}

    pub(crate) fn is_step(&self) -> bool {
        false
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  pc   {:#018x}\n  sp   {:#018x}", self.pc, self.sp)
    }
}

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

pub(crate) fn cause(_frame: &Frame) -> (Cause, Option<Interrupt>) {
    (Cause::Exception, None)
}

pub(crate) fn allow_floats(_allowed: bool) {}

pub(crate) fn wants_floats(_frame: &Frame) -> bool {
    false
}

pub(crate) fn give_floats(_id: EnvId, _page: VirtAddr, _new: bool) {}

pub(crate) fn lend_floats(_id: EnvId) {}

pub(crate) fn take_floats(_page_of: impl FnOnce(EnvId) -> Option<VirtAddr>) {}
