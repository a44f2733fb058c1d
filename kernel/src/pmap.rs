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
    PMAP.call_once(|| Mutex::new(mem_init(Pc::new(), boot_info::for_mem_init(boot_info))));
}

/// The memory system, for as long as the guard is held.
///
/// # Panics
///
/// Before [`init`].
pub fn lock() -> MutexGuard<'static, Pmap<Pc>> {
    PMAP.get().expect("mem_init has not run yet").lock()
}
