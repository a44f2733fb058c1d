//! Page faults handled by the program itself: JOS's `pgfault.c`. The upcall, `pfentry.S`, is the machine's (`arch`).

use core::mem;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::inc::{EnvId, Error, PTE_RW, UTrapframe};
use crate::syscall::{sys_env_set_pgfault_upcall, sys_page_alloc};
use crate::{PGSIZE, UXSTACKTOP, arch};

/// A page-fault handler. When it returns, the instruction is tried again.
pub type Handler = unsafe fn(&mut UTrapframe);

/// The handler, or null if there is none.
static HANDLER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Has page faults handled by `handler`. The first time, this gives the program an exception stack.
///
/// # Panics
///
/// If there is no page for that.
///
/// # Safety
///
/// Whatever page fault comes, `handler` leaves a frame by which the program can go on, or does not return; and it changes
/// mappings only as the [system calls](crate::syscall) demand.
pub unsafe fn set_pgfault_handler(handler: Handler) {
    if HANDLER.load(Ordering::Relaxed).is_null() {
        prepare(EnvId::NONE).expect("set_pgfault_handler");
    }
    HANDLER.store(handler as *mut (), Ordering::Relaxed);
}

/// Forgets the handler: this environment is a child that was given neither an exception stack nor an upcall.
pub(crate) fn forget_handler() {
    HANDLER.store(core::ptr::null_mut(), Ordering::Relaxed);
}

/// Gives an environment of this program an exception stack, and its upcall.
pub(crate) fn prepare(id: EnvId) -> Result<(), Error> {
    // SAFETY: the page is kept for the exception stack, which is not in use yet.
    unsafe { sys_page_alloc(id, UXSTACKTOP - PGSIZE, PTE_RW)? };
    // SAFETY: this is an upcall.
    unsafe { sys_env_set_pgfault_upcall(id, upcall()) }
}

/// The address of the upcall.
#[must_use]
pub fn upcall() -> usize {
    arch::pgfault_upcall as *const () as usize
}

/// Calls the handler, for the upcall.
pub(crate) extern "C" fn call_handler(frame: &mut UTrapframe) {
    let handler = HANDLER.load(Ordering::Relaxed);
    assert!(!handler.is_null(), "page fault at {:#x} without a handler", frame.utf_fault_va);
    // SAFETY: what is not null comes from `set_pgfault_handler`.
    let handler = unsafe { mem::transmute::<*mut (), Handler>(handler) };
    // SAFETY: this is a page fault's frame, for which whoever set the handler has given a promise.
    unsafe { handler(frame) };
}
