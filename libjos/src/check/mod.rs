//! JOS's checks: each proves a step of `mem_init`. The faults planted against them are in `tests/`.
//!
//! | module | proves |
//! |---|---|
//! | [`check_pages`] | the free list |
//! | `check_page_alloc` | the page allocator |
//! | `check_page` | mapping, counting and unmapping single pages |
//! | `check_kern_pgdir` | each page of the kernel's map, and that nothing else is mapped |
//! | `check_envs` | the environments at UENVS |
//! | `check_installed` | the directory in use |
//!
//! A check never takes its expectation from the code that it checks.

mod answer;
mod check_envs;
mod check_installed;
mod check_kern_pgdir;
mod check_page;
mod check_page_alloc;
pub mod check_pages;
#[cfg(all(test, not(miri)))]
mod tests;

use crate::machine::Machine;
use crate::mem::addr::PhysRange;
use crate::mem::boot_alloc::BootMemory;
use crate::paging::directory::Pgdir;
use crate::paging::vm::Vm;

/// JOS's checks of a memory system ([`Pmap::checks`](crate::pmap::Pmap::checks)).
#[derive(Debug)]
pub struct Checks<'a, M: Machine> {
    vm: &'a mut Vm<M>,
    kern_pgdir: &'a mut Pgdir,
    boot_memory: &'a BootMemory,
    /// The memory that UENVS shows, if any.
    envs: PhysRange,
}

impl<'a, M: Machine> Checks<'a, M> {
    /// The checks of these parts of a memory system.
    pub(crate) fn new(
        vm: &'a mut Vm<M>,
        kern_pgdir: &'a mut Pgdir,
        boot_memory: &'a BootMemory,
        envs: PhysRange,
    ) -> Self {
        Self { vm, kern_pgdir, boot_memory, envs }
    }
}
