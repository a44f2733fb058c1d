//! The one memory system of this machine, behind its lock.
//!
//! Whoever has it can unmap a live `Vec`, or store to where a `&'static str` lies. So it is the
//! kernel's own: an application asks `libjos::app` for pages, which gives it areas where no object of
//! Rust's lies, or accepts the terms of [`memory_system`].

use boot::BootInfo;
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages::PageAllocator;
use libjos::pmap::{Pmap, mem_init};
use spin::{Mutex, MutexGuard, Once};

use crate::boot_info;
use crate::globals;
use crate::machine::{Hardware, poison_frame};

static PMAP: Shared = Shared(Once::new());

/// The memory system, to be used from all of the kernel.
struct Shared(Once<Mutex<Pmap<Hardware>>>);

// SAFETY: one processor runs the kernel, and there are no threads, so nothing here is ever used by
// two at once. (Elsewhere a `Pmap` stays on its thread, with the machine that can write to its
// `pages`.)
unsafe impl Sync for Shared {}

/// Runs `mem_init`; from here on `kern_pgdir` is in use. Physical memory from `limit` on is left unused.
///
/// # Panics
///
/// Where the machine has too little memory, or a check fails.
pub(crate) fn init(boot_info: &BootInfo<'_>, limit: Option<PhysAddr>) {
    // Not within `call_once`, whose frames hold a memory system each: the boot stack is small.
    let pmap = mem_init(Hardware::new(), boot_info::for_mem_init(boot_info, limit));
    PMAP.0.call_once(|| Mutex::new(pmap));
    globals::note(&lock().globals());
}

/// From here on finds out who writes to a page that is free. It takes a while where there is much
/// RAM, so it says what it does.
pub(crate) fn poison() {
    let mut pmap = lock();
    println!("pages=poison: filling {} free pages", pmap.pages().nfree());
    // SAFETY: the function fills the frame that it is given, wherever it is called.
    unsafe { pmap.poison_pages(poison_frame) };
}

/// The memory system, for as long as the guard is held.
///
/// # Panics
///
/// Before [`init`], and where it is in use already: there is one processor, so that would be for
/// ever.
pub(crate) fn lock() -> MutexGuard<'static, Pmap<Hardware>> {
    let pmap = PMAP.0.get().expect("mem_init has not run yet");
    pmap.try_lock().expect("the memory system is asked for pages while it works")
}

/// The memory system, for an application that measures or changes what lies beneath it.
///
/// # Safety
///
/// The caller changes no mapping, no frame and no word of memory that anything else uses: the
/// kernel, the heap, an area, a stack. It frees only what it has allocated, loads no other page
/// directory, and leaves the [`Pmap`] and its parts where they are.
///
/// # Panics
///
/// Where the memory system is in use already; and as long as the guard is held, so does whatever
/// else asks for pages, the heap too.
#[must_use]
pub unsafe fn memory_system() -> MutexGuard<'static, Pmap<Hardware>> {
    lock()
}
