//! The handout's code in the place of the marked parts of the sources. `exercise!(NAME)` is a hole for a body.

// lab 3: begin env_init
        let free: Option<EnvIndex> = {
            exercise!(env_init)
        };
// lab 3: end

// lab 3: begin envs
        let last = EnvIndex::new(NENV - 1);
        Ok(Self { envs, slots, free, curenv: None, last, number: 0 })
// lab 3: end

// lab 3: begin directory_names
use crate::paging::format::{Entry, Format, Geometry};
use crate::paging::pgdir::WordOf;
use crate::paging::range::{release_tree, used_entries};
use crate::paging::vm::Vm;
use crate::paging::word::Word;
// lab 3: end

// lab 3: begin env_setup_vm
        exercise!(env_setup_vm)
// lab 3: end

// lab 3: begin region_alloc
    exercise!(region_alloc)
// lab 3: end

// lab 3: begin load_icode
    exercise!(load_icode)
// lab 3: end

// lab 3: begin env_create
        exercise!(env_create)
// lab 3: end

// lab 3: begin sched_names
use super::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE, ENV_RUNNING, EnvId, NENV};
// lab 3: end

// lab 3: begin env_run
        exercise!(env_run)
// lab 3: end

// lab 3: begin sched_yield
        exercise!(sched_yield)
// lab 3: end

// lab 3: begin can_run
        let is_runnable = |index| self.envs.get(index).env_status == ENV_RUNNABLE;
        self.stopped().is_some() || EnvIndex::all().any(is_runnable)
// lab 3: end

// lab 3: begin memory_names
use crate::paging::format::{Entry, Format, Geometry, Perm};
// lab 3: end

// lab 3: begin user_access
    if !M::Format::is_canonical(va) {
        return None;
    }
    exercise!(user_access)
// lab 3: end

// lab 3: begin user_frame
    let (_, pte) = vm.page_lookup(space.pgdir(), va)?;
    let Entry::Leaf(leaf) = M::Format::decode(0, vm.machine().load(pte.pa)) else { return None };
// lab 3: end

// lab 3: begin user_mem_check
        exercise!(user_mem_check)
// lab 3: end

// lab 3: begin syscall
        exercise!(syscall)
// lab 3: end

// lab 3: begin trap_dispatch
        exercise!(trap_dispatch)
// lab 3: end

// lab 3: begin sys_exofork
        exercise!(sys_exofork)
// lab 3: end

// lab 3: begin pages_names
use crate::paging::format::{Entry, Format, Perm};
// lab 3: end

// lab 3: begin sys_page_alloc
        exercise!(sys_page_alloc)
// lab 3: end

// lab 3: begin sys_page_map
        exercise!(sys_page_map)
// lab 3: end

// lab 3: begin sys_page_unmap
        exercise!(sys_page_unmap)
// lab 3: end

// lab 3: begin page_fault_handler
        let frame = env.env_tf;
        exercise!(page_fault_handler)
// lab 3: end

// lab 3: begin ipc_names
use layout::{MemLayout, PGSIZE};

use super::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE, Error};
use super::frame::TrapFrame;
use super::memory::user_frame;
use super::pages::{asked_page, asked_perm};
use super::syscall::{CallResult, id};
use super::table::{EnvIndex, Envs};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::paging::format::{Entry, Format, Perm};
use crate::paging::vm::Vm;
use crate::paging::word::Word;
// lab 3: end

// lab 3: begin sys_ipc_try_send
        exercise!(sys_ipc_try_send)
// lab 3: end

// lab 3: begin sys_ipc_recv
        exercise!(sys_ipc_recv)
// lab 3: end
