//! Names that nearly every program needs.

pub use crate::env::{Environment, envs, thisenv, wait};
pub use crate::fork::{Fork, fork};
pub use crate::inc::{ENV_FREE, ENV_NOT_RUNNABLE, ENV_RUNNABLE, EnvId, Error, PTE_RW, UTrapframe};
pub use crate::ipc::{Message, NO_PAGE, ipc_recv, ipc_send, ipc_send_page};
pub use crate::pgfault::set_pgfault_handler;
pub use crate::start::{Args, exit};
pub use crate::syscall::*;
pub use crate::{PGSIZE, UTEMP, cprintf, main};
