//! Messages between environments: `ipc_try_send`, `ipc_recv`.

// lab 3: begin ipc_names
use layout::MemLayout;

use super::abi::Error;
use super::frame::TrapFrame;
use super::pages::asked_page;
use super::syscall::{CallResult, id};
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::paging::vm::Vm;
use crate::paging::word::Word;
// lab 3: end

impl<F: TrapFrame> Envs<F> {
    /// Sends a message to an environment that waits for one. Arguments: id, value, address of a page to be shared (none
    /// if not below UTOP), permissions. If the receiver wants a page, this one is mapped where it wants it, as
    /// `page_map` maps it.
    pub(super) fn sys_ipc_try_send<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
    ) -> CallResult {
        // lab 3: begin sys_ipc_try_send
        let [to, value, srcva, asked] = [0, 1, 2, 3].map(|n| self.argument(index, n));
        let to = self.envid2env(id(to), false)?;
        let receiver = self.envs.get(to);
        if receiver.env_ipc_recving == 0 {
            return Err(Error::IpcNotRecv);
        }
        let dstva = receiver.env_ipc_dstva.to_u64();
        let mut perm = 0;
        if srcva < M::Layout::UTOP {
            let srcva = asked_page::<M>(srcva)?;
            let (frame, shared) = self.shared_page(vm, index, srcva, asked)?;
            if dstva < M::Layout::UTOP {
                self.insert(vm, to, frame, asked_page::<M>(dstva)?, shared)?;
                perm = asked as u32;
            }
        }
        let from = self.envs.get(index).env_id;
        let receiver = self.envs.get_mut(to);
        receiver.env_ipc_recving = 0;
        receiver.env_ipc_from = from;
        receiver.env_ipc_value = F::Word::from_u64(value);
        receiver.env_ipc_perm = perm;
        self.set_runnable(to);
        Ok(0)
        // lab 3: end
    }

    /// Waits for a message. Argument: the address for a page that comes with it; if that is not below UTOP, no page is
    /// wanted. The result, 0, is in the frame before the message comes.
    pub(super) fn sys_ipc_recv<M: Machine>(&mut self, index: EnvIndex) -> CallResult {
        // lab 3: begin sys_ipc_recv
        let dstva = self.argument(index, 0);
        if dstva < M::Layout::UTOP {
            asked_page::<M>(dstva)?;
        }
        let env = self.envs.get_mut(index);
        env.env_ipc_recving = 1;
        env.env_ipc_dstva = F::Word::from_u64(dstva);
        self.set_not_runnable(index);
        Ok(0)
        // lab 3: end
    }
}
