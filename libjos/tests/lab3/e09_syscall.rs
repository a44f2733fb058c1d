//! Exercise 9: `syscall`. The functions of other exercises need not be there: it is enough that a call comes to its own.

use layout::MemLayout;
use libjos::env::abi::{ENV_FREE, ENV_NOT_RUNNABLE, ENV_RUNNABLE};
use libjos::machine::PhysMem;
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::{Format, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, FIRST_ID, SECOND};
use crate::calls::{
    CGETC, CPUTS, Call, ENV_DESTROY, ENV_SET_PGFAULT_UPCALL, ENV_SET_STATUS, EXOFORK, GETENVID,
    IPC_RECV, IPC_TRY_SEND, PAGE_ALLOC, PAGE_MAP, PAGE_UNMAP, UNKNOWN, YIELD,
};
use crate::complaints::{reached, result};
use crate::rig::{UR, World, page};

lab_tests! {
    e09_syscall_leaves_the_result_in_the_callers_frame
    e09_syscall_of_an_unknown_number
    e09_syscall_cputs_prints
    e09_syscall_cputs_of_bad_memory_ends_the_program
    e09_syscall_about_environments
    e09_syscall_about_pages_and_messages
    e09_syscall_of_a_caller_that_ends
}

const INVAL: i64 = -3;

fn e09_syscall_leaves_the_result_in_the_callers_frame<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    world.must(GETENVID, &[11, 12, 13, 14, 15], 0x1000);
    let registers = world.envs.env(FIRST).env_tf.registers.map(Word::to_u64);
    assert!(
        registers == [0x1000, 11, 12, 13, 14, 15, 0, 0],
        "after sys_getenvid the caller's registers must be as before but for the result, but are {registers:x?}"
    );
    let other = world.envs.env(SECOND).env_tf.registers.map(Word::to_u64);
    assert!(
        other == [0; 8],
        "sys_getenvid changes the registers of another environment: {other:x?}"
    );
    world.console.typed.extend([b'a', 0xFF]);
    for wanted in [97, 255, 0] {
        world.must(CGETC, &[], wanted);
    }
    world.run(SECOND);
    world.must(GETENVID, &[], 0x1001);
}

fn e09_syscall_of_an_unknown_number<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    for number in [13, 14, 31, 255, 0x1_0000, 0xFFFF_FFFF] {
        world.must(Call(UNKNOWN, number), &[1, 2, 3, 4, 5], INVAL);
    }
}

fn e09_syscall_cputs_prints<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    let pa = world.put(FIRST, page(0), Perm::UR);
    world.put(FIRST, page(1), Perm::UR);
    world.pmap.machine().store_bytes(pa + 0xFFB, b"hello");
    for (va, len, wanted) in
        [(page(0) + 0xFFB, 5, &b"hello"[..]), (page(0) + 0xFFC, 6, b"ello\0\0"), (page(0), 0, b"")]
    {
        world.console.written.clear();
        world.must(CPUTS, &[va, len], 0);
        assert!(
            world.console.written == wanted,
            "sys_cputs({va:#x}, {len}) must print {wanted:?}, but prints {:?}",
            world.console.written
        );
    }
    world.console.written.clear();
}

fn e09_syscall_cputs_of_bad_memory_ends_the_program<L: MemLayout, F: Format + Mmu>() {
    let cases = [
        (1, 1, 1),
        (page(0) + 8, PGSIZE_AND_MORE, page(1)),
        (L::KERNBASE + 0xC, 100, L::KERNBASE + 0xC),
    ];
    for (va, len, fails) in cases {
        let mut world = World::<L, F>::family(1);
        world.put(FIRST, page(0), Perm::UR);
        let _ = world.gives_way(CPUTS, &[va, len]);
        let (said, line) = (
            world.said(),
            format!("[00001000] user_mem_check assertion failure for va {fails:08x}\n"),
        );
        assert!(
            said.starts_with(&line),
            "sys_cputs({va:#x}, {len:#x}) of memory that the program may not read must print {line:?}, but {said:?} is printed"
        );
        let (status, printed) = (world.envs.env(FIRST).env_status, &world.console.written);
        assert!(
            status == ENV_FREE && printed.is_empty(),
            "sys_cputs({va:#x}, {len:#x}) of memory that the program may not read must end it and print nothing of it, but its status \
             is {status}, and {printed:?} is printed"
        );
    }
}

const PGSIZE_AND_MORE: u64 = layout::PGSIZE + 100;

fn e09_syscall_about_environments<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(2);
    let status = |world: &World<L, F>| world.envs.env(SECOND).env_status;
    for wanted in [ENV_NOT_RUNNABLE, ENV_RUNNABLE] {
        world.must(ENV_SET_STATUS, &[0x1001, u64::from(wanted)], 0);
        let found = status(&world);
        assert!(
            found == wanted,
            "after sys_env_set_status(0x1001, {wanted}) the status is {found}"
        );
    }
    for wrong in [0, 1, 3, 5] {
        world.must(ENV_SET_STATUS, &[0x1001, wrong], INVAL);
    }
    world.must(ENV_SET_PGFAULT_UPCALL, &[0x1001, 0x80_0040], 0);
    let upcall = world.envs.env(SECOND).env_pgfault_upcall.to_u64();
    assert!(
        upcall == 0x80_0040,
        "after sys_env_set_pgfault_upcall(0x1001, 0x800040) it is {upcall:#x}"
    );
    world.said();
    world.must(ENV_DESTROY, &[0x1001], 0);
    let (status, said) = (status(&world), world.said());
    assert!(
        status == ENV_FREE
            && said == "[00001000] destroying 00001001\n[00001000] free env 00001001\n",
        "after sys_env_destroy(0x1001) the status is {status}, and {said:?} was printed"
    );
    for call in [ENV_DESTROY, ENV_SET_STATUS, ENV_SET_PGFAULT_UPCALL] {
        world.must(call, &[0x1001, 2], -2);
    }
}

/// A call of another exercise's function comes there, whether it is written or not.
fn e09_syscall_about_pages_and_messages<L: MemLayout, F: Format + Mmu>() {
    // Arguments with which no two of the functions return alike.
    let none = 0x1003;
    let cases: [(u32, Call, &[u64], i64); 5] = [
        (13, PAGE_ALLOC, &[0, page(0), 3], INVAL),
        (14, PAGE_MAP, &[0, page(0), none, page(1), UR], -2),
        (15, PAGE_UNMAP, &[0, page(0)], 0),
        (17, IPC_TRY_SEND, &[0, 5, L::UTOP, 0], -7),
        (12, EXOFORK, &[], 0x1001),
    ];
    for (exercise, call, arguments, wanted) in cases {
        let mut world = World::<L, F>::family(0);
        world.set_call(call, arguments);
        let text = call.with(arguments);
        let then =
            reached(exercise, &text, || world.envs.syscall(&mut world.pmap, &mut world.console));
        let Some(then) = then else { continue };
        let found = world.result(FIRST);
        assert!(
            then.is_none() && found == wanted,
            "{text}, number {}, must return {} and go on, but returns {}, and syscall gives {then:?}",
            call.1,
            result(wanted),
            result(found)
        );
    }
    let mut world = World::<L, F>::family(1);
    if reached(18, "sys_ipc_recv", || world.gives_way(IPC_RECV, &[L::UTOP])).is_some() {
        let status = world.envs.env(FIRST).env_status;
        assert!(
            status == ENV_NOT_RUNNABLE,
            "call {}, sys_ipc_recv, must let the caller wait, but its status is {status}",
            IPC_RECV.1
        );
    }
    let mut world = World::<L, F>::family(1);
    let _ = world.gives_way(YIELD, &[]);
    let found = world.result(FIRST);
    assert!(
        found == 0,
        "sys_yield() must return 0 when the caller's turn comes again, but returns {}",
        result(found)
    );
}

fn e09_syscall_of_a_caller_that_ends<L: MemLayout, F: Format + Mmu>() {
    for id in [0, FIRST_ID] {
        let mut world = World::<L, F>::family(1);
        world.put(FIRST, page(0), Perm::URW);
        world.said();
        let _ = world.gives_way(ENV_DESTROY, &[id]);
        let (said, wanted) =
            (world.said(), "[00001000] exiting gracefully\n[00001000] free env 00001000\n");
        assert!(
            said.starts_with(wanted),
            "sys_env_destroy({id:#x}) of the caller must print {wanted:?}, but {said:?} is printed"
        );
        let status = world.envs.env(FIRST).env_status;
        assert!(
            status == ENV_FREE,
            "after sys_env_destroy({id:#x}) the caller's status is {status}, not ENV_FREE"
        );
        let stack = world.pmap.machine_mut().user_load(VirtAddr::new(page(0)));
        assert!(
            stack.is_err(),
            "after sys_env_destroy({id:#x}) the caller's memory can still be read"
        );
    }
    // A caller that may not run any more, since it said so.
    let mut world = World::<L, F>::family(1);
    let _ = world.gives_way(ENV_SET_STATUS, &[0, u64::from(ENV_NOT_RUNNABLE)]);
    let (found, status) = (world.result(FIRST), world.envs.env(FIRST).env_status);
    assert!(
        found == 0 && status == ENV_NOT_RUNNABLE,
        "after sys_env_set_status(0, ENV_NOT_RUNNABLE) the result must be 0 and the status ENV_NOT_RUNNABLE, but they are {} and {status}",
        result(found)
    );
}
