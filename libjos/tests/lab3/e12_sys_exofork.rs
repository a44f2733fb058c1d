//! Exercise 12: `sys_exofork`.

use layout::{MemLayout, PGSIZE};
use libjos::env::TrapFrame;
use libjos::env::abi::ENV_NOT_RUNNABLE;
use libjos::paging::format::{Format, Perm};
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, SECOND};
use crate::calls::{ENV_SET_PGFAULT_UPCALL, EXOFORK, GETENVID};
use crate::rig::{World, page};

lab_tests! {
    e12_sys_exofork_makes_a_child
    e12_sys_exofork_gives_the_child_the_registers_and_0
    e12_sys_exofork_gives_no_memory
    e12_sys_exofork_without_memory_changes_nothing
}

fn e12_sys_exofork_makes_a_child<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    world.envs.set_name(FIRST, "hello");
    world.must(EXOFORK, &[], 0x1001);
    let (env, name) = (world.envs.env(SECOND), world.envs.name(SECOND).to_string());
    assert!(
        name == "hello",
        "after sys_exofork() the child's name must be its parent's, hello, but is {name:?}"
    );
    let found = (env.env_id.0, env.env_parent_id.0, env.env_status, env.env_runs);
    let wanted = (0x1001, 0x1000, ENV_NOT_RUNNABLE, 0);
    assert!(
        found == wanted,
        "after sys_exofork() id, parent, status and runs of the child must be {wanted:x?} (4 is ENV_NOT_RUNNABLE), but are {found:x?}"
    );
    let (line, said) = ("[00001000] new env 00001001\n", world.said());
    assert!(
        said == line,
        "sys_exofork() must print {line:?} (env_alloc does), but {said:?} is printed"
    );
    // The next child, and one in a slot that is used again.
    world.must(EXOFORK, &[], 0x1002);
    world.envs.env_destroy(&mut world.pmap, SECOND);
    world.must(EXOFORK, &[], 0x2001);
    let parent = world.envs.env(SECOND).env_parent_id.0;
    assert!(
        parent == 0x1000,
        "after sys_exofork() the child's parent must be 0x1000, but is {parent:#x}"
    );
}

fn e12_sys_exofork_gives_the_child_the_registers_and_0<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    world.must(GETENVID, &[11, 12, 13, 14, 15], 0x1000);
    let mut frame = world.envs.env(FIRST).env_tf;
    (frame.pc, frame.sp) = (F::Word::from_u64(0x80_1234), F::Word::from_u64(L::USTACKTOP - 80));
    world.envs.set_frame(FIRST, frame);
    world.must(EXOFORK, &[21, 22], 0x1001);
    let child = world.envs.env(SECOND).env_tf;
    let (pc, sp) = (child.pc().as_u64(), child.sp().as_u64());
    assert!(
        (pc, sp) == (0x80_1234, L::USTACKTOP - 80),
        "after sys_exofork() the child must go on where its parent does, at pc 0x801234 and sp {:#x}, but has {pc:#x} and {sp:#x}",
        L::USTACKTOP - 80
    );
    let registers = child.registers.map(Word::to_u64);
    assert!(
        registers[0] == 0,
        "after sys_exofork() the child's result must be 0, but is {:#x}",
        registers[0]
    );
    assert!(
        registers[1..] == [21, 22, 13, 14, 15, 0, 0],
        "after sys_exofork() the child must have its parent's registers, but has {registers:x?}"
    );
}

fn e12_sys_exofork_gives_no_memory<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    let pa = world.put(FIRST, page(0), Perm::URW);
    world.put(FIRST, L::USTACKTOP - PGSIZE, Perm::URW);
    world.must(ENV_SET_PGFAULT_UPCALL, &[0, 0x80_0040], 0);
    world.must(EXOFORK, &[], 0x1001);
    let pages = world.pages(SECOND);
    assert!(
        pages.is_empty(),
        "after sys_exofork() the child must have no memory, but maps {pages:x?}"
    );
    let pp_ref = world.pp_ref(pa);
    assert!(
        pp_ref == 1,
        "after sys_exofork() pp_ref of a page of the parent must be 1, but is {pp_ref}"
    );
    let upcall = world.envs.env(SECOND).env_pgfault_upcall.to_u64();
    assert!(upcall == 0, "after sys_exofork() the child must have no upcall, but has {upcall:#x}");
    let pages = world.pages(FIRST).len();
    assert!(pages == 2, "sys_exofork() must leave the parent's 2 pages, but it has {pages}");
}

fn e12_sys_exofork_without_memory_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    let took = world.with_little_memory("sys_exofork that failed", |world| {
        let result = world.result_of(EXOFORK, &[]);
        assert!(
            result == -4 || result == 0x1001 || result > 0x1001,
            "sys_exofork() without memory must return -4 (-E_NO_MEM), but returns {}",
            crate::complaints::result(result)
        );
        result > 0
    });
    assert!(took > 0, "sys_exofork() makes a child though no frame is free");
}
