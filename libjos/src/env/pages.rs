//! The calls about pages: `page_alloc`, `page_map`, `page_unmap`.

use layout::{MemLayout, PGSIZE};

use super::abi::{Error, PTE_AVAIL, PTE_P, PTE_U, PTE_W};
use super::frame::TrapFrame;
use super::memory::user_frame;
use super::syscall::{CallResult, id};
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{ALLOC_ZERO, Frame};
// lab 3: begin pages_names
use crate::paging::format::{Format, Perm};
// lab 3: end
use crate::paging::vm::Vm;

/// The permissions that a call asks for.
///
/// # Errors
///
/// [`Error::Inval`] without P and U, or with a bit that a program may not set on this machine.
pub(super) fn asked_perm<M: Machine>(perm: u64) -> Result<Perm, Error> {
    let needed = PTE_P | PTE_U;
    let own = Perm::from_bits_truncate((perm & PTE_AVAIL) as u16);
    let is_known = perm & !(needed | PTE_W | PTE_AVAIL) == 0 && M::Format::AVAIL.contains(own);
    if perm & needed != needed || !is_known {
        return Err(Error::Inval);
    }
    let mut asked = Perm::UR | own;
    asked.set(Perm::W, perm & PTE_W != 0);
    Ok(asked)
}

/// The page that a call names by the address `va`.
///
/// # Errors
///
/// [`Error::Inval`] if `va` is not below UTOP, or not the first address of a page.
pub(super) fn asked_page<M: Machine>(va: u64) -> Result<VirtAddr, Error> {
    let is_page = va < M::Layout::UTOP && va.is_multiple_of(PGSIZE);
    if is_page { Ok(VirtAddr::new(va)) } else { Err(Error::Inval) }
}

impl<F: TrapFrame> Envs<F> {
    /// Maps a new page of zeros, in place of any page that was there. Arguments: id, address, permissions.
    #[inline(never)]
    pub(super) fn sys_page_alloc<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
    ) -> CallResult {
        // lab 3: begin sys_page_alloc
        let [env, va, perm] = [0, 1, 2].map(|n| self.argument(index, n));
        let env = self.envid2env(id(env), true)?;
        let (va, perm) = (asked_page::<M>(va)?, asked_perm::<M>(perm)?);
        let frame = vm.page_alloc(ALLOC_ZERO).ok_or(Error::NoMem)?;
        let inserted = self.insert(vm, env, frame, va, perm);
        if inserted.is_err() {
            vm.pages_mut().page_free(frame);
        }
        inserted
        // lab 3: end
    }

    /// Maps a page of one environment in another, or at a second address in the same one. Arguments: the source's id
    /// and address, the target's id and address, permissions. The target may write the page only if the source may.
    /// Calls cannot name the permission to execute: the target may execute the page if the source may.
    #[inline(never)]
    pub(super) fn sys_page_map<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
    ) -> CallResult {
        // lab 3: begin sys_page_map
        let [src, srcva, dst, dstva, perm] = [0, 1, 2, 3, 4].map(|n| self.argument(index, n));
        let src = self.envid2env(id(src), true)?;
        let dst = self.envid2env(id(dst), true)?;
        let (srcva, dstva) = (asked_page::<M>(srcva)?, asked_page::<M>(dstva)?);
        let (frame, perm) = self.shared_page(vm, src, srcva, perm)?;
        self.insert(vm, dst, frame, dstva, perm)
        // lab 3: end
    }

    /// Unmaps a page, if one is mapped. Arguments: id, address.
    #[inline(never)]
    pub(super) fn sys_page_unmap<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
    ) -> CallResult {
        // lab 3: begin sys_page_unmap
        let env = self.envid2env(id(self.argument(index, 0)), true)?;
        let va = asked_page::<M>(self.argument(index, 1))?;
        let pgdir = self.slots.get_mut(env).space_mut().user_pgdir_mut();
        vm.page_remove(pgdir, va).map_err(|_| Error::Inval)?;
        Ok(0)
        // lab 3: end
    }

    // lab 3: begin omit
    /// The frame of the page at `va` that `env` shares, and the permissions with which it is mapped elsewhere if a call
    /// asks for `perm`.
    ///
    /// # Errors
    ///
    /// [`Error::Inval`] if there is no page, if [`asked_perm`] refuses `perm`, or if `perm` has W and `env` itself may
    /// not write the page.
    pub(super) fn shared_page<M: Machine>(
        &self,
        vm: &Vm<M>,
        env: EnvIndex,
        va: VirtAddr,
        perm: u64,
    ) -> Result<(Frame, Perm), Error> {
        let perm = asked_perm::<M>(perm)?;
        let space = self.slots.get(env).space();
        let (frame, has) = user_frame(vm, space, va).ok_or(Error::Inval)?;
        if perm.contains(Perm::W) && !has.contains(Perm::W) {
            return Err(Error::Inval);
        }
        Ok((frame, perm | has & Perm::X))
    }

    // lab 3: end
    /// Maps `frame` at `va` in `env`.
    ///
    /// # Errors
    ///
    /// [`Error::NoMem`] if [`Vm::page_insert`] fails.
    pub(super) fn insert<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        env: EnvIndex,
        frame: Frame,
        va: VirtAddr,
        perm: Perm,
    ) -> CallResult {
        let pgdir = self.slots.get_mut(env).space_mut().user_pgdir_mut();
        vm.page_insert(pgdir, frame, va, perm).map_err(|_| Error::NoMem)?;
        Ok(0)
    }
}
