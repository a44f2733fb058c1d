//! Messages from one environment to another.

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE, call};
use libjos::env::{EnvIndex, Next};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::rig::{UR, URW, World, page};

const FIRST: EnvIndex = EnvIndex::new(0);
const SECOND: EnvIndex = EnvIndex::new(1);

/// Two programs: the first waits for a message, and wants a page at `dstva`; the second runs.
fn waiting<L: MemLayout, F: Format + Mmu>(dstva: u64) -> World<L, F> {
    let mut world = World::<L, F>::with(2);
    assert_eq!(world.call_only(call::IPC_RECV, &[dstva]), Next::Run(SECOND));
    let env = world.envs.env(FIRST);
    assert_eq!((env.env_status, env.env_ipc_recving), (ENV_NOT_RUNNABLE, 1));
    assert_eq!(env.env_ipc_dstva.to_u64(), dstva);
    world
}

/// The last message of the first program: value, sender and permissions.
fn message<L: MemLayout, F: Format + Mmu>(world: &World<L, F>) -> (u64, i32, u32) {
    let env = world.envs.env(FIRST);
    (env.env_ipc_value.to_u64(), env.env_ipc_from.0, env.env_ipc_perm)
}

fn a_value_arrives<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(L::UTOP);
    // It is not the caller's child: none need be.
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 0xFFFF_FFFE, L::UTOP, 0]), 0);
    assert_eq!(message(&world), (0xFFFF_FFFE, 0x1001, 0));
    let env = world.envs.env(FIRST);
    assert_eq!((env.env_status, env.env_ipc_recving, world.result(FIRST)), (ENV_RUNNABLE, 0, 0));
    // One message for each wait.
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 5, L::UTOP, 0]), -7);
    assert_eq!(world.call_only(call::YIELD, &[]), Next::Run(FIRST));
    assert_eq!(message(&world), (0xFFFF_FFFE, 0x1001, 0));
}

fn a_page_arrives_where_it_is_wanted<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(page(4));
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(2), URW]), 0);
    world.store(page(2), 1234).unwrap();
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 9, page(2), UR]), 0);
    assert_eq!(message(&world), (9, 0x1001, UR as u32));
    let (pa, perm) = world.mapped(FIRST, page(4)).unwrap();
    assert_eq!(perm, F::effective(Perm::UR));
    assert_eq!(world.mapped(SECOND, page(2)), Some((pa, F::effective(Perm::URW))));
    assert_eq!(world.call_only(call::YIELD, &[]), Next::Run(FIRST));
    assert_eq!(world.load(page(4)), Ok(1234));
    assert!(world.store(page(4), 1).is_err());
}

/// A page that is not wanted does not come, but it must be right all the same.
fn a_page_that_is_not_wanted<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(L::UTOP);
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 9, page(2), UR]), -3);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(2), URW]), 0);
    let before = world.pages(FIRST);
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 9, page(2), UR]), 0);
    assert_eq!((message(&world), world.pages(FIRST)), ((9, 0x1001, 0), before));
}

/// Each wrong argument gives its error, and the receiver waits on.
fn wrong_messages_change_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(page(4));
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(2), UR]), 0);
    let (before, nfree, was) = (world.pages(FIRST), world.nfree(), message(&world));
    let cases = [
        ([0x1002, 1, L::UTOP, 0], -2),
        ([0x2000, 1, L::UTOP, 0], -2),
        ([0, 1, L::UTOP, 0], -7),
        ([0x1001, 1, L::UTOP, 0], -7),
        ([0x1000, 1, page(2) + 1, UR], -3),
        ([0x1000, 1, page(2), 1], -3),
        ([0x1000, 1, page(2), UR | 0x100], -3),
        ([0x1000, 1, page(2), URW], -3),
        ([0x1000, 1, page(3), UR], -3),
    ];
    for (arguments, error) in cases {
        assert_eq!(world.call(call::IPC_TRY_SEND, &arguments), error, "{arguments:x?}");
        assert_eq!(world.envs.env(FIRST).env_ipc_recving, 1);
    }
    assert_eq!((world.pages(FIRST), world.nfree(), message(&world)), (before, nfree, was));
    for dstva in [1, page(4) + 8, L::UTOP - 1] {
        assert_eq!(world.call(call::IPC_RECV, &[dstva]), -3);
    }
    // None is wanted anywhere above.
    for dstva in [L::UTOP, L::UTOP + 1, L::VA_LAST, L::UTOP + PGSIZE] {
        let mut world = waiting::<L, F>(dstva);
        assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1000, 1, L::VA_LAST, 77]), 0);
    }
}

/// A receiver that its parent has woken waits no longer, but takes a message still, as in JOS.
fn the_dead_receive_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let child = world.call(call::EXOFORK, &[]) as u64;
    assert_eq!(world.call(call::IPC_TRY_SEND, &[child, 1, L::UTOP, 0]), -7);
    assert_eq!(world.call(call::ENV_DESTROY, &[child]), 0);
    assert_eq!(world.call(call::IPC_TRY_SEND, &[child, 1, L::UTOP, 0]), -2);
    // To wait alone is to wait for ever.
    assert_eq!(world.call_only(call::IPC_RECV, &[L::UTOP]), Next::NoneRunnable);
}

on_every_format! {
    a_value_arrives
    a_page_arrives_where_it_is_wanted
    a_page_that_is_not_wanted
    wrong_messages_change_nothing
    the_dead_receive_nothing
}
