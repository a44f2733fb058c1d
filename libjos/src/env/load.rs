//! Programs, loaded into address spaces: [`env_create`](Envs::env_create), `load_icode`, `region_alloc`.

use core::fmt;

use layout::{MemLayout, PGSIZE};

use super::abi::{EnvId, Error};
use super::elf::{ElfError, Program};
use super::frame::TrapFrame;
use super::memory::user_frame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{ALLOC_ZERO, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::Perm;
use crate::paging::vm::Vm;
use crate::space::AddressSpace;

/// Why a program cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The file is no program for this machine.
    Elf(ElfError),
    /// There is no free slot for an environment.
    NoFreeEnv,
    /// There is not enough memory.
    NoMemory,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf(error) => error.fmt(f),
            Self::NoFreeEnv => f.write_str("there are as many environments as there can be"),
            Self::NoMemory => f.write_str("there are not enough free pages for the program"),
        }
    }
}

impl core::error::Error for LoadError {}

impl<F: TrapFrame> Envs<F> {
    /// Makes an environment of the program `binary`, an ELF file of which nothing is trusted, with one page of
    /// stack below USTACKTOP. It is ENV_RUNNABLE.
    ///
    /// # Errors
    ///
    /// [`LoadError`]. No environment is left then.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn env_create<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        binary: &[u8],
    ) -> Result<EnvIndex, LoadError> {
        let program = Program::new::<M, F>(binary).map_err(LoadError::Elf)?;
        // No environment makes this one, though one may have been left while it ran.
        let current = self.curenv.take();
        let created = self.load(vm, &program);
        self.curenv = current;
        created
    }

    fn load<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        program: &Program<'_>,
    ) -> Result<EnvIndex, LoadError> {
        // lab 3: begin env_create
        let index = self.env_alloc(vm, EnvId::NONE).map_err(|error| match error {
            Error::NoFreeEnv => LoadError::NoFreeEnv,
            _ => LoadError::NoMemory,
        })?;
        if load_icode(self.slots.get_mut(index).space_mut(), vm, program).is_err() {
            self.env_destroy(vm, index);
            return Err(LoadError::NoMemory);
        }
        let stack = VirtAddr::new(M::Layout::USTACKTOP);
        self.set_frame(index, F::user(program.entry(), stack));
        Ok(index)
        // lab 3: end
    }
}

/// Loads a program into an empty address space, and gives it a page of stack.
///
/// # Errors
///
/// Out of memory; a part is mapped then.
#[cfg_attr(debug_assertions, inline(never))]
pub fn load_icode<M: Machine>(
    space: &mut AddressSpace,
    vm: &mut Vm<M>,
    program: &Program<'_>,
) -> Result<(), MapError> {
    let stack = VirtAddr::new(M::Layout::USTACKTOP - PGSIZE);
    // Refused before work is done that may take long.
    if program.npages() > vm.pages().nfree() as u64 {
        return Err(MapError::NoMemory { va: stack });
    }
    // lab 3: begin load_icode
    for segment in program.segments() {
        region_alloc(space, vm, segment.va, segment.size, segment.perm)?;
        space.fill(vm, segment.va, segment.bytes);
    }
    region_alloc(space, vm, stack, PGSIZE, Perm::URW)
    // lab 3: end
}

/// Maps the pages of the `size` bytes at `va` to new frames of zeros. The first page may be mapped already: it
/// keeps its contents, and is given `perm` too. All of them lie below UTOP.
///
/// # Errors
///
/// Out of memory; a part may be mapped then.
#[cfg_attr(debug_assertions, inline(never))]
pub fn region_alloc<M: Machine>(
    space: &mut AddressSpace,
    vm: &mut Vm<M>,
    va: VirtAddr,
    size: u64,
    perm: Perm,
) -> Result<(), MapError> {
    // lab 3: begin region_alloc
    let end = (va.as_u64() + size).next_multiple_of(PGSIZE);
    let mut page = va.page_start();
    if let Some((frame, old)) = user_frame(vm, space, page) {
        vm.page_insert(space.user_pgdir_mut(), frame, page, old | perm)?;
        page = page + PGSIZE;
    }
    vm.map_new(space.user_pgdir_mut(), page, (end - page.as_u64()) / PGSIZE, perm, ALLOC_ZERO)
    // lab 3: end
}
