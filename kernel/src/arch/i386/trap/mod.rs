//! Traps: stubs in assembly pass each one as a [`Trap`] to the handler.
//!
//! `stubs` push a [`TrapFrame`] and call the handler; `segments` has the GDT and the IDT. `x86::trap` has the
//! stubs' beginning, turns machine checks on, and describes a trap in the processor's terms. Double
//! fault, NMI and machine check run as tasks, on stacks of their own, since the interrupted stack may be unusable.

mod segments;
mod stubs;

pub(crate) use crate::arch::i386::frame::TrapFrame;
pub(crate) use crate::arch::x86::trap::Trap;
use crate::arch::x86::trap::machine_check;
use crate::arch::x86::trap::stubs::{HANDLER, Handler};

/// Loads GDT, TSS and IDT. From here on every exception calls `handler`, machine checks included.
pub(crate) fn init(handler: Handler) {
    HANDLER.call_once(|| handler);
    segments::init();
    machine_check::init();
}
