//! [`Envs`]: the two arrays of environments, and ids.

use core::fmt;
use core::iter;
use core::ptr::NonNull;

use super::abi::{ENV_FREE, Env, EnvId, Error, NENV};
use super::array::EnvArray;
use super::frame::TrapFrame;
// lab 3: begin omit
use super::run_queue::RunQueue;
// lab 3: end
use super::slot::Slot;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::paging::error::MapError;
use crate::pmap::Pmap;
use layout::MemLayout;

/// The index of an environment in `envs`, below [`NENV`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EnvIndex(u16);

impl EnvIndex {
    /// The index with this number.
    ///
    /// # Panics
    ///
    /// If it is not below [`NENV`].
    #[must_use]
    pub const fn new(number: usize) -> Self {
        assert!(number < NENV, "no environment has this index");
        Self(number as u16)
    }

    /// The index in an id.
    #[inline]
    pub(super) const fn of(id: EnvId) -> Self {
        Self(id.index() as u16)
    }

    /// The index as a number.
    #[must_use]
    #[inline]
    pub const fn number(self) -> usize {
        // For the compiler, which then knows the bound.
        self.0 as usize & (NENV - 1)
    }

    /// All of them, in order.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + Clone {
        (0..NENV).map(Self::new)
    }
}

/// All environments: JOS's `envs` and `curenv`, and the kernel's own half of each.
///
/// References to what lies in the arrays do not leave this room, since whoever holds the machine can write to
/// their memory.
pub struct Envs<F: TrapFrame> {
    /// The public half, shown at UENVS.
    pub(super) envs: EnvArray<Env<F, F::Word>>,
    /// The kernel's own half.
    pub(super) slots: EnvArray<Slot>,
    /// The free slot that is used next.
    pub(super) free: Option<EnvIndex>,
    // lab 3: begin omit
    /// The environments that are ENV_RUNNABLE.
    pub(super) runnable: RunQueue,
    // lab 3: end
    pub(super) curenv: Option<EnvIndex>,
    /// The environment that ran last, though it may have ended.
    pub(super) last: EnvIndex,
    /// How many environments there are.
    pub(super) number: usize,
}

impl<F: TrapFrame> Envs<F> {
    /// Makes both arrays of `pages`' frames, maps `envs` at UENVS, read-only, and proves that. All slots are
    /// free; the lowest is the first to be used.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`] without enough free pages side by side. Nothing has changed then.
    ///
    /// # Panics
    ///
    /// If UENVS shows something already, or a check fails.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn env_init<M: Machine>(pmap: &mut Pmap<M>) -> Result<Self, MapError> {
        let error = MapError::NoMemory { va: VirtAddr::new(M::Layout::UENVS) };
        let envs = EnvArray::<Env<F, F::Word>>::new(pmap).ok_or(error)?;
        let Some(mut slots) = EnvArray::<Slot>::new(pmap) else {
            envs.free(pmap);
            return Err(error);
        };
        if let Err(error) = pmap.map_envs(envs.range()) {
            slots.free(pmap);
            envs.free(pmap);
            return Err(error);
        }
        // lab 3: begin env_init
        let mut free = None;
        for index in EnvIndex::all().rev() {
            slots.get_mut(index).link(free);
            free = Some(index);
        }
        // lab 3: end
        // lab 3: begin envs
        let (runnable, last) = (RunQueue::new(), EnvIndex::new(NENV - 1));
        Ok(Self { envs, slots, free, runnable, curenv: None, last, number: 0 })
        // lab 3: end
    }

    /// The environment that runs, or waits for a call to be finished (JOS's `curenv`). `None` if none has run
    /// yet, or the last one has ended.
    #[must_use]
    #[inline]
    pub fn curenv(&self) -> Option<EnvIndex> {
        self.curenv
    }

    /// The free slots, in the order in which they will be used.
    pub fn free_slots(&self) -> impl Iterator<Item = EnvIndex> {
        iter::successors(self.free, |index| self.slots.get(*index).next_free())
    }

    /// A copy of the public half of an environment.
    #[must_use]
    pub fn env(&self, index: EnvIndex) -> Env<F, F::Word> {
        *self.envs.get(index)
    }

    /// The id of an environment.
    #[must_use]
    #[inline]
    pub fn id(&self, index: EnvIndex) -> EnvId {
        self.envs.get(index).env_id
    }

    /// Copies of the environments that there are, in the order of their indices.
    pub fn all(&self) -> impl Iterator<Item = (EnvIndex, Env<F, F::Word>)> {
        let used = EnvIndex::all().filter(|index| self.slots.get(*index).is_used());
        used.map(|index| (index, self.env(index)))
    }

    /// Where the frame of an environment lies. At a trap the machine stores the program's registers in that of
    /// [`curenv`](Self::curenv), before it calls [`trap_dispatch`](Self::trap_dispatch). Valid as long as this
    /// value lives; while a method of it runs, nobody else may access the frame.
    #[must_use]
    #[inline]
    pub fn frame(&self, index: EnvIndex) -> NonNull<F> {
        self.envs.at(index).cast()
    }

    /// The root of an environment's page directory, to look at what it maps; `None` if there is no such
    /// environment.
    #[must_use]
    pub fn root(&self, index: EnvIndex) -> Option<PhysAddr> {
        let slot = self.slots.get(index);
        slot.is_used().then(|| slot.space().pgdir().address())
    }

    /// Sets the frame of an environment.
    pub fn set_frame(&mut self, index: EnvIndex, frame: F) {
        self.envs.get_mut(index).env_tf = frame;
    }

    /// The environment with this id; 0 is the one that runs. With `checkperm` it must be the one that runs or a
    /// child of it.
    ///
    /// # Errors
    ///
    /// [`Error::BadEnv`].
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn envid2env(&self, id: EnvId, checkperm: bool) -> Result<EnvIndex, Error> {
        if id == EnvId::NONE {
            return self.curenv.ok_or(Error::BadEnv);
        }
        let index = EnvIndex::of(id);
        let env = self.envs.get(index);
        if env.env_status == ENV_FREE || env.env_id != id {
            return Err(Error::BadEnv);
        }
        let may_change = || {
            let current = self.curenv.map(|current| self.envs.get(current).env_id);
            self.curenv == Some(index) || current == Some(env.env_parent_id)
        };
        if checkperm && !may_change() {
            return Err(Error::BadEnv);
        }
        Ok(index)
    }
}

impl<F: TrapFrame> fmt::Debug for Envs<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { curenv, number, .. } = self;
        let mut debug = f.debug_struct("Envs");
        debug.field("curenv", curenv).field("number", number).finish_non_exhaustive()
    }
}
