//! [`Envs`]: the two arrays of environments, and ids.

use core::fmt;
use core::marker::PhantomData;

use super::abi::{Env, EnvId, Error, NENV};
use super::frame::TrapFrame;
use crate::machine::Machine;
use crate::paging::error::MapError;
use crate::pmap::Pmap;

/// The index of an environment in `envs`, below [`NENV`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EnvIndex(u16);

impl EnvIndex {
    /// The index as a number.
    #[must_use]
    #[inline]
    pub const fn number(self) -> usize {
        self.0 as usize & (NENV - 1)
    }
}

/// All environments: JOS's `envs`, `curenv` and the kernel's own half of each.
pub struct Envs<F: TrapFrame> {
    frames: PhantomData<F>,
}

impl<F: TrapFrame> Envs<F> {
    /// Makes both arrays of `pages`' frames, and maps `envs` at UENVS, read-only (JOS's `env_init`; the
    /// mapping is `mem_init`'s in JOS). All slots are free; the lowest is the first to be used.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`] without enough free pages side by side. Nothing has changed then.
    pub fn env_init<M: Machine>(pmap: &mut Pmap<M>) -> Result<Self, MapError> {
        let _ = pmap;
        todo!()
    }

    /// The environment that runs, or ran last if the kernel has not chosen another one (JOS's `curenv`). `None`
    /// if it has ended.
    #[must_use]
    pub fn curenv(&self) -> Option<EnvIndex> {
        todo!()
    }

    /// The public half of an environment.
    #[must_use]
    pub fn env(&self, index: EnvIndex) -> &Env<F, F::Word> {
        let _ = index;
        todo!()
    }

    /// The frame of an environment, in place. At a trap the machine stores the program's registers in that of
    /// [`curenv`](Self::curenv), before it calls [`trap_dispatch`](Self::trap_dispatch).
    pub fn frame_mut(&mut self, index: EnvIndex) -> &mut F {
        let _ = index;
        todo!()
    }

    /// The environments that there are, in the order of their indices.
    pub fn all(&self) -> impl Iterator<Item = (EnvIndex, &Env<F, F::Word>)> {
        core::iter::empty()
    }

    /// The environment with this id; 0 is the one that runs. With `checkperm` it must be the one that runs or a
    /// child of it (JOS's `envid2env`).
    ///
    /// # Errors
    ///
    /// [`Error::BadEnv`].
    pub fn envid2env(&self, id: EnvId, checkperm: bool) -> Result<EnvIndex, Error> {
        let _ = (id, checkperm);
        todo!()
    }
}

impl<F: TrapFrame> fmt::Debug for Envs<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envs").finish_non_exhaustive()
    }
}
