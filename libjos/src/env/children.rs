//! The calls about environments: `exofork`, `env_set_status`, `env_set_pgfault_upcall`, `env_destroy`.

use super::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE, Error};
use super::frame::TrapFrame;
use super::syscall::{CallResult, id};
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::paging::vm::Vm;
use crate::paging::word::Word;

impl<F: TrapFrame> Envs<F> {
    /// Makes a child without memory, with the registers of its parent but for the result, 0. It does not run
    /// until its status is set, and its program has the same name. Returns its id.
    #[inline(never)]
    pub(super) fn sys_exofork<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
    ) -> CallResult {
        // lab 3: begin sys_exofork
        let parent = *self.envs.get(index);
        let child = self.env_alloc(vm, parent.env_id)?;
        self.set_not_runnable(child);
        self.envs.get_mut(child).env_tf = parent.env_tf;
        self.set_result(child, Ok(0));
        self.slots.get_mut(child).name = self.slots.get(index).name;
        Ok(i64::from(self.envs.get(child).env_id.0))
        // lab 3: end
    }

    /// Sets an environment's status. Arguments: id, ENV_RUNNABLE or ENV_NOT_RUNNABLE.
    #[inline(never)]
    pub(super) fn sys_env_set_status(&mut self, index: EnvIndex) -> CallResult {
        let env = self.envid2env(id(self.argument(index, 0)), true)?;
        match u32::try_from(self.argument(index, 1)) {
            Ok(ENV_RUNNABLE) => self.set_runnable(env),
            Ok(ENV_NOT_RUNNABLE) => self.set_not_runnable(env),
            _ => return Err(Error::Inval),
        }
        Ok(0)
    }

    /// Sets the address that page faults are handed to. Arguments: id, address.
    #[inline(never)]
    pub(super) fn sys_env_set_pgfault_upcall(&mut self, index: EnvIndex) -> CallResult {
        let env = self.envid2env(id(self.argument(index, 0)), true)?;
        let upcall = self.argument(index, 1);
        self.envs.get_mut(env).env_pgfault_upcall = F::Word::from_u64(upcall);
        Ok(0)
    }

    /// Ends an environment. Argument: id.
    #[inline(never)]
    pub(super) fn sys_env_destroy<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
    ) -> CallResult {
        let env = self.envid2env(id(self.argument(index, 0)), true)?;
        let [me, victim] = [index, env].map(|index| self.envs.get(index).env_id);
        let machine = vm.machine_mut();
        if env == index {
            machine.print(format_args!("[{me}] exiting gracefully\n"));
        } else {
            machine.print(format_args!("[{me}] destroying {victim}\n"));
        }
        self.env_destroy(vm, env);
        Ok(0)
    }
}
