//! The environments, as the kernel shows them: JOS's `envs` and `thisenv`.

use core::ptr::{self, addr_of};
use core::sync::atomic::{AtomicUsize, Ordering};

use layout::MemLayout;

use crate::arch::{Layout, REGISTERS, TRAPFRAME_WORDS};
use crate::inc::{ENV_FREE, Env, EnvId, NENV};
use crate::syscall::{sys_getenvid, sys_yield};

/// The index of this environment.
static THISENV: AtomicUsize = AtomicUsize::new(0);

/// Finds this environment: at the start, and in a child after a fork.
pub(crate) fn find_thisenv() {
    THISENV.store(sys_getenvid().index(), Ordering::Relaxed);
}

/// This environment.
#[must_use]
pub fn thisenv() -> Environment {
    Environment(THISENV.load(Ordering::Relaxed))
}

/// All slots, in order.
pub fn envs() -> impl Iterator<Item = Environment> {
    (0..NENV).map(Environment)
}

/// A slot of `envs`. It changes whenever the kernel runs: each method reads it anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Environment(usize);

/// A method that reads a field.
macro_rules! field {
    ($(#[$doc:meta])* $name:ident: $field:ident, $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(self) -> $type {
            let env = ptr::with_exposed_provenance::<Env>(Layout::UENVS as usize);
            // SAFETY: the kernel shows all programs `NENV` structures of this layout at UENVS, and the index is less. The
            // read is volatile, since the kernel writes there. Each value of the field's bits is one of its type.
            unsafe { ptr::read_volatile(addr_of!((*env.add(self.0)).$field)) }
        }
    };
}

impl Environment {
    /// The slot of the environment `id`, or of another that has the slot now.
    #[must_use]
    pub fn of(id: EnvId) -> Self {
        Self(id.index())
    }

    field!(
        /// The id; of a free slot the last one.
        id: env_id, EnvId
    );
    field!(
        /// The parent's id; 0 if the kernel made it.
        parent: env_parent_id, EnvId
    );
    field!(
        /// The type.
        env_type: env_type, u32
    );
    field!(
        /// How often it has run.
        runs: env_runs, u32
    );
    field!(
        /// The processor that it runs on.
        cpunum: env_cpunum, u32
    );
    field!(
        /// The last message's value.
        ipc_value: env_ipc_value, usize
    );
    field!(
        /// The last message's sender.
        ipc_from: env_ipc_from, EnvId
    );
    field!(
        /// The permissions of the page that came with it; 0 if none came.
        ipc_perm: env_ipc_perm, u32
    );
    field!(
        /// Its status: [`ENV_FREE`] and so on.
        status: env_status, u32
    );
    field!(
        /// The words of its trap frame; in a free slot those of the last environment, when it ended.
        trapframe: env_tf, [usize; TRAPFRAME_WORDS]
    );

    /// The register of a call's result, in the trap frame.
    #[must_use]
    pub fn result(self) -> usize {
        self.trapframe()[REGISTERS.len() - 1]
    }

    /// The program counter, in the trap frame. Code segment, flags, stack pointer and stack segment follow it.
    #[must_use]
    pub fn pc(self) -> usize {
        self.trapframe()[TRAPFRAME_WORDS - 5]
    }
}

/// Waits until an environment has ended: JOS's `wait`.
pub fn wait(id: EnvId) {
    let env = Environment::of(id);
    while env.id() == id && env.status() != ENV_FREE {
        sys_yield();
    }
}
