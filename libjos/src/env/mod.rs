//! Environments, JOS's processes: programs in user mode, each with a trap frame, an address space and an id.
//!
//! | module | holds |
//! |---|---|
//! | [`abi`] | the facts that kernel and programs share: numbers of calls, errors, [`Env`](abi::Env) |
//! | [`frame`] | [`TrapFrame`]: the registers of a program, as far as this room knows them |
//! | [`table`] | [`Envs`]: both arrays, made by [`env_init`](Envs::env_init); ids |
//! | [`life`] | an environment made, destroyed and freed: `env_alloc`, `env_destroy`, `env_free` |
//! | [`load`] | a program loaded: `env_create`, `load_icode`, `region_alloc` |
//! | [`elf`], [`archive`] | the files of programs |
//! | [`memory`] | a program's memory, as its calls name it: `user_mem_check`, `user_access` |
//! | [`sched`] | which environment runs next: `sched_yield`, `env_run` |
//! | [`trap`] | a trap from a program: `trap_dispatch` |
//! | [`console`] | the console, as far as programs reach it |
//! | [`record`] | [`Record`]: an environment as the monitor sees it |
//!
//! All of it is the kernel's, and knows neither registers nor a heap. A machine gives a [`TrapFrame`] and
//! calls [`Envs::trap_dispatch`] with each trap; the answer, a [`Next`], says how to go on.
//!
//! Names are JOS's. There are two arrays of the same index. `envs`, shown to programs at UENVS, has
//! JOS's layout where words have 32 bits. The other one is the kernel's alone, and owns the address
//! spaces.

pub mod abi;
pub mod archive;
#[expect(unsafe_code)]
mod array;
mod children;
pub mod console;
pub mod elf;
#[expect(unsafe_code)]
pub mod frame;
mod ipc;
pub mod life;
pub mod load;
pub mod memory;
mod page_fault;
mod pages;
pub mod record;
mod run_queue;
pub mod sched;
mod slot;
mod syscall;
pub mod table;
pub mod trap;

pub use console::EnvConsole;
pub use frame::TrapFrame;
pub use load::LoadError;
pub use record::{Environments, Record};
pub use sched::Next;
pub use table::{EnvIndex, Envs};
pub use trap::{Cause, Trap};
