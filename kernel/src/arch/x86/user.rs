//! Ring 3, as far as PCs share it: the handler of its traps, and the cause of each.

use core::ptr::NonNull;

use layout::MemLayout;
use libjos::env::Cause;
use libjos::mem::addr::VirtAddr;
use spin::Once;

use crate::arch::Layout;
use crate::arch::instructions::Cr2;
use crate::arch::interrupts::{self, IRQ_OFFSET, NLINES};
use crate::arch::program::Frame;
use crate::arch::x86::jos::{BREAKPOINT, SYSCALL};
use crate::trap::cause::Interrupt;
use libjos::monitor::processor::vector::PAGE_FAULT;

/// The vector of an instruction for floating-point numbers that CR0.TS forbids.
const DEVICE_NOT_AVAILABLE: u64 = 7;

/// A handler of traps of programs: gets the registers where the processor has left them, and the cause. Returns the
/// frame to go on with.
pub(crate) type Handler = fn(&mut Frame, (Cause, Option<Interrupt>)) -> NonNull<Frame>;

/// The handler of all traps of programs.
static HANDLER: Once<Handler> = Once::new();

/// The words that the kernel's stack had in use when programs began to run.
#[repr(C, align(16))]
pub(in crate::arch) struct Kept(core::cell::UnsafeCell<[u8; Layout::KSTKSIZE as usize]>);

// SAFETY: only `user_run` and `user_leave` access it, on the one processor.
unsafe impl Sync for Kept {}

pub(in crate::arch) static KEPT: Kept =
    Kept(core::cell::UnsafeCell::new([0; Layout::KSTKSIZE as usize]));

/// Makes `handler` the handler of all traps of programs.
pub(crate) fn init(handler: Handler) {
    HANDLER.call_once(|| handler);
}

/// Passes a trap of a program to the handler; the stub calls this. Returns the frame that is loaded next.
pub(in crate::arch) extern "C" fn user_trap(frame: &mut Frame) -> NonNull<Frame> {
    // First, since the handler may cause page faults.
    let va = VirtAddr::new(Cr2::read_raw());
    let cause = cause(frame.as_ref().vector(), va);
    let handler = HANDLER.get().expect("no program runs before it is known");
    handler(frame, cause)
}

/// The cause of a trap.
fn cause(vector: u64, va: VirtAddr) -> (Cause, Option<Interrupt>) {
    let cause = match vector {
        SYSCALL => Cause::Syscall,
        PAGE_FAULT => Cause::PageFault { va },
        BREAKPOINT => Cause::Breakpoint,
        IRQ_OFFSET.. if vector - IRQ_OFFSET < NLINES => {
            let line = vector - IRQ_OFFSET;
            let interrupt = interrupts::acknowledge(line).then(|| interrupts::interrupt(line));
            let cause = match interrupt {
                Some(Interrupt::Timer) => Cause::Timer,
                _ => Cause::Interrupt,
            };
            return (cause, interrupt);
        }
        _ => Cause::Exception,
    };
    (cause, None)
}

/// Whether the program has tried to use registers for floating-point numbers that are not its own.
pub(crate) fn wants_floats(frame: &Frame) -> bool {
    frame.as_ref().vector() == DEVICE_NOT_AVAILABLE
}
