//! Traps of the simulated processor.

use std::sync::Mutex;

use libjos::sim::mmu::Exception;

use super::ports::pc;
use super::process::{self, SHUT_DOWN};
pub(crate) use crate::arch::x86_64::trap::{Trap, TrapFrame};

/// The program counter in the code that runs, which is no probe.
pub(crate) const CODE: u64 = 0xFFFF_FFFF_F010_0200;
/// The flags: the constant 1, and nothing else.
const FLAGS: u64 = 2;

static HANDLER: Mutex<Option<fn(&mut Trap<'_>)>> = Mutex::new(None);

pub(crate) fn init(handler: fn(&mut Trap<'_>)) {
    *HANDLER.lock().expect("no test panicked with it") = Some(handler);
    crate::arch::x86::trap::machine_check::init();
}

/// Raises an exception of the instruction at `rip`, which accesses `va`, and returns the registers after
/// it. Without a handler the processor shuts down.
pub(super) fn raise(exception: Exception, rip: u64, va: u64) -> TrapFrame {
    let (vector, error) = match exception {
        Exception::GeneralProtection => (13, 0),
        Exception::PageFault(error) => (14, error.into()),
        Exception::Cause(_) => unreachable!("a PC has vectors"),
    };
    deliver(TrapFrame { vector, error, rcx: va, ..frame(rip) })
}

/// The registers of the code that runs.
pub(super) fn frame(rip: u64) -> TrapFrame {
    let (rsp, rbp) = {
        let processor = &pc().processor;
        (processor.rsp, processor.rbp)
    };
    TrapFrame { rip, rsp, rbp, cs: 8, ss: 16, rflags: FLAGS, ..TrapFrame::default() }
}

/// Delivers an exception.
pub(crate) fn deliver(mut frame: TrapFrame) -> TrapFrame {
    let handler = *HANDLER.lock().expect("no test panicked with it");
    let Some(handler) = handler else { process::end(SHUT_DOWN) };
    let cr2 = pc().processor.control.cr2;
    handler(&mut Trap { frame: &mut frame, cr2 });
    frame
}

/// Calls `work` with a trap of this vector and error code; the latest page fault was at `va`.
#[cfg(test)]
pub(crate) fn with<R>(
    vector: u64,
    error: u64,
    va: u64,
    work: impl FnOnce(&mut Trap<'_>) -> R,
) -> R {
    let mut frame = TrapFrame { vector, error, ..frame(CODE) };
    work(&mut Trap { frame: &mut frame, cr2: va })
}

/// The error code of a trap.
#[cfg(test)]
pub(crate) fn error_code(trap: &Trap<'_>) -> u64 {
    trap.frame.error
}
