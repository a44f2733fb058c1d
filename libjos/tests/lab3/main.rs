//! The tests of lab 3, exercise by exercise, on simulated machines with three formats: `docs/labs/3.md`.
//!
//! A test's name begins with the number of its exercise. It makes by hand what its function needs (`by_hand.rs`), and calls
//! as few of the other exercises' functions as it can, none of them a later one's. These are the bodies that each exercise's
//! tests need beside its own:
//!
//! | exercise | needs |
//! |---|---|
//! | 1 `env_init` | |
//! | 2 `env_setup_vm` | 1 |
//! | 3 `region_alloc` | 2 |
//! | 4 `load_icode` | 2, 3 |
//! | 5 `env_create` | 1, 2, 3, 4 |
//! | 6 `env_run` | 1, 2 |
//! | 7 `user_access` | 2 |
//! | 8 `user_mem_check` | 1, 2, 7 |
//! | 9 `syscall` | 1, 2, 6, 7, 8 |
//! | 10 `trap_dispatch` | 1, 2, 6, 9 |
//! | 11 `sched_yield` | 1, 2, 6, 9 |
//! | 12 `sys_exofork` | 1, 2, 6, 9 |
//! | 13 `sys_page_alloc` | 1, 2, 6, 9 |
//! | 14 `sys_page_map` | 1, 2, 6, 9 |
//! | 15 `sys_page_unmap` | 1, 2, 6, 9 |
//! | 16 `page_fault_handler` | 1, 2, 6, 7, 8, 10 |
//! | 17 `sys_ipc_try_send` | 1, 2, 6, 9 |
//! | 18 `sys_ipc_recv` | 1, 2, 6, 9 |
//!
//! If a function that is tested goes on to one whose body is missing yet, as `sys_ipc_recv` does to `sched_yield`, the
//! test looks at what was done until then ([`complaints::reached`]).
#![allow(clippy::unwrap_used, reason = "a test fails so")]

/// Runs each of these functions as a test, on an x86-64, an i386 and a RISC-V machine.
macro_rules! lab_tests {
    ($($name:ident)*) => {
        mod tests {
            $(
                #[test]
                #[cfg_attr(miri, ignore = "tests of what has no unsafe code")]
                fn $name() {
                    super::$name::<layout::Jos64, libjos::paging::format::x86_64::X86_64>();
                    super::$name::<layout::Jos32, libjos::paging::format::i386::I386>();
                    super::$name::<layout::JosSv39, libjos::paging::format::riscv::Sv39>();
                }
            )*
        }
    };
}

mod by_hand;
mod calls;
mod complaints;
mod e01_env_init;
mod e02_env_setup_vm;
mod e03_region_alloc;
mod e04_load_icode;
mod e05_env_create;
mod e06_env_run;
mod e07_user_access;
mod e08_user_mem_check;
mod e09_syscall;
mod e10_trap_dispatch;
mod e11_sched_yield;
mod e12_sys_exofork;
mod e13_sys_page_alloc;
mod e14_sys_page_map;
mod e15_sys_page_unmap;
mod e16_page_fault_handler;
mod e17_sys_ipc_try_send;
mod e18_sys_ipc_recv;
mod property;
#[path = "../env_rig/mod.rs"]
mod rig;
mod space;
mod state;
