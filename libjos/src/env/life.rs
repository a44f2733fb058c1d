//! An environment's beginning and end: [`env_alloc`](Envs::env_alloc), [`env_destroy`](Envs::env_destroy),
//! [`env_free`](Envs::env_free).

use super::abi::{EnvId, Error};
use super::frame::TrapFrame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::paging::vm::Vm;

impl<F: TrapFrame> Envs<F> {
    /// Makes an environment without memory, child of `parent` or of none, and prints JOS's line. It is
    /// ENV_RUNNABLE, and its frame begins at address 0.
    ///
    /// # Errors
    ///
    /// [`Error::NoFreeEnv`] and [`Error::NoMem`]; nothing has changed then.
    pub fn env_alloc<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        parent: EnvId,
    ) -> Result<EnvIndex, Error> {
        let _ = (vm, parent);
        todo!()
    }

    /// Ends an environment, and prints JOS's line. If it is the one that runs, there is no
    /// [`curenv`](Self::curenv) then.
    pub fn env_destroy<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) {
        let _ = (vm, index);
        todo!()
    }

    /// Frees an environment: all its memory, and its slot, which is the next one to be used. `env_destroy`
    /// calls this.
    pub fn env_free<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) {
        let _ = (vm, index);
        todo!()
    }
}
