//! Ring 3, as far as PCs share it: where the registers of the program that runs are kept, the handler of its traps, and
//! the cause of each.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use layout::MemLayout;
use libjos::env::Cause;
use libjos::mem::addr::VirtAddr;

use crate::arch::Layout;
use crate::arch::instructions::Cr2;
use crate::arch::interrupts::{self, IRQ_OFFSET, NLINES};
use crate::arch::program::Frame;
use crate::arch::x86::jos::BREAKPOINT;
use crate::trap::cause::Interrupt;
use libjos::monitor::processor::vector::PAGE_FAULT;

/// The vector of an instruction for floating-point numbers that CR0.TS forbids.
const DEVICE_NOT_AVAILABLE: u64 = 7;

/// A handler of traps of programs, which the stubs call: it gets the program's frame, which holds its registers, and where
/// they were before. Returns the frame to go on with.
pub(crate) type Handler = extern "C" fn(NonNull<Frame>, usize) -> NonNull<Frame>;

/// The handler of system calls, and that of all other traps of programs.
pub(in crate::arch) static CALL_HANDLER: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
pub(in crate::arch) static TRAP_HANDLER: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// The frame of the program that runs. The stubs save its registers there.
pub(in crate::arch) static FRAME: AtomicPtr<Frame> = AtomicPtr::new(ptr::null_mut());

/// The words that the kernel's stack had in use when programs began to run.
///
/// They are copied aside, and back when no program runs any more. On a second stack the kernel's code could stay where
/// it is, but each place for one has a price: the kernel's half has no further stack until there are further
/// processors, below UTOP a stack is there only while `kern_pgdir` is loaded, and in either case what runs at the prompt
/// would no longer be on the stack at KSTACKTOP, where JOS's is. The copy takes place twice in a program's life, and an
/// address in these words means the same thing before and after.
#[repr(C, align(16))]
pub(in crate::arch) struct Kept(UnsafeCell<[u8; Layout::KSTKSIZE as usize]>);

// SAFETY: only `run` and `leave` access it, on the one processor.
unsafe impl Sync for Kept {}

pub(in crate::arch) static KEPT: Kept = Kept(UnsafeCell::new([0; Layout::KSTKSIZE as usize]));

/// Makes `calls` the handler of system calls, and `traps` that of all other traps of programs.
pub(crate) fn init(calls: Handler, traps: Handler) {
    CALL_HANDLER.store(calls as *mut (), Ordering::Relaxed);
    TRAP_HANDLER.store(traps as *mut (), Ordering::Relaxed);
}

/// The cause of a trap that is no system call. An interrupt is acknowledged.
pub(crate) fn cause(frame: &Frame) -> (Cause, Option<Interrupt>) {
    let cause = match frame.as_ref().vector() {
        // Nothing has caused another page fault yet.
        PAGE_FAULT => Cause::PageFault { va: VirtAddr::new(Cr2::read_raw()) },
        BREAKPOINT => Cause::Breakpoint,
        vector @ IRQ_OFFSET.. if vector - IRQ_OFFSET < NLINES => {
            return interrupt(vector - IRQ_OFFSET);
        }
        _ => Cause::Exception,
    };
    (cause, None)
}

/// The cause of an interrupt of the device at `line`.
fn interrupt(line: u64) -> (Cause, Option<Interrupt>) {
    let interrupt = interrupts::acknowledge(line).then(|| interrupts::interrupt(line));
    let cause = match interrupt {
        Some(Interrupt::Timer) => Cause::Timer,
        _ => Cause::Interrupt,
    };
    (cause, interrupt)
}

/// Whether the program has tried to use registers for floating-point numbers that are not its own.
pub(crate) fn wants_floats(frame: &Frame) -> bool {
    frame.as_ref().vector() == DEVICE_NOT_AVAILABLE
}
