//! Programs, loaded into new environments: [`env_create`](Envs::env_create).

use core::fmt;

use super::abi::Error;
use super::frame::TrapFrame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::paging::vm::Vm;

/// Why a program cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// There is no free slot, or no memory.
    Env(Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for LoadError {}

impl<F: TrapFrame> Envs<F> {
    /// Makes an environment of the program `binary`, an ELF file of this machine of which nothing is
    /// trusted, with one page of stack below USTACKTOP (JOS's `env_create`). It is ENV_RUNNABLE.
    ///
    /// # Errors
    ///
    /// [`LoadError`], in words; nothing has changed then.
    pub fn env_create<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        binary: &[u8],
    ) -> Result<EnvIndex, LoadError> {
        let _ = (vm, binary);
        todo!()
    }
}
