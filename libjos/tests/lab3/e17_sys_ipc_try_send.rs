//! Exercise 17: `sys_ipc_try_send`. The receiver is made to wait by hand.

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{ENV_NOT_RUNNABLE, ENV_RUNNABLE};
use libjos::machine::PhysMem;
use libjos::mem::addr::PhysAddr;
use libjos::paging::format::{Format, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use std::mem::offset_of;

use crate::by_hand::{E, FIRST, SECOND};
use crate::calls::{ENV_SET_STATUS, IPC_TRY_SEND};
use crate::complaints::{leads, result};
use crate::e13_sys_page_alloc::NO_PERM;
use crate::rig::{UR, URW, World, page};

lab_tests! {
    e17_sys_ipc_try_send_hands_a_value_over
    e17_sys_ipc_try_send_is_for_one_that_waits
    e17_sys_ipc_try_send_maps_a_page_where_it_is_wanted
    e17_sys_ipc_try_send_replaces_a_page
    e17_sys_ipc_try_send_of_a_page_that_is_not_wanted
    e17_sys_ipc_try_send_refuses_a_wrong_page
    e17_sys_ipc_try_send_without_memory_changes_nothing
}

/// The first environment runs; the second one, its child, waits for a message, and wants a page at `dstva`. Its fields
/// still have an earlier message.
fn waiting<L: MemLayout, F: Format + Mmu>(dstva: u64) -> World<L, F> {
    let mut world = World::family(1);
    world.must(ENV_SET_STATUS, &[0x1001, u64::from(ENV_NOT_RUNNABLE)], 0);
    world.set_receiving(SECOND, dstva);
    world.set(SECOND, offset_of!(E<F>, env_ipc_perm), 0x77_u32);
    world.set(SECOND, offset_of!(E<F>, env_ipc_from), 0x77_u32);
    world
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// The receiver must have this message: value and permissions, from the first environment; and run again.
    fn must_have(&self, value: u64, perm: u32, what: &str) {
        let env = self.envs.env(SECOND);
        let found = [
            ("env_ipc_value", env.env_ipc_value.to_u64(), value),
            ("env_ipc_from", u64::from(env.env_ipc_from.0.cast_unsigned()), 0x1000),
            ("env_ipc_perm", u64::from(env.env_ipc_perm), u64::from(perm)),
            ("env_ipc_recving", u64::from(env.env_ipc_recving), 0),
            ("env_status", u64::from(env.env_status), u64::from(ENV_RUNNABLE)),
        ];
        for (name, found, wanted) in found {
            assert!(
                found == wanted,
                "after {what} {name} of the receiver must be {wanted:#x}, but is {found:#x}"
            );
        }
        let returned = self.result(SECOND);
        assert!(
            returned == 0,
            "after {what} the receiver's sys_ipc_recv must return 0, but returns {}",
            result(returned)
        );
    }
}

fn e17_sys_ipc_try_send_hands_a_value_over<L: MemLayout, F: Format + Mmu>() {
    for value in [0, 5, 0xFFFF_FFFE] {
        for srcva in [L::UTOP, L::VA_LAST, L::KERNBASE + 1] {
            // No page is sent: then it does not matter whether one is wanted, nor what the permissions are.
            for (dstva, perm) in [(L::UTOP, 0), (L::VA_LAST, 0x77), (page(4), UR)] {
                let mut world = waiting::<L, F>(dstva);
                let arguments = [0x1001, value, srcva, perm];
                world.must(IPC_TRY_SEND, &arguments, 0);
                let what = IPC_TRY_SEND.with(&arguments);
                world.must_have(value, 0, &what);
                let pages = world.pages(SECOND);
                assert!(
                    pages.is_empty(),
                    "{what} sends no page (srcva is not below UTOP), but the receiver maps {pages:x?}"
                );
            }
        }
    }
}

fn e17_sys_ipc_try_send_is_for_one_that_waits<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(L::UTOP);
    let before = world.state();
    for (env, wanted) in
        [(0x1002, -2), (0x2001, -2), (0x1801, -2), (0xFFFF_FFFF, -2), (0, -7), (0x1000, -7)]
    {
        let arguments = [env, 1, L::UTOP, 0];
        world.must(IPC_TRY_SEND, &arguments, wanted);
        world.assert_unchanged(&before, &IPC_TRY_SEND.with(&arguments));
    }
    // One message for each wait.
    world.must(IPC_TRY_SEND, &[0x1001, 1, L::UTOP, 0], 0);
    world.must(IPC_TRY_SEND, &[0x1001, 2, L::UTOP, 0], -7);
    world.must_have(1, 0, "a second message, which nobody waits for,");
    // The receiver need be nobody's child.
    let mut world = waiting::<L, F>(L::UTOP);
    world.set(SECOND, offset_of!(E<F>, env_parent_id), 0_u32);
    world.must(IPC_TRY_SEND, &[0x1001, 9, L::UTOP, 0], 0);
    world.must_have(9, 0, "sys_ipc_try_send to one that is not the caller's child");
}

fn e17_sys_ipc_try_send_maps_a_page_where_it_is_wanted<L: MemLayout, F: Format + Mmu>() {
    for (dstva, asked, perm) in [
        (page(4), UR, Perm::UR),
        (page(2), URW, Perm::URW),
        (0, UR, Perm::UR),
        (L::UTOP - PGSIZE, URW, Perm::URW),
    ] {
        let mut world = waiting::<L, F>(dstva);
        let pa = world.put(FIRST, page(2), Perm::URW);
        let arguments = [0x1001, 9, page(2), asked];
        let what =
            format!("{} to one that wants a page at {dstva:#x}", IPC_TRY_SEND.with(&arguments));
        world.must(IPC_TRY_SEND, &arguments, 0);
        world.must_have(9, asked as u32, &what);
        let found = world.must_map(SECOND, dstva, perm, &what);
        assert!(
            found == pa,
            "after {what} it must map the sender's frame at {pa}, but maps that at {found}"
        );
        world.must_count(pa, 2, &what);
        world.must_map(FIRST, page(2), Perm::URW, &what);
        assert!(world.pages(SECOND).len() == 1, "{what} maps more than one page");
    }
}

fn e17_sys_ipc_try_send_replaces_a_page<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(page(4));
    let pa = world.put(FIRST, page(2), Perm::URW);
    let old = world.put(SECOND, page(4), Perm::URW);
    let what = "sys_ipc_try_send of a page to where the receiver has another";
    world.must(IPC_TRY_SEND, &[0x1001, 9, page(2), UR], 0);
    let found = world.must_map(SECOND, page(4), Perm::UR, what);
    assert!(found == pa, "after {what} it must map the frame at {pa}, but maps that at {found}");
    world.must_count(pa, 2, what);
    world.must_count(old, 0, what);
}

/// It does not come, and yet it must be right.
fn e17_sys_ipc_try_send_of_a_page_that_is_not_wanted<L: MemLayout, F: Format + Mmu>() {
    for dstva in [L::UTOP, L::KERNBASE, L::VA_LAST] {
        let mut world = waiting::<L, F>(dstva);
        let pa: PhysAddr = world.put(FIRST, page(2), Perm::URW);
        world.pmap.machine().store(pa, 1_u32);
        let what = "sys_ipc_try_send of a page that the receiver does not want (its dstva is not below UTOP)";
        let why = "the receiver does not want the page, and gets the value";
        world.must_since(IPC_TRY_SEND, &[0x1001, 9, page(2), UR], 0, why);
        let pages: Vec<_> =
            world.pages(SECOND).iter().map(|leaf| Some((leaf.pa, leaf.perm))).map(leads).collect();
        assert!(pages.is_empty(), "after {what} it must map nothing, but maps {pages:?}");
        world.must_have(9, 0, what);
        world.must_count(pa, 1, what);
    }
    let mut world = waiting::<L, F>(L::UTOP);
    let why = "the sender has no such page, though the receiver wants none";
    world.must_since(IPC_TRY_SEND, &[0x1001, 9, page(2), UR], -3, why);
}

fn e17_sys_ipc_try_send_refuses_a_wrong_page<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(page(4));
    world.put(FIRST, page(2), Perm::UR);
    world.put(FIRST, page(6), Perm::KRW);
    let before = world.state();
    let mut refused = |srcva, perm, why: &str| {
        let arguments = [0x1001, 1, srcva, perm];
        world.must_since(IPC_TRY_SEND, &arguments, -3, why);
        world.assert_unchanged(&before, &format!("{} ({why})", IPC_TRY_SEND.with(&arguments)));
    };
    for srcva in [1, page(2) + 1, page(2) + 8, L::UTOP - 1] {
        refused(srcva, UR, "srcva is no page's first address");
    }
    for perm in NO_PERM {
        refused(page(2), perm, "the permissions are wrong");
    }
    refused(page(2), URW, "the page may not be written");
    for srcva in [page(3), page(6), 0] {
        refused(srcva, UR, "the sender has no page there");
    }
}

fn e17_sys_ipc_try_send_without_memory_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut world = waiting::<L, F>(0x3000_0000);
    world.put(FIRST, page(2), Perm::URW);
    let arguments = [0x1001, 5, page(2), UR];
    let took = world.with_little_memory(&IPC_TRY_SEND.with(&arguments), |world| {
        let found = world.result_of(IPC_TRY_SEND, &arguments);
        assert!(
            found == 0 || found == -4,
            "sys_ipc_try_send without memory must return -4 (-E_NO_MEM), but returns {}",
            result(found)
        );
        found == 0
    });
    assert!(
        took == F::LEVELS as usize - 1,
        "sys_ipc_try_send takes {took} frames for the receiver's tables"
    );
}
