//! Environments made and freed; what programs see of them.

use std::mem::offset_of;

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{ENV_FREE, Env, EnvId, Error, NENV, call};
use libjos::env::{Cause, EnvIndex, Envs, Next, Trap};
use libjos::machine::{Machine, PhysMem};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::PageAllocator;
use libjos::paging::format::{Format, Perm};
use libjos::paging::mappings::leaves;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

use crate::rig::elf::{elf_of, hello};
use crate::rig::{World, booted, page};

type E<F> = Env<SimFrame<F>, <F as Format>::Word>;

fn programs_see_envs_and_cannot_change_them<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(3);
    for number in 0..3 {
        let at = L::UENVS + number * size_of::<E<F>>() as u64;
        let id_at = at + offset_of!(E<F>, env_id) as u64;
        let seen = world.load(id_at & !7).unwrap() >> (8 * (id_at % 8)) & 0xFFFF_FFFF;
        assert_eq!(seen, 0x1000 + number);
    }
    for va in [L::UENVS, L::UENVS + (NENV * size_of::<E<F>>()) as u64 - 8] {
        assert_ne!(world.store(va, 1), Ok(()));
    }
    world.check();
}

/// The arrays take whole pages, and no page more; where addresses have 32 bits, 31 for JOS's `envs`.
fn the_arrays_take_no_more_than_they_need<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let nfree = pmap.pages().nfree();
    let envs = Envs::<SimFrame<F>>::env_init(&mut pmap).unwrap();
    let public = (NENV * size_of::<E<F>>()).div_ceil(PGSIZE as usize);
    let taken = nfree - pmap.pages().nfree();
    // The kernel's half is smaller, names of programs included; and there are tables for UENVS.
    assert!(public < taken && taken < public + 22 + F::LEVELS as usize, "{taken} of {public}");
    assert!(F::LEVELS != 2 || public == 31);
    assert_eq!(envs.all().count(), 0);
    pmap.checks().check_page_free_list();
}

/// The kernel's half of an environment's directory gives a program nothing to write or to execute.
fn the_kernels_half_is_no_programs<L: MemLayout, F: Format + Mmu>() {
    let world = World::<L, F>::with(1);
    let (first, last) = (VirtAddr::new(L::UENVS), VirtAddr::new(L::VA_LAST));
    let root = world.root(world.me());
    let mut seen = Vec::new();
    for leaf in leaves::<F, _>(world.pmap.machine(), root, first, last) {
        if leaf.perm.contains(Perm::U) {
            let always_executable = F::ALWAYS.contains(Perm::X);
            assert!(!leaf.perm.contains(Perm::W), "{leaf:?}");
            assert!(always_executable || !leaf.perm.contains(Perm::X), "{leaf:?}");
            assert!(leaf.va.as_u64() < L::ULIM, "{leaf:?}");
            seen.push(leaf.va.as_u64());
        }
    }
    assert!(seen.contains(&L::UENVS) && seen.contains(&L::UPAGES));
}

fn ids_name_slots_and_generations<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::empty();
    let nfree = world.nfree();
    let new = |world: &mut World<L, F>| {
        let index = world.envs.env_alloc(&mut world.pmap, EnvId::NONE).unwrap();
        (index, world.envs.env(index).env_id.0)
    };
    let made: Vec<_> = (0..4).map(|_| new(&mut world)).collect();
    assert_eq!(
        made.iter().map(|(_, id)| *id).collect::<Vec<_>>(),
        [0x1000, 0x1001, 0x1002, 0x1003]
    );
    assert_eq!(
        world.said(),
        "[00000000] new env 00001000\n[00000000] new env 00001001\n\
         [00000000] new env 00001002\n[00000000] new env 00001003\n"
    );
    // A slot that was freed is the next to be used, with the next generation.
    for (freed, id) in [(1, 0x2001), (3, 0x2003), (1, 0x3001)] {
        world.envs.env_destroy(&mut world.pmap, made[freed].0);
        assert_eq!(world.envs.env(made[freed].0).env_status, ENV_FREE);
        assert_eq!(new(&mut world), (made[freed].0, id));
    }
    world.said();
    world.envs.env_destroy(&mut world.pmap, made[0].0);
    world.envs.env_destroy(&mut world.pmap, made[2].0);
    assert_eq!(world.said(), "[00000000] free env 00001000\n[00000000] free env 00001002\n");
    assert_eq!([new(&mut world).1, new(&mut world).1, new(&mut world).1], [0x2002, 0x2000, 0x1004]);
    for id in [0x1000, 0x3002, 0x1005, -1, i32::MAX, i32::MIN, 0x1400] {
        assert_eq!(world.envs.envid2env(EnvId(id), false), Err(Error::BadEnv), "{id:#x}");
    }
    assert_eq!(world.envs.envid2env(EnvId(0x2002), false), Ok(EnvIndex::new(2)));
    let all: Vec<_> = world.envs.all().map(|(index, _)| index).collect();
    assert_eq!(all, (0..5).map(EnvIndex::new).collect::<Vec<_>>());
    for index in all {
        world.envs.env_destroy(&mut world.pmap, index);
    }
    // But for the tables that directories share, which the first one made.
    let tables = nfree - world.nfree();
    new(&mut world);
    world.envs.env_destroy(&mut world.pmap, EnvIndex::new(4));
    assert_eq!(world.nfree(), nfree - tables);
    world.check();
}

fn there_are_as_many_as_slots<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::empty();
    for number in 0..NENV {
        let index = world.envs.env_alloc(&mut world.pmap, EnvId::NONE).unwrap();
        assert_eq!(index.number(), number);
    }
    let nfree = world.nfree();
    let error = world.envs.env_alloc(&mut world.pmap, EnvId::NONE);
    assert_eq!((error, world.nfree()), (Err(Error::NoFreeEnv), nfree));
    let last = EnvIndex::new(NENV - 1);
    world.envs.env_destroy(&mut world.pmap, last);
    assert_eq!(world.envs.env_alloc(&mut world.pmap, EnvId::NONE), Ok(last));
}

/// Generations end, and begin again with the first.
fn generations_wrap<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::empty();
    let index = world.envs.env_alloc(&mut world.pmap, EnvId::NONE).unwrap();
    let at = VirtAddr::new(L::UENVS + offset_of!(E<F>, env_id) as u64);
    let pa = world.pmap.va2pa(world.pmap.kern_pgdir(), at).unwrap();
    world.pmap.machine().store(pa, 0x7fff_f000_u32);
    world.envs.env_destroy(&mut world.pmap, index);
    let index = world.envs.env_alloc(&mut world.pmap, EnvId::NONE).unwrap();
    assert_eq!(world.envs.env(index).env_id, EnvId(0x1000));
}

fn the_one_that_runs_ends_and_gives_all_back<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let used = world.pages(world.me()).len();
    let before = world.nfree();
    let root = world.root(world.me());
    assert_eq!(world.call_only(call::ENV_DESTROY, &[0]), Next::NoneRunnable);
    assert_eq!(
        world.said(),
        "[00001000] exiting gracefully\n[00001000] free env 00001000\n\
         No runnable environments in the system!\n\
         Destroyed the only environment - nothing more to do!\n"
    );
    assert_eq!(world.envs.curenv(), None);
    // Its pages, its tables and its root.
    assert!(world.nfree() > before + used);
    assert_ne!(world.pmap.kern_root(), root);
    // The processor uses `kern_pgdir`: its stack is there, the program's is not.
    let stack = VirtAddr::new(L::USTACKTOP - PGSIZE);
    assert!(world.pmap.machine_mut().user_load(stack).is_err());
    assert!(world.pmap.machine_mut().probe_load(VirtAddr::new(L::KSTACKTOP - 8)).is_ok());
    world.check();
}

/// The machine's frame is allocated once, belongs to one environment and goes with it.
fn the_machines_frame_goes_with_its_environment<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    let [first, second] = [0, 1].map(EnvIndex::new);
    let [id, other] = [first, second].map(|index| world.envs.id(index));
    let nfree = world.nfree();
    assert_eq!(world.envs.machine_frame_of(&world.pmap, id), None);
    assert!(!world.envs.has_machine_frame(first));
    let (frame, is_new) = world.envs.machine_frame(&mut world.pmap, first).unwrap();
    assert!(is_new && world.nfree() == nfree - 1);
    assert_eq!(world.pmap.machine().load::<u32>(frame), 0);
    assert_eq!(world.envs.machine_frame(&mut world.pmap, first), Some((frame, false)));
    assert!(world.envs.has_machine_frame(first) && !world.envs.has_machine_frame(second));
    let another = world.envs.machine_frame(&mut world.pmap, second).unwrap();
    assert!(another.1 && another.0 != frame);
    assert_eq!(world.envs.machine_frame_of(&world.pmap, id), Some(frame));
    world.check();
    world.envs.env_destroy(&mut world.pmap, second);
    assert_eq!(world.envs.machine_frame_of(&world.pmap, other), None);
    world.envs.env_create(&mut world.pmap, &elf_of::<F>(&hello())).unwrap();
    // One in the same slot has none yet, and nothing was lost.
    assert_ne!(world.envs.id(second), other);
    assert_eq!(world.envs.machine_frame_of(&world.pmap, world.envs.id(second)), None);
    assert!(!world.envs.has_machine_frame(second));
    assert_eq!(world.nfree(), nfree - 1);
    world.check();
}

/// Whoever ends, the one that runs is another only if it is that one; and to end a child is no turn.
fn who_runs_when_one_ends<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(3);
    let (me, runs) = (world.me(), world.envs.env(world.me()).env_runs);
    world.envs.env_destroy(&mut world.pmap, EnvIndex::new(2));
    assert_eq!(world.envs.curenv(), Some(me));
    let child = world.call(call::EXOFORK, &[]) as u64;
    assert_eq!(world.call(call::ENV_DESTROY, &[child]), 0);
    assert_eq!(world.envs.env(me).env_runs, runs);
    world.envs.env_destroy(&mut world.pmap, me);
    assert_eq!(world.envs.curenv(), None);
}

/// The one that runs may wait for a message, and does not run then. As long as one runs or is runnable, one can run.
fn who_runs_and_who_can<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    let [first, second] = [0, 1].map(EnvIndex::new);
    assert_eq!([first, second].map(|index| world.envs.is_running(index)), [true, false]);
    assert!(world.envs.can_run());
    let mut frame = world.envs.env(first).env_tf;
    (frame.registers[0], frame.registers[1]) =
        (F::Word::from_u64(call::IPC_RECV), F::Word::from_u64(page(0)));
    world.envs.set_frame(first, frame);
    let trap = Trap { cause: Cause::Syscall, incoming: VirtAddr::new(0) };
    let next = world.envs.trap_dispatch(&mut world.pmap, &mut world.console, trap);
    assert_eq!((next, world.envs.curenv()), (Next::Run(second), Some(first)));
    assert_eq!([first, second].map(|index| world.envs.is_running(index)), [false, false]);
    assert!(world.envs.can_run(), "the second is runnable");
    world.go(next);
    assert_eq!([first, second].map(|index| world.envs.is_running(index)), [false, true]);
    assert!(world.envs.can_run(), "the second runs, and no other is runnable");
    world.envs.env_destroy(&mut world.pmap, second);
    assert!(!world.envs.can_run(), "the first waits");
}

on_every_format! {
    who_runs_and_who_can
    who_runs_when_one_ends
    the_machines_frame_goes_with_its_environment
    programs_see_envs_and_cannot_change_them
    the_arrays_take_no_more_than_they_need
    the_kernels_half_is_no_programs
    ids_name_slots_and_generations
    there_are_as_many_as_slots
    the_one_that_runs_ends_and_gives_all_back
    generations_wrap
}
