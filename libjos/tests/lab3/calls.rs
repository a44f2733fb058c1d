//! Calls of the environment that runs, by `syscall`.

use layout::MemLayout;
use libjos::env::abi::call;
use libjos::env::{Cause, EnvIndex, Next, Trap};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::Format;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::complaints::{called, next, reached, result};
use crate::rig::World;

/// The exercise of the function that picks who runs next.
const SCHED_YIELD: u32 = 11;

/// A call: the name of its function, and its number.
#[derive(Clone, Copy)]
pub(crate) struct Call(pub(crate) &'static str, pub(crate) u64);

/// The name of a call that does not exist.
pub(crate) const UNKNOWN: &str = "unknown";
pub(crate) const CPUTS: Call = Call("sys_cputs", call::CPUTS);
pub(crate) const CGETC: Call = Call("sys_cgetc", call::CGETC);
pub(crate) const GETENVID: Call = Call("sys_getenvid", call::GETENVID);
pub(crate) const ENV_DESTROY: Call = Call("sys_env_destroy", call::ENV_DESTROY);
pub(crate) const PAGE_ALLOC: Call = Call("sys_page_alloc", call::PAGE_ALLOC);
pub(crate) const PAGE_MAP: Call = Call("sys_page_map", call::PAGE_MAP);
pub(crate) const PAGE_UNMAP: Call = Call("sys_page_unmap", call::PAGE_UNMAP);
pub(crate) const EXOFORK: Call = Call("sys_exofork", call::EXOFORK);
pub(crate) const ENV_SET_STATUS: Call = Call("sys_env_set_status", call::ENV_SET_STATUS);
pub(crate) const ENV_SET_PGFAULT_UPCALL: Call =
    Call("sys_env_set_pgfault_upcall", call::ENV_SET_PGFAULT_UPCALL);
pub(crate) const YIELD: Call = Call("sys_yield", call::YIELD);
pub(crate) const IPC_TRY_SEND: Call = Call("sys_ipc_try_send", call::IPC_TRY_SEND);
pub(crate) const IPC_RECV: Call = Call("sys_ipc_recv", call::IPC_RECV);

impl Call {
    /// The call as one would write it.
    pub(crate) fn with(self, arguments: &[u64]) -> String {
        let arguments: Vec<_> = arguments.iter().map(|argument| format!("{argument:#x}")).collect();
        let name = if self.0 == UNKNOWN { format!("call {}", self.1) } else { self.0.into() };
        format!("{name}({})", arguments.join(", "))
    }
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// Puts a call into the registers of the environment that runs. The others keep what they have.
    pub(crate) fn set_call(&mut self, Call(_, number): Call, arguments: &[u64]) -> EnvIndex {
        let me = self.me();
        let mut frame = self.envs.env(me).env_tf;
        for (register, value) in frame.registers.iter_mut().zip([number].iter().chain(arguments)) {
            *register = F::Word::from_u64(*value);
        }
        self.envs.set_frame(me, frame);
        me
    }

    /// Makes a call after which the caller must go on. Returns its result.
    pub(crate) fn result_of(&mut self, call: Call, arguments: &[u64]) -> i64 {
        let (me, text) = (self.set_call(call, arguments), call.with(arguments));
        let then = called(&text, || self.envs.syscall(&mut self.pmap, &mut self.console));
        if let Some(then) = then {
            panic!(
                "after {text} syscall must give None, since the caller goes on, but {}",
                next(then)
            );
        }
        self.result(me)
    }

    /// Makes a call after which the caller must go on, with this result.
    pub(crate) fn must(&mut self, call: Call, arguments: &[u64], wanted: i64) {
        self.must_since(call, arguments, wanted, "");
    }

    /// Makes a call after which the caller must go on, with this result, for a reason.
    pub(crate) fn must_since(&mut self, call: Call, arguments: &[u64], wanted: i64, why: &str) {
        let found = self.result_of(call, arguments);
        assert!(
            found == wanted,
            "{} must return {}, but returns {}{}{why}",
            call.with(arguments),
            result(wanted),
            result(found),
            if why.is_empty() { "" } else { ": " },
        );
    }

    /// Makes a call after which the caller does not go on. Returns who does; `None` if that cannot be asked yet.
    pub(crate) fn gives_way(&mut self, call: Call, arguments: &[u64]) -> Option<Next> {
        self.set_call(call, arguments);
        let text = call.with(arguments);
        let syscall = || self.envs.syscall(&mut self.pmap, &mut self.console);
        let then = reached(SCHED_YIELD, &text, syscall)?;
        assert!(then.is_some(), "after {text} syscall must ask sched_yield, but gives None");
        then
    }

    /// A trap of the environment that runs. Returns how the kernel goes on; `None` if that is by `sched_yield`, which
    /// cannot be asked yet. Unlike the rig's `trap`, this runs nobody.
    pub(crate) fn dispatched(&mut self, cause: Cause) -> Option<Next> {
        let trap = Trap { cause, incoming: VirtAddr::new(L::KSTACKTOP - 68) };
        let text = format!("trap_dispatch({cause:x?})");
        reached(SCHED_YIELD, &text, || {
            self.envs.trap_dispatch(&mut self.pmap, &mut self.console, trap)
        })
    }
}
