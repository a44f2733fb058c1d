//! A program's page faults: [`page_fault_handler`](Envs::page_fault_handler) hands each to the program's own
//! handler, on its exception stack, or ends the program.

use layout::{MemLayout, PGSIZE};

use super::frame::{TrapFrame, UserFrame};
use super::memory::{left_in_page, user_access};
use super::table::{EnvIndex, Envs};
use super::trap::say_incoming;
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::paging::format::Perm;
use crate::paging::vm::Vm;
use crate::paging::word::Word;
use crate::space::uvm::UvmError;

impl<F: TrapFrame> Envs<F> {
    /// Handles a page fault of the environment `index` at `fault_va`. If the environment has an upcall, it goes on there,
    /// on its exception stack, with a frame on that stack that says where the fault was. Without an upcall, or without
    /// memory for the frame, the environment ends.
    ///
    /// A fault of the handler itself is handed to it again: its frame lies below the stack in use, after one
    /// blank word, which the handler needs to return.
    #[cfg_attr(debug_assertions, inline(never))]
    pub(super) fn page_fault_handler<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
        fault_va: VirtAddr,
        incoming: VirtAddr,
    ) {
        let env = self.envs.get(index);
        let upcall = VirtAddr::new(env.env_pgfault_upcall.to_u64());
        if upcall.as_u64() == 0 {
            let (id, va, ip) = (env.env_id, fault_va.as_u64(), env.env_tf.pc().as_u64());
            say_incoming(vm, incoming);
            let line = format_args!("[{id}] user fault va {va:08x} ip {ip:08x}\n");
            vm.machine_mut().print(line);
            self.print_trapframe(vm, index);
            self.env_destroy(vm, index);
            return;
        }
        // lab 3: begin page_fault_handler
        let (top, sp) = (M::Layout::UXSTACKTOP, env.env_tf.sp().as_u64());
        let on_exception_stack = (top - PGSIZE..top).contains(&sp);
        let end = if on_exception_stack { sp - F::Word::BYTES } else { top };
        let size = size_of::<F::UTrapframe>() as u64;
        let at = VirtAddr::new(end - size);
        let space = self.slots.get_mut(index).space_mut();
        if user_access(vm, space, upcall, Perm::UR).is_none() {
            return self.user_mem_fault(vm, index, upcall);
        }
        let is_simple = at.is_aligned(F::Word::BYTES) && size <= left_in_page(at);
        let written = match user_access(vm, space, at, Perm::URW) {
            Some(pa) if is_simple && vm.pages().pa2page(pa).is_some() => {
                vm.machine().store_words(pa, env.env_tf.utrapframe(fault_va).words());
                Ok(())
            }
            _ => space.copyout(vm, at, env.env_tf.utrapframe(fault_va).bytes()),
        };
        match written {
            Ok(()) => self.envs.get_mut(index).env_tf.redirect(upcall, at),
            Err(UvmError::NoAccess { va }) => self.user_mem_fault(vm, index, va),
            Err(_) => self.user_mem_fault(vm, index, at),
        }
        // lab 3: end
    }

    /// Ends an environment that handed the kernel memory that it may not access itself, with JOS's line.
    #[cold]
    pub(super) fn user_mem_fault<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        index: EnvIndex,
        va: VirtAddr,
    ) {
        let (id, va) = (self.envs.get(index).env_id, va.as_u64());
        let line = format_args!("[{id}] user_mem_check assertion failure for va {va:08x}\n");
        vm.machine_mut().print(line);
        self.env_destroy(vm, index);
    }
}
