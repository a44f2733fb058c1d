//! No free page, then one, and so on: each call fails whole until it succeeds.

use std::collections::BTreeSet;

use layout::{MemLayout, PGSIZE};
use libjos::env::abi::{Env, Error, call};
use libjos::env::{EnvIndex, Envs, LoadError, Next, TrapFrame};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator};
use libjos::paging::format::Format;
use libjos::paging::mappings::Mapping;
use libjos::paging::vm::Vm;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

use crate::rig::elf::{elf_of, hello};
use crate::rig::{UR, URW, World, booted, page};

const NO_MEM: i64 = -4;

/// Takes all free pages but `left`.
fn take<L: MemLayout, F: Format + Mmu>(vm: &mut Vm<SimMachine<L, F>>, left: usize) -> Vec<Frame> {
    let n = vm.pages().nfree().saturating_sub(left);
    (0..n).map(|_| vm.page_alloc(AllocFlags::empty()).unwrap()).collect()
}

fn give_back<L: MemLayout, F: Format + Mmu>(vm: &mut Vm<SimMachine<L, F>>, taken: Vec<Frame>) {
    taken.into_iter().for_each(|frame| vm.pages_mut().page_free(frame));
}

/// All that must not change: every environment but its registers, what it maps, every count, and how many pages are free.
fn state<L: MemLayout, F: Format + Mmu>(
    world: &World<L, F>,
) -> (Vec<String>, Vec<Vec<Mapping>>, Vec<u32>, usize) {
    let fields = world.envs.all().map(|(index, env)| {
        let tf = SimFrame::user(VirtAddr::new(0), VirtAddr::new(0));
        format!("{index:?} {:?}", Env { env_tf: tf, env_runs: 0, ..env })
    });
    let maps = world.envs.all().map(|(index, _)| world.pages(index)).collect();
    let refs = world.pmap.pages().infos().map(|info| info.pp_ref()).collect();
    (fields.collect(), maps, refs, world.nfree())
}

/// Does `operation` with ever more free pages, and returns how many it took. It says whether it succeeded.
fn needs<L: MemLayout, F: Format + Mmu>(
    world: &mut World<L, F>,
    mut operation: impl FnMut(&mut World<L, F>) -> bool,
) -> usize {
    for left in 0.. {
        let before = state(world);
        let taken = take(&mut world.pmap, left);
        let succeeded = operation(world);
        give_back(&mut world.pmap, taken);
        if succeeded {
            return left;
        }
        assert_eq!(state(world), before, "with {left} free pages");
    }
    unreachable!()
}

fn the_arrays_are_made_whole_or_not_at_all<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    // Runs of free frames must be there, so the last ones are left free.
    let mut made = false;
    for left in 0..400 {
        let frames: Vec<_> = {
            let all = take(&mut pmap, 0);
            let (kept, freed) = all.split_at(all.len() - left);
            freed.iter().for_each(|frame| pmap.pages_mut().page_free(*frame));
            kept.to_vec()
        };
        let refs: Vec<_> = pmap.pages().infos().map(|info| info.pp_ref()).collect();
        made = Envs::<SimFrame<F>>::env_init(&mut pmap).is_ok();
        if !made {
            assert_eq!(pmap.pages().nfree(), left);
            assert!(pmap.pages().infos().map(|info| info.pp_ref()).eq(refs));
        }
        give_back(&mut pmap, frames);
        if made {
            break;
        }
    }
    assert!(made);
    pmap.checks().check_page_free_list();
}

/// One aligned run of each size is free, and a few pages beside it: the first array takes the run, and the second one, or
/// the tables, may be without memory.
fn what_was_made_of_the_arrays_goes_back<L: MemLayout, F: Format + Mmu>() {
    let mut failed = 0;
    for (order, further) in (0..10).flat_map(|order| [(order, 0), (order, 1), (order, 9)]) {
        let mut pmap = booted::<L, F>();
        let mut taken: BTreeSet<usize> =
            take(&mut pmap, 0).into_iter().map(|frame| frame.index()).collect();
        let run =
            |start: &usize| (*start..start + (1 << order)).all(|frame| taken.contains(&frame));
        let start = (0..1 << 12).step_by(1 << order).find(run).expect("a run");
        taken.retain(|frame| !(start..start + (1 << order)).contains(frame));
        // No two of these are neighbours, nor is one the run's.
        let beside: Vec<_> = taken.iter().copied().skip(3).step_by(2).take(further).collect();
        let free = (start..start + (1 << order)).chain(beside).collect::<BTreeSet<_>>();
        for frame in &free {
            pmap.pages_mut().page_free(Frame::new(*frame as u32));
        }
        let refs: Vec<_> = pmap.pages().infos().map(|info| info.pp_ref()).collect();
        if Envs::<SimFrame<F>>::env_init(&mut pmap).is_err() {
            failed += 1;
            assert_eq!(pmap.pages().nfree(), free.len(), "{order} {further}");
            assert!(pmap.pages().infos().map(|info| info.pp_ref()).eq(refs), "{order} {further}");
        }
    }
    assert!(failed > 5 && failed < 30, "{failed}");
}

fn a_program_is_loaded_whole_or_not_at_all<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let file = elf_of::<F>(&hello());
    let n = needs(&mut world, |world| match world.envs.env_create(&mut world.pmap, &file) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, LoadError::NoMemory);
            false
        }
    });
    assert!(n >= 8, "{n}");
}

fn calls_that_take_memory<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    let call = |number: u64, arguments: Vec<u64>| {
        move |world: &mut World<L, F>| {
            let result = world.call(number, &arguments);
            assert!(result >= 0 || result == NO_MEM);
            result >= 0
        }
    };
    let tables = F::LEVELS as usize - 1;
    let far = 0x3000_0000;
    assert_eq!(needs(&mut world, call(call::PAGE_ALLOC, vec![0, page(0), URW])), 1 + 1);
    assert_eq!(needs(&mut world, call(call::PAGE_ALLOC, vec![0, page(1), URW])), 1);
    // It takes the frame before it gives up the old one.
    assert_eq!(needs(&mut world, call(call::PAGE_ALLOC, vec![0, page(1), UR])), 1);
    assert_eq!(needs(&mut world, call(call::PAGE_MAP, vec![0, page(0), 0, page(2), UR])), 0);
    let n = needs(&mut world, call(call::PAGE_MAP, vec![0, page(0), 0, far, UR]));
    assert!(1 <= n && n <= tables);
    assert_eq!(needs(&mut world, call(call::PAGE_UNMAP, vec![0, far])), 0);
    assert_eq!(needs(&mut world, call(call::EXOFORK, vec![])), 1);
    let child = 0x1002;
    let n = needs(&mut world, call(call::PAGE_MAP, vec![0, page(0), child, page(0), URW]));
    assert_eq!(n, tables);
}

fn a_message_with_a_page_comes_whole_or_not_at_all<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    let me = world.me();
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), URW]), 0);
    let Next::Run(receiver) = world.call_only(call::YIELD, &[]) else { panic!("none runs") };
    assert_eq!(world.call_only(call::IPC_RECV, &[0x3000_0000]), Next::Run(me));
    let n = needs(&mut world, |world| {
        let result = world.call(call::IPC_TRY_SEND, &[0x1001, 5, page(0), UR]);
        assert_eq!(world.envs.env(receiver).env_ipc_recving, u32::from(result < 0));
        assert!(result == 0 || result == NO_MEM);
        result == 0
    });
    assert!(n >= 1);
}

/// Calls that need no memory go on without any.
fn without_any_memory<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    let (me, stack) = (world.me(), L::UXSTACKTOP - PGSIZE);
    let child = world.call(call::EXOFORK, &[]) as u64;
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), URW]), 0);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, stack, URW]), 0);
    let taken = take(&mut world.pmap, 0);
    for (number, arguments) in [
        (call::CPUTS, [0x80_2000, 4, 0, 0]),
        (call::ENV_SET_PGFAULT_UPCALL, [0, 0x80_0040, 0, 0]),
        (call::PAGE_MAP, [0, page(0), 0, page(1)]),
        (call::PAGE_UNMAP, [0, page(9), 0, 0]),
        (call::ENV_SET_STATUS, [child, 4, 0, 0]),
        (call::CGETC, [0; 4]),
    ] {
        let arguments = [&arguments[..], &[UR]].concat();
        assert_eq!(world.call(number, &arguments), 0, "call {number}");
    }
    // A page fault finds its handler, and each other one below it.
    for _ in 0..3 {
        assert_eq!(world.load(page(7)), Err(Next::Run(me)));
    }
    // A message without a page arrives.
    let Next::Run(other) = world.call_only(call::YIELD, &[]) else { panic!("none runs") };
    assert_eq!(world.call_only(call::IPC_RECV, &[L::UTOP]), Next::Run(me));
    assert_eq!(world.call(call::IPC_TRY_SEND, &[0x1001, 5, L::UTOP, 0]), 0);
    assert_eq!(world.envs.env(other).env_ipc_from.0, 0x1000);
    // One that ends gives its memory back at once.
    assert_eq!(world.nfree(), 0);
    assert_eq!(world.call(call::ENV_DESTROY, &[child]), 0);
    assert_eq!(world.nfree(), 1);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(2), URW]), 0);
    give_back(&mut world.pmap, taken);
    world.check();
}

/// Wherever a program's fault may need memory, there is an end in words, and nothing is lost.
fn a_fault_without_memory<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    assert_eq!(world.call(call::ENV_SET_PGFAULT_UPCALL, &[0, 0x80_0040]), 0);
    let taken = take(&mut world.pmap, 0);
    // It has no exception stack, and there is no page for one.
    let other = EnvIndex::new(1);
    assert_eq!(world.load(page(7)), Err(Next::Run(other)));
    assert!(world.said().starts_with("[00001000] user_mem_check assertion failure for va "));
    give_back(&mut world.pmap, taken);
    world.check();
}

/// Without a page for the machine, nothing has changed.
fn the_machines_frame_is_there_or_not<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let me = world.me();
    let n = needs(&mut world, |world| world.envs.machine_frame(&mut world.pmap, me).is_some());
    assert_eq!(n, 1);
}

/// Children are made until there is no memory; when they end, all of it is back.
fn until_there_is_no_memory<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let nfree = world.nfree();
    let mut children = Vec::new();
    let error = loop {
        let child = world.call(call::EXOFORK, &[]);
        if child < 0 {
            break child;
        }
        children.push(child as u64);
        for n in 0.. {
            if n == 40 || world.call(call::PAGE_ALLOC, &[child as u64, page(n), URW]) < 0 {
                break;
            }
        }
    };
    assert_eq!(error, -(Error::NoMem as i64));
    assert!(children.len() > 10);
    for child in children {
        assert_eq!(world.call(call::ENV_DESTROY, &[child]), 0);
    }
    assert_eq!(world.nfree(), nfree);
    assert_eq!(world.load(L::USTACKTOP - PGSIZE), Ok(0));
    world.check();
}

on_every_format! {
    the_arrays_are_made_whole_or_not_at_all
    what_was_made_of_the_arrays_goes_back
    a_program_is_loaded_whole_or_not_at_all
    calls_that_take_memory
    a_message_with_a_page_comes_whole_or_not_at_all
    without_any_memory
    a_fault_without_memory
    until_there_is_no_memory
    the_machines_frame_is_there_or_not
}
