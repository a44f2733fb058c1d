//! The machine's memory system, behind its lock.
//!
//! The memory system can unmap a live `Vec`, or overwrite a `&'static str`. So only the kernel may use
//! it: an application gets pages from `libjos::app`, as areas in which no Rust object lies, or accepts
//! the terms of [`memory_system`].

use boot::BootInfo;
use libjos::mem::addr::PhysAddr;
use libjos::mem::memory_map::MemoryMap;
use libjos::mem::pages::{PageAllocator, fill_by};
use libjos::pmap::{Pmap, mem_init};
use spin::Once;

use crate::arch::cpu;
use crate::boot_info;
use crate::globals;
use crate::lock::{Lock, LockGuard};
use crate::machine::{Hardware, poison_frame};

static PMAP: Shared = Shared(Once::new());

/// The memory system, shared by the whole kernel.
struct Shared(Once<Lock<Pmap<Hardware>>>);

// SAFETY: one processor runs the kernel, and there are no threads, so nothing uses it concurrently.
// (Elsewhere a `Pmap` stays on its thread, with the machine that can write to its `pages`.)
unsafe impl Sync for Shared {}

/// Runs `mem_init`; from here on `kern_pgdir` is in use. Physical memory from `limit` on is left unused.
///
/// # Panics
///
/// If the machine has too little memory, or a check fails.
pub(crate) fn init(boot_info: &BootInfo<'_>, limit: Option<PhysAddr>) {
    // The boot stack is small, and a stack frame that holds a memory map or a memory system takes a good part of
    // it. So three functions make the one, make the other and keep it: their frames are never there together.
    let memory = boot_info::memory(boot_info, limit);
    keep(make(boot_info, memory));
    globals::note(&lock().globals());
}

/// The memory system that `mem_init` makes.
#[inline(never)]
fn make(boot_info: &BootInfo<'_>, memory: &MemoryMap) -> Pmap<Hardware> {
    mem_init(Hardware::new(), boot_info::for_mem_init(boot_info, memory))
}

/// Makes `pmap` the memory system behind [`lock`].
#[inline(never)]
fn keep(pmap: Pmap<Hardware>) {
    PMAP.0.call_once(|| Lock::new(pmap));
}

/// Poisons all free pages, so that later writes to a free page are detected. Prints a line first, since
/// it takes a while with much RAM.
pub(crate) fn poison() {
    let mut pmap = lock();
    println!("pages=poison: filling {} free pages", pmap.pages().nfree());
    // SAFETY: `poison_frame` fills the whole frame that it is given.
    unsafe { pmap.poison_pages(fill_by(poison_frame)) };
    // The head of the free list has moved.
    globals::note(&pmap.globals());
}

/// The memory system, for as long as the guard is held.
///
/// # Panics
///
/// Before [`init`], and if it is locked: with one processor, waiting would never end.
pub(crate) fn lock() -> LockGuard<'static, Pmap<Hardware>> {
    let pmap = PMAP.0.get().expect("mem_init has not run yet");
    pmap.try_lock().expect("the memory system is asked for pages while it works")
}

/// Panics unless `kern_pgdir` is loaded: no other page directory has the application's half, with the heap and the
/// areas in it.
#[inline]
pub(crate) fn assert_application_half() {
    if cpu::pgdir_in_use() != globals::kern_pgdir() {
        not_loaded();
    }
}

#[cold]
fn not_loaded() -> ! {
    panic!("the heap or an area is used, but kern_pgdir, which has them, is not loaded")
}

/// The memory system, for an application that measures or changes it directly.
///
/// # Safety
///
/// The caller changes no mapping, no frame and no word of memory that anything else uses: the
/// kernel, the heap, an area, a stack. It frees only its own allocations, loads no other page
/// directory, and does not move the [`Pmap`] or its parts.
///
/// # Panics
///
/// If the memory system is locked. While the guard is held, every other request for pages panics, the
/// heap's too.
#[must_use]
pub unsafe fn memory_system() -> LockGuard<'static, Pmap<Hardware>> {
    lock()
}

#[cfg(test)]
mod tests;
