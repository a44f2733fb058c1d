//! An environment's beginning and end: [`env_alloc`](Envs::env_alloc), [`env_destroy`](Envs::env_destroy),
//! `env_free`.

use layout::{MemLayout, PGSIZE};

use super::abi::{
    ENV_FREE, ENV_RUNNABLE, ENV_TYPE_USER, ENVGENSHIFT, Env, EnvId, Error, LOG2NENV, NENV,
};
use super::frame::TrapFrame;
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::kaddr;
use crate::mem::pages::{ALLOC_ZERO, PageAllocator};
use crate::paging::vm::Vm;
use crate::paging::word::Word;
use crate::space::AddressSpace;

/// An address space for a new environment: nothing below UTOP, above it the kernel's half (JOS's function of
/// this name).
///
/// # Errors
///
/// [`Error::NoMem`]; nothing has changed then.
#[cfg_attr(debug_assertions, inline(never))]
pub(super) fn env_setup_vm<M: Machine>(vm: &mut Vm<M>) -> Result<AddressSpace, Error> {
    AddressSpace::uvmcreate(vm).map_err(|_| Error::NoMem)
}

impl<F: TrapFrame> Envs<F> {
    /// Makes an environment without memory, child of `parent` or of none, and prints JOS's line. It is
    /// ENV_RUNNABLE, and its frame begins at address 0.
    ///
    /// # Errors
    ///
    /// [`Error::NoFreeEnv`] and [`Error::NoMem`]; nothing has changed then.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn env_alloc<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        parent: EnvId,
    ) -> Result<EnvIndex, Error> {
        let index = self.free.ok_or(Error::NoFreeEnv)?;
        let space = env_setup_vm(vm)?;
        let env_pgdir = Self::kernel_address::<M>(space.pgdir().address());
        self.free = self.slots.get_mut(index).occupy(space);
        let env_id = next_id(self.envs.get(index).env_id, index);
        let zero = F::Word::ZERO;
        *self.envs.get_mut(index) = Env {
            env_tf: F::user(VirtAddr::new(0), VirtAddr::new(M::Layout::USTACKTOP)),
            env_link: zero,
            env_id,
            env_parent_id: parent,
            env_type: ENV_TYPE_USER,
            env_status: ENV_RUNNABLE,
            env_runs: 0,
            env_cpunum: 0,
            env_pgdir,
            env_pgfault_upcall: zero,
            env_ipc_recving: 0,
            env_ipc_dstva: zero,
            env_ipc_value: zero,
            env_ipc_from: EnvId::NONE,
            env_ipc_perm: 0,
        };
        // lab 3: begin omit
        self.runnable.insert(index);
        // lab 3: end
        self.number += 1;
        self.say(vm, "new env", env_id);
        Ok(index)
    }

    /// Ends an environment: frees it, and prints JOS's line. If it is the one that runs, there is no
    /// [`curenv`](Self::curenv) then. The time is in proportion to its page tables and its pages.
    ///
    /// # Panics
    ///
    /// If there is no such environment: a bug.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn env_destroy<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) {
        self.env_free(vm, index);
        if self.curenv == Some(index) {
            self.curenv = None;
        }
    }

    /// Ends an environment for somebody who is none, such as the monitor's user, with JOS's lines.
    ///
    /// # Panics
    ///
    /// If there is no such environment: a bug.
    pub fn kill<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) {
        let current = self.curenv.take();
        let id = self.envs.get(index).env_id;
        self.say(vm, "destroying", id);
        self.env_destroy(vm, index);
        self.curenv = current.filter(|current| *current != index);
    }

    /// Frees an environment: all its memory, and its slot, which is the next one to be used.
    #[cfg_attr(debug_assertions, inline(never))]
    fn env_free<M: Machine>(&mut self, vm: &mut Vm<M>, index: EnvIndex) {
        self.say(vm, "free env", self.envs.get(index).env_id);
        let slot = self.slots.get_mut(index);
        if let Some(frame) = slot.machine_frame() {
            slot.set_machine_frame(None);
            vm.pages_mut().page_decref(frame);
        }
        let space = slot.vacate(self.free);
        space.uvmfree(vm);
        // lab 3: begin omit
        self.runnable.remove(index);
        // lab 3: end
        let env = self.envs.get_mut(index);
        (env.env_status, env.env_pgdir) = (ENV_FREE, F::Word::ZERO);
        self.free = Some(index);
        self.number -= 1;
    }

    /// The frame in which the machine keeps what has no room in an environment's trap frame, such as its numbers with a
    /// floating point; and whether it is new, which makes it zero. It is allocated when it is asked for first, and freed
    /// with the environment. `None` without a free page.
    ///
    /// # Panics
    ///
    /// If there is no such environment: a bug.
    pub fn machine_frame<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
    ) -> Option<(PhysAddr, bool)> {
        let slot = self.slots.get_mut(index);
        assert!(slot.is_used(), "a free slot has no frame");
        if let Some(frame) = slot.machine_frame() {
            return Some((vm.pages().page2pa(frame), false));
        }
        let frame = vm.alloc_used(ALLOC_ZERO)?;
        slot.set_machine_frame(Some(frame));
        Some((vm.pages().page2pa(frame), true))
    }

    /// Whether [`machine_frame`](Self::machine_frame) has allocated a frame for an environment.
    #[must_use]
    #[inline]
    pub fn has_machine_frame(&self, index: EnvIndex) -> bool {
        self.slots.get(index).machine_frame().is_some()
    }

    /// The frame that [`machine_frame`](Self::machine_frame) has allocated for the environment with this id, if there are
    /// both.
    #[must_use]
    pub fn machine_frame_of<M: Machine>(&self, vm: &Vm<M>, id: EnvId) -> Option<PhysAddr> {
        let index = self.envid2env(id, false).ok()?;
        self.slots.get(index).machine_frame().map(|frame| vm.pages().page2pa(frame))
    }

    /// Prints a line of JOS's: the environment that runs, and `of` happens to `id`.
    pub(super) fn say<M: Machine>(&self, vm: &mut Vm<M>, of: &str, id: EnvId) {
        let by = self.curenv.map_or(EnvId::NONE, |index| self.envs.get(index).env_id);
        vm.machine_mut().print(format_args!("[{by}] {of} {id}\n"));
    }

    /// Where the kernel sees the frame at `pa`.
    fn kernel_address<M: Machine>(pa: PhysAddr) -> F::Word {
        let va = kaddr::kaddr::<M::Layout>(pa, PGSIZE).map_or(0, VirtAddr::as_u64);
        F::Word::from_u64(va)
    }
}

/// The id of the environment at `index` after that with the id `last`: the next generation.
fn next_id(last: EnvId, index: EnvIndex) -> EnvId {
    let generation = last.0.wrapping_add(1 << ENVGENSHIFT) & !(NENV as i32 - 1);
    let generation = if generation <= 0 { 1 << ENVGENSHIFT } else { generation };
    EnvId(generation | index.number() as i32)
}

const _: () = assert!(LOG2NENV <= ENVGENSHIFT);
