//! Copy-on-write fork by the program itself: JOS's `fork.c`.
//!
//! Both environments map each writable page read-only, marked COW. The first to write takes a page fault, and gets a copy.

use core::ptr;

use crate::env::find_thisenv;
use crate::inc::{
    ENV_RUNNABLE, EnvId, Error, FEC_PR, FEC_WR, PTE_RW, PTE_SYSCALL, PTE_U, PTE_W, UTrapframe,
};
use crate::pgfault::{prepare, set_pgfault_handler};
use crate::syscall::{
    sys_env_destroy, sys_env_set_status, sys_exofork, sys_page_alloc, sys_page_map, sys_page_unmap,
};
use crate::uvpt::{mapped, uvpt};
use crate::{PFTEMP, PGSIZE, USTACKTOP};

/// The mark of a page that is to be copied when it is written to: one of the bits left to programs.
pub const PTE_COW: u64 = 0x800;

const SELF: EnvId = EnvId::NONE;

/// Which of the two environments this is after a fork.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fork {
    /// The new one.
    Child,
    /// The old one, with the new one's id.
    Parent(EnvId),
}

/// Makes a copy of this environment. Page faults are handled by this file from then on.
///
/// # Errors
///
/// [`Error::NoFreeEnv`] or [`Error::NoMem`]: there is no child.
pub fn fork() -> Result<Fork, Error> {
    // SAFETY: a page is replaced by its copy, and any other fault is a panic.
    unsafe { set_pgfault_handler(pgfault) };
    Ok(match sys_exofork(duplicate)? {
        EnvId::NONE => {
            find_thisenv();
            Fork::Child
        }
        child => Fork::Parent(child),
    })
}

/// Gives the child a copy of the memory, and starts it. Returns its id, or an error's number, negated.
extern "C" fn duplicate(child: EnvId) -> isize {
    let copy = || {
        for (va, _, entry) in mapped(0, USTACKTOP) {
            duppage(child, va, entry)?;
        }
        prepare(child)?;
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

/// Maps one page in the child, copy-on-write if it is writable.
fn duppage(child: EnvId, va: usize, entry: u64) -> Result<(), Error> {
    let perm = entry & PTE_SYSCALL;
    if perm & PTE_U == 0 {
        return Ok(());
    }
    if perm & (PTE_W | PTE_COW) == 0 {
        // SAFETY: the child has no object yet, and nobody writes to the page.
        return unsafe { sys_page_map((SELF, va), (child, va), perm) };
    }
    let perm = perm & !PTE_W | PTE_COW;
    // The child's entry comes first. Were ours marked already, a write to the page (it may be the stack) would take a
    // copy, and the child would share that one, which we may write to.
    // SAFETY: the child has no object yet. Here the page stays where it is, and `pgfault` lets it be written.
    unsafe {
        sys_page_map((SELF, va), (child, va), perm)?;
        sys_page_map((SELF, va), (SELF, va), perm)
    }
}

/// Gives a copy-on-write page that is written to a copy of its own.
fn pgfault(frame: &mut UTrapframe) {
    let va = frame.utf_fault_va;
    let is_protected = frame.utf_err as u64 & (FEC_PR | FEC_WR) == FEC_PR | FEC_WR;
    assert!(
        // SAFETY: there is a page, since its permissions forbade the access.
        is_protected && unsafe { uvpt(va) } & PTE_COW != 0,
        "page fault at {va:#x}, error code {:#x}, instruction {:#x}: not a write to a copy-on-write page",
        frame.utf_err,
        frame.utf_eip
    );
    let page = va & !(PGSIZE - 1);
    copy(page).unwrap_or_else(|error| panic!("copying the page at {page:#x}: {error}"));
}

/// Replaces the page at `page` by a copy of it, writable.
fn copy(page: usize) -> Result<(), Error> {
    // SAFETY: PFTEMP is kept for this, and the page has the same content before and after.
    unsafe {
        sys_page_alloc(SELF, PFTEMP, PTE_RW)?;
        ptr::copy_nonoverlapping(
            ptr::with_exposed_provenance::<u8>(page),
            ptr::with_exposed_provenance_mut(PFTEMP),
            PGSIZE,
        );
        sys_page_map((SELF, PFTEMP), (SELF, page), PTE_RW)?;
        sys_page_unmap(SELF, PFTEMP)
    }
}
