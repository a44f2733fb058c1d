//! The scheduler: [`sched_yield`](Envs::sched_yield) picks an environment, round robin, and
//! [`env_run`](Envs::env_run) makes it the one that runs.

use core::ptr::NonNull;

// lab 3: begin sched_names
use super::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE, ENV_RUNNING, EnvId};
// lab 3: end
use super::frame::TrapFrame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::paging::vm::Vm;

/// How the machine is to go on after a trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the machine must go on with this"]
pub enum Next {
    /// With this environment: [`Envs::env_run`], then its frame.
    Run(EnvIndex),
    /// In the monitor: the environment that runs has reached a breakpoint. It can go on.
    Breakpoint(EnvIndex),
    /// In the monitor: no environment can run. JOS's lines are printed, and `kern_pgdir` is loaded.
    NoneRunnable,
}

impl<F: TrapFrame> Envs<F> {
    /// Picks the next runnable environment after the one that ran last, in the order of `envs`. If none is runnable,
    /// picks the one that runs, if it still may.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn sched_yield<M: Machine>(&mut self, vm: &mut Vm<M>) -> Next {
        // lab 3: begin sched_yield
        if let Some(index) = self.runnable.after(self.last) {
            return Next::Run(index);
        }
        match self.curenv {
            Some(index) if self.envs.get(index).env_status == ENV_RUNNING => Next::Run(index),
            _ => {
                self.sched_halt(vm);
                Next::NoneRunnable
            }
        }
        // lab 3: end
    }

    /// Goes on with the environments after they were left. Picks the one that ran when they were left; if there is
    /// none, picks as [`sched_yield`](Self::sched_yield) does.
    pub fn resume<M: Machine>(&mut self, vm: &mut Vm<M>) -> Next {
        match self.stopped() {
            Some(index) => Next::Run(index),
            None => self.sched_yield(vm),
        }
    }

    /// The environment that runs, or did when the environments were left.
    #[must_use]
    pub fn stopped(&self) -> Option<EnvIndex> {
        self.curenv.filter(|index| self.envs.get(*index).env_status == ENV_RUNNING)
    }

    /// Whether an environment can run.
    #[must_use]
    pub fn can_run(&self) -> bool {
        // lab 3: begin can_run
        self.stopped().is_some() || self.runnable.after(self.last).is_some()
        // lab 3: end
    }

    /// Leaves the environments: `kern_pgdir` is loaded, and there is no [`curenv`](Self::curenv).
    #[cold]
    #[cfg_attr(debug_assertions, inline(never))]
    fn sched_halt<M: Machine>(&mut self, vm: &mut Vm<M>) {
        vm.switchkvm();
        self.curenv = None;
        let machine = vm.machine_mut();
        machine.print(format_args!("No runnable environments in the system!\n"));
        if self.number == 0 {
            machine.print(format_args!("Destroyed the only environment - nothing more to do!\n"));
        }
    }

    /// Whether `index` is the environment that runs, and still may.
    #[must_use]
    #[inline]
    pub fn is_running(&self, index: EnvIndex) -> bool {
        self.curenv == Some(index) && self.envs.get(index).env_status == ENV_RUNNING
    }

    /// Makes `index` the environment that runs, and loads its page directory unless it is in use. Returns
    /// where its frame lies, which the machine then loads into its registers.
    ///
    /// # Panics
    ///
    /// If the environment is neither runnable nor the one that runs: a bug.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn env_run<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) -> NonNull<F> {
        // lab 3: begin env_run
        if self.curenv != Some(index) {
            if let Some(current) = self.curenv
                && self.envs.get(current).env_status == ENV_RUNNING
            {
                self.set_runnable(current);
            }
            self.curenv = Some(index);
            self.last = index;
            self.envs.get_mut(index).env_runs = self.envs.get(index).env_runs.wrapping_add(1);
        }
        let env = self.envs.get_mut(index);
        match env.env_status {
            ENV_RUNNING => {}
            ENV_RUNNABLE => {
                env.env_status = ENV_RUNNING;
                self.runnable.remove(index);
            }
            status => cannot_run(env.env_id, status),
        }
        let space = self.slots.get_mut(index).space_mut();
        if !vm.is_loaded(space.pgdir().address()) {
            // Called last, so that nothing of this function has to be saved for a call on the usual way.
            if !space.has_followed(vm) {
                return self.run_and_follow(vm, index);
            }
            space.switchuvm(vm);
        }
        self.frame(index)
        // lab 3: end
    }

    // lab 3: begin omit
    /// The end of [`env_run`](Self::env_run) if the kernel's half has changed since the environment ran.
    #[cold]
    #[inline(never)]
    fn run_and_follow<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) -> NonNull<F> {
        self.slots.get_mut(index).space_mut().switchuvm(vm);
        self.frame(index)
    }

    // lab 3: end
    /// Makes an environment runnable.
    #[inline]
    pub(super) fn set_runnable(&mut self, index: EnvIndex) {
        self.envs.get_mut(index).env_status = ENV_RUNNABLE;
        // lab 3: begin omit
        self.runnable.insert(index);
        // lab 3: end
    }

    /// Makes an environment wait for something else than its turn.
    #[inline]
    pub(super) fn set_not_runnable(&mut self, index: EnvIndex) {
        self.envs.get_mut(index).env_status = ENV_NOT_RUNNABLE;
        // lab 3: begin omit
        self.runnable.remove(index);
        // lab 3: end
    }
}

/// Ends [`env_run`](Envs::env_run) where a bug has picked an environment.
#[cold]
#[inline(never)]
fn cannot_run(id: EnvId, status: u32) -> ! {
    panic!("env_run: environment {id} has status {status}")
}
