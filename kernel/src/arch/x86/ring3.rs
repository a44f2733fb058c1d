//! The way to ring 3 and back, and what the stubs of traps need for it.

use core::arch::naked_asm;
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use layout::MemLayout;

use crate::arch::Layout;
use crate::arch::instructions::{pop_registers, push_registers, wide};
use crate::arch::program::Frame;

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
/// They are copied aside, and back when no program runs any more. A second stack would save the copies, but there is no
/// good place for one: the kernel's half has no further stack until there are further processors, and a stack below UTOP
/// is there only while `kern_pgdir` is loaded. In either place the monitor would no longer run on the stack at
/// KSTACKTOP, as JOS's does. The two copies are made once in a program's life, and an address in these words means the
/// same thing before and after.
#[repr(C, align(16))]
struct Kept(UnsafeCell<[u8; Layout::KSTKSIZE as usize]>);

// SAFETY: only `enter` and `leave` access it, on the one processor.
unsafe impl Sync for Kept {}

static KEPT: Kept = Kept(UnsafeCell::new([0; Layout::KSTKSIZE as usize]));

/// The stack pointer of the kernel's code that runs programs.
static KEPT_SP: AtomicUsize = AtomicUsize::new(0);

/// Runs a program with the registers in `frame`. Returns when [`leave`] is called in the handler of a trap; until then
/// the kernel's stack is for traps alone, and the words on it are kept elsewhere.
///
/// # Safety
///
/// Interrupts are off. `frame` is one of a program whose page directory is in use.
pub(crate) unsafe fn run(frame: NonNull<Frame>) {
    FRAME.store(frame.as_ptr(), Ordering::Relaxed);
    // SAFETY: the caller's promise.
    unsafe { enter() };
}

/// Runs the program whose frame is in [`FRAME`].
#[unsafe(naked)]
unsafe extern "C" fn enter() {
    naked_asm!(
        push_registers!(),
        wide!("mov [{KEPT_SP}], " sp),
        wide!("mov " di ", offset {KEPT}"),
        wide!("mov " si ", " sp),
        wide!("mov " cx ", {KSTACKTOP}"),
        wide!("sub " cx ", " sp),
        "rep movsb",
        wide!("mov " ax ", [{FRAME}]"),
        "jmp env_pop_tf",
        KEPT_SP = sym KEPT_SP,
        KEPT = sym KEPT,
        KSTACKTOP = const Layout::KSTACKTOP,
        FRAME = sym FRAME,
    )
}

/// Returns from [`run`].
///
/// # Safety
///
/// `run` waits for this. Nothing on the stack is needed any more.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave() -> ! {
    naked_asm!(
        wide!("mov " sp ", [{KEPT_SP}]"),
        wide!("mov " di ", " sp),
        wide!("mov " si ", offset {KEPT}"),
        wide!("mov " cx ", {KSTACKTOP}"),
        wide!("sub " cx ", " sp),
        "rep movsb",
        pop_registers!(),
        "ret",
        KEPT_SP = sym KEPT_SP,
        KEPT = sym KEPT,
        KSTACKTOP = const Layout::KSTACKTOP,
    )
}
