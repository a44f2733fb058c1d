//! User mode: ring 3. The handlers of its traps, and the cause of each.

use core::sync::atomic::Ordering;

use libjos::env::Cause;
use libjos::mem::addr::VirtAddr;
use monitor::processor::vector::{DOUBLE_FAULT, MACHINE_CHECK, NMI, PAGE_FAULT};

use crate::arch::instructions::Cr2;
use crate::arch::interrupts::{self, IRQ_OFFSET, NLINES};
use crate::arch::syscall;
use crate::arch::x86::jos::BREAKPOINT;
use crate::arch::x86::ring3::{CALL_HANDLER, Handler, TRAP_HANDLER};
use crate::arch::x86::sysenter::forbid_sysenter;
use crate::arch::x86::trap::stubs::trap;
use crate::trap::cause::Interrupt;

pub(crate) use crate::arch::floats::allow_floats;
pub(crate) use crate::arch::program::Frame;
pub(crate) use crate::arch::x86::floats::{give_floats, lend_floats, take_floats};
pub(crate) use crate::arch::x86::ring3::{leave, run};

/// Whether the machine runs programs.
pub(crate) const RUNS_PROGRAMS: bool = true;

/// The vector of an instruction for floating-point numbers that CR0.TS forbids.
const DEVICE_NOT_AVAILABLE: u64 = 7;

/// Makes `calls` the handler of system calls, and `traps` that of all other traps of programs.
pub(crate) fn init(calls: Handler, traps: Handler) {
    CALL_HANDLER.store(calls as *mut (), Ordering::Relaxed);
    TRAP_HANDLER.store(traps as *mut (), Ordering::Relaxed);
    syscall::init();
    forbid_sysenter();
}

/// The cause of a trap that is no system call. An interrupt is acknowledged. A double fault, an NMI and a machine check,
/// which are no program's fault, are reported as in the kernel, and are the end. (On i386 they are tasks, and do not come
/// here.)
pub(crate) fn cause(frame: &Frame) -> Cause {
    match frame.as_ref().vector() {
        // Nothing has caused another page fault yet.
        PAGE_FAULT => Cause::PageFault { va: VirtAddr::new(Cr2::read_raw()) },
        BREAKPOINT => Cause::Breakpoint,
        vector @ (DOUBLE_FAULT | NMI | MACHINE_CHECK) => {
            trap(&mut { frame.trap });
            unreachable!("nobody goes on after vector {vector}")
        }
        vector @ IRQ_OFFSET.. if vector - IRQ_OFFSET < NLINES => interrupt(vector - IRQ_OFFSET),
        _ => Cause::Exception,
    }
}

/// The cause of an interrupt of the device at `line`.
fn interrupt(line: u64) -> Cause {
    let is_timer = interrupts::acknowledge(line) && interrupts::interrupt(line) == Interrupt::Timer;
    if is_timer { Cause::Timer } else { Cause::Interrupt }
}

/// Whether the program has tried to use registers for floating-point numbers that are not its own.
pub(crate) fn wants_floats(frame: &Frame) -> bool {
    frame.as_ref().vector() == DEVICE_NOT_AVAILABLE
}
