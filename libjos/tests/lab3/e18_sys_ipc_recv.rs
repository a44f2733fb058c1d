//! Exercise 18: `sys_ipc_recv`.

use layout::{MemLayout, PGSIZE};
use libjos::env::Next;
use libjos::env::abi::ENV_NOT_RUNNABLE;
use libjos::paging::format::Format;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, SECOND};
use crate::calls::IPC_RECV;
use crate::complaints::{next, result};
use crate::rig::{World, page};

lab_tests! {
    e18_sys_ipc_recv_waits
    e18_sys_ipc_recv_lets_another_run
    e18_sys_ipc_recv_refuses_an_address_that_is_no_pages
}

fn e18_sys_ipc_recv_waits<L: MemLayout, F: Format + Mmu>() {
    for dstva in [page(4), 0, L::UTOP - PGSIZE, L::UTOP, L::UTOP + 1, L::KERNBASE, L::VA_LAST] {
        let mut world = World::<L, F>::family(1);
        let _ = world.gives_way(IPC_RECV, &[dstva]);
        let (env, what) = (world.envs.env(FIRST), IPC_RECV.with(&[dstva]));
        let found = [
            ("env_status", u64::from(env.env_status), u64::from(ENV_NOT_RUNNABLE)),
            ("env_ipc_recving", u64::from(env.env_ipc_recving), 1),
            ("env_ipc_dstva", env.env_ipc_dstva.to_u64(), dstva),
        ];
        for (name, found, wanted) in found {
            assert!(
                found == wanted,
                "after {what} {name} of the caller must be {wanted:#x}, but is {found:#x}"
            );
        }
        let returned = world.result(FIRST);
        assert!(
            returned == 0,
            "{what} must return 0 when a message has come, but the result is {}",
            result(returned)
        );
        let pages = world.pages(FIRST);
        assert!(pages.is_empty(), "{what} must map nothing itself, but {pages:x?} are there");
    }
}

fn e18_sys_ipc_recv_lets_another_run<L: MemLayout, F: Format + Mmu>() {
    for (n, wanted) in [(1, Next::Run(SECOND)), (0, Next::NoneRunnable)] {
        let mut world = World::<L, F>::family(n);
        let Some(found) = world.gives_way(IPC_RECV, &[L::UTOP]) else { return };
        assert!(
            found == wanted,
            "after sys_ipc_recv of one of {} environments it must be so: {}; but {}",
            n + 1,
            next(wanted),
            next(found)
        );
    }
}

fn e18_sys_ipc_recv_refuses_an_address_that_is_no_pages<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    let before = world.state();
    for dstva in [1, page(4) + 8, page(4) + 0x800, L::UTOP - 1] {
        world.must(IPC_RECV, &[dstva], -3);
        world.assert_unchanged(&before, &IPC_RECV.with(&[dstva]));
    }
}
