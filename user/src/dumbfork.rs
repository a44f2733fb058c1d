//! Fork without copy-on-write: JOS's `dumbfork`. It causes no page faults, so that the tests of page
//! faults can use it.

use core::ptr;

use crate::env::find_thisenv;
use crate::fork::{Fork, PTE_COW};
use crate::inc::{ENV_RUNNABLE, EnvId, Error, PTE_RW, PTE_SYSCALL, PTE_U, PTE_W};
use crate::pgfault::forget_handler;
use crate::syscall::{
    sys_env_destroy, sys_env_set_status, sys_exofork, sys_page_alloc, sys_page_map, sys_page_unmap,
};
use crate::uvpt::mapped;
use crate::{PGSIZE, USTACKTOP, UTEMP};

/// Makes a copy of this environment. It copies at once all pages that can be written or are copy-on-write, and
/// shares the others. The child has no page-fault handler. Nothing else may use UTEMP.
///
/// # Errors
///
/// [`Error::NoFreeEnv`] or [`Error::NoMem`]: there is no child.
pub fn dumbfork() -> Result<Fork, Error> {
    Ok(match sys_exofork(duplicate)? {
        EnvId::NONE => {
            find_thisenv();
            forget_handler();
            Fork::Child
        }
        child => Fork::Parent(child),
    })
}

/// Gives the child its memory, and starts it. Returns its id, or an error's number, negated.
extern "C" fn duplicate(child: EnvId) -> isize {
    let copy = || {
        let pages =
            mapped(0, USTACKTOP).filter(|&(va, _, entry)| entry & PTE_U != 0 && va != UTEMP);
        for (va, _, entry) in pages {
            duppage(child, va, entry)?;
        }
        sys_env_set_status(child, ENV_RUNNABLE)
    };
    match copy() {
        Ok(()) => child.0 as isize,
        Err(error) => {
            let _ = sys_env_destroy(child);
            -(error as isize)
        }
    }
}

/// Gives the child one page.
fn duppage(child: EnvId, va: usize, entry: u64) -> Result<(), Error> {
    let us = EnvId::NONE;
    // SAFETY: the child has no object yet, and nothing else uses UTEMP. Shared pages are read-only.
    unsafe {
        if entry & (PTE_W | PTE_COW) == 0 {
            return sys_page_map((us, va), (child, va), entry & PTE_SYSCALL);
        }
        sys_page_alloc(child, va, PTE_RW)?;
        sys_page_map((child, va), (us, UTEMP), PTE_RW)?;
        ptr::copy_nonoverlapping(
            ptr::with_exposed_provenance::<u8>(va),
            ptr::with_exposed_provenance_mut(UTEMP),
            PGSIZE,
        );
        sys_page_unmap(us, UTEMP)
    }
}
