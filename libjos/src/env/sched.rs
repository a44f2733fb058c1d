//! The scheduler: [`sched_yield`](Envs::sched_yield) picks an environment, round robin, and
//! [`env_run`](Envs::env_run) makes it the one that runs.

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
    /// No environment can run. JOS's lines are printed already.
    NoneRunnable,
}

impl<F: TrapFrame> Envs<F> {
    /// Picks the runnable environment that follows the one that ran last, in the order of `envs`, and else
    /// that one if it still runs. Changes nothing.
    pub fn sched_yield<M: Machine>(&mut self, vm: &mut Vm<M>) -> Next {
        let _ = vm;
        todo!()
    }

    /// Makes `index` the environment that runs, and loads its page directory unless it is in use. Returns its
    /// frame, which the machine then loads into its registers. The frame stays where it is.
    ///
    /// # Panics
    ///
    /// If the environment is neither runnable nor the one that runs: a bug.
    pub fn env_run<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) -> &mut F {
        let _ = (vm, index);
        todo!()
    }
}
