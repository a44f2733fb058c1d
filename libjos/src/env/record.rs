//! [`Record`]: an environment as the monitor sees it, whatever the machine's trap frame; [`Environments`]: all
//! of them.

use core::fmt;

use super::abi::EnvId;
use super::frame::TrapFrame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::paging::vm::Vm;
use crate::paging::word::Word;

/// The most bytes of a program's name that are kept.
const NAME_BYTES: usize = 16;

/// The name of a program, as far as it is kept: the first bytes, filled up with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Name([u8; NAME_BYTES]);

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        let mut kept = [0; NAME_BYTES];
        let mut end = name.len().min(NAME_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        kept[..end].copy_from_slice(&name.as_bytes()[..end]);
        Self(kept)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
        // Other bytes can only come from a stray write.
        f.pad(core::str::from_utf8(&self.0[..end]).unwrap_or("?"))
    }
}

/// An environment.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its id.
    pub id: EnvId,
    /// The id of the environment that made it, or 0.
    pub parent: EnvId,
    /// [`ENV_RUNNABLE`](super::abi::ENV_RUNNABLE) and so on.
    pub status: u32,
    /// How often it was switched to.
    pub runs: u32,
    /// The name of its program.
    pub name: Name,
    /// The program counter.
    pub pc: VirtAddr,
    /// The address that page faults are handed to, or 0.
    pub upcall: VirtAddr,
    /// Whether it waits for a message.
    pub receives: bool,
    /// The root of its page directory.
    pub root: PhysAddr,
}

/// All environments, as the monitor sees them.
pub trait Environments<M: Machine> {
    /// The environment at `index`, if there is one.
    fn record(&self, index: EnvIndex) -> Option<Record>;

    /// The id of the environment at `index`, or the last one there; 0 if there was none.
    fn last_id(&self, index: EnvIndex) -> EnvId;

    /// Writes the registers of an environment, in lines of a name and a value, as [`TrapFrame`]'s `Display` does.
    ///
    /// # Errors
    ///
    /// The error of `out`.
    fn write_registers(&self, index: EnvIndex, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Ends an environment, as [`Envs::kill`].
    ///
    /// # Panics
    ///
    /// If there is no such environment.
    fn kill(&mut self, vm: &mut Vm<M>, index: EnvIndex);
}

impl<F: TrapFrame, M: Machine> Environments<M> for Envs<F> {
    fn record(&self, index: EnvIndex) -> Option<Record> {
        let (root, env) = (self.root(index)?, self.envs.get(index));
        Some(Record {
            id: env.env_id,
            parent: env.env_parent_id,
            status: env.env_status,
            runs: env.env_runs,
            name: self.slots.get(index).name,
            pc: env.env_tf.pc(),
            upcall: VirtAddr::new(env.env_pgfault_upcall.to_u64()),
            receives: env.env_ipc_recving != 0,
            root,
        })
    }

    fn last_id(&self, index: EnvIndex) -> EnvId {
        self.envs.get(index).env_id
    }

    fn write_registers(&self, index: EnvIndex, out: &mut dyn fmt::Write) -> fmt::Result {
        let frame = self.envs.get(index).env_tf;
        write!(out, "{frame}")
    }

    fn kill(&mut self, vm: &mut Vm<M>, index: EnvIndex) {
        Envs::kill(self, vm, index);
    }
}

impl<F: TrapFrame> Envs<F> {
    /// Names the program of an environment. Its children have the name, too.
    pub fn set_name(&mut self, index: EnvIndex, name: &str) {
        self.slots.get_mut(index).name = Name::from(name);
    }

    /// The name of an environment's program.
    #[must_use]
    pub fn name(&self, index: EnvIndex) -> Name {
        self.slots.get(index).name
    }
}
