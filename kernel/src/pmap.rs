//! The one memory system of this machine, behind its lock.

use boot::BootInfo;
use libjos::pmap::{Pmap, mem_init};
use spin::{Mutex, MutexGuard, Once};

use crate::boot_info;
use crate::machine::Pc;

static PMAP: Once<Mutex<Pmap<Pc>>> = Once::new();

/// Runs `mem_init`; from here on `kern_pgdir` is in use.
///
/// # Panics
///
/// Where the machine has too little memory, or a check fails.
pub fn init(boot_info: &BootInfo<'_>) {
    // Not within `call_once`, whose frames hold a memory system each: the boot stack is small.
    let pmap = mem_init(Pc::new(), boot_info::for_mem_init(boot_info));
    PMAP.call_once(|| Mutex::new(pmap));
}

/// The memory system, for as long as the guard is held.
///
/// # Panics
///
/// Before [`init`], and where it is in use already: there is one processor, so that would be for
/// ever.
pub fn lock() -> MutexGuard<'static, Pmap<Pc>> {
    let pmap = PMAP.get().expect("mem_init has not run yet");
    pmap.try_lock().expect("the memory system is asked for pages while it works")
}
