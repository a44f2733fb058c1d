//! The calls but `cputs` and those about messages: what they do, and every argument that is refused.

use layout::{Jos64, MB, MemLayout, PGSIZE};
use libjos::env::abi::{
    ENV_NOT_RUNNABLE, ENV_RUNNABLE, ENV_RUNNING, PTE_AVAIL, PTE_P, PTE_U, PTE_W, call,
};
use libjos::env::{Cause, EnvIndex, Next};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::word::Word;
use libjos::pmap::Pmap;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;

use crate::rig::{UR, URW, World, booted_with, page};

const BAD_ENV: i64 = -2;
const INVAL: i64 = -3;
const TEXT: u64 = 0x80_0000;

fn ids_and_characters<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    assert_eq!(world.call(call::GETENVID, &[]), 0x1000);
    world.console.typed.extend([b'a', 0xFF]);
    let typed = [0; 3].map(|_| world.call(call::CGETC, &[]));
    assert_eq!(typed, [97, 255, 0]);
    for number in [13, 31, 255, 0xFFFF_FFFF] {
        assert_eq!(world.call(number, &[1, 2, 3, 4, 5]), INVAL);
    }
}

fn pages_are_made_shared_and_taken_away<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let me = world.me();
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), URW]), 0);
    assert_eq!(world.load(page(0)), Ok(0));
    world.store(page(0) + 8, 77).unwrap();
    assert_eq!(world.mapped(me, page(0)).unwrap().1, F::effective(Perm::URW));
    // Elsewhere the frame is mapped for reading.
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0, page(9), UR]), 0);
    let (pa, perm) = world.mapped(me, page(9)).unwrap();
    assert_eq!(
        (Some(pa), perm),
        (world.mapped(me, page(0)).map(|(pa, _)| pa), F::effective(Perm::UR))
    );
    let frame = world.pmap.pages().pa2page(pa).unwrap();
    assert_eq!(world.pmap.pages().pp_ref(frame), 2);
    assert_eq!(world.load(page(9) + 8), Ok(77));
    // Memory anew takes its place; the other mapping stays.
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), UR]), 0);
    assert_eq!((world.load(page(0) + 8), world.load(page(9) + 8)), (Ok(0), Ok(77)));
    assert_eq!(world.pmap.pages().pp_ref(frame), 1);
    // To itself, with other permissions.
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0, page(0), UR]), 0);
    let nfree = world.nfree();
    assert_eq!(world.call(call::PAGE_UNMAP, &[0, page(9)]), 0);
    assert_eq!(world.nfree(), nfree + 1);
    for va in [page(9), page(500), 0, L::UTOP - PGSIZE] {
        assert_eq!(world.call(call::PAGE_UNMAP, &[0, va]), 0);
    }
    assert!(world.load(page(9)).is_err());
}

/// A program's own bits of an entry come back where the machine has them, and are refused where not.
fn bits_of_a_programs_own<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let me = world.me();
    for own in [0x200, 0x400, 0x800, 0xE00] {
        let result = world.call(call::PAGE_ALLOC, &[0, page(0), UR | own]);
        if F::AVAIL.is_empty() {
            assert_eq!(result, INVAL);
            continue;
        }
        assert_eq!(result, 0);
        let (_, perm) = world.mapped(me, page(0)).unwrap();
        let kept = u64::from((perm & Perm::AVAIL).bits());
        // i386 keeps its lowest for the kernel.
        assert_eq!(kept, if F::LEVELS == 2 { own & !0x200 } else { own });
        assert!(!perm.intersects(Perm::COW | Perm::PRIVATE | Perm::W));
        assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0, page(1), UR | own]), 0);
    }
    assert_eq!(PTE_AVAIL, u64::from(Perm::AVAIL.bits()));
}

/// Each argument that is wrong gives its error, and changes nothing.
fn wrong_arguments_change_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(2);
    let me = world.me();
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), UR]), 0);
    let (before, nfree) = (world.pages(me), world.nfree());
    let no_page =
        [1, page(1) + 1, L::UTOP, L::UTOP + PGSIZE, L::UENVS, L::ULIM, L::KERNBASE, L::VA_LAST];
    let no_perm =
        [0, PTE_P, PTE_U, PTE_W, PTE_U | PTE_W, UR | 8, UR | 0x100, UR | 0x1000, UR | 1 << 31];
    // The second one is neither the caller nor its child; the last ones are none's.
    let no_env = [0x1001, 0x1002, 0x2000, 0x1000 | 1 << 11, u64::from(u32::MAX), 1];
    for env in no_env {
        assert_eq!(world.call(call::PAGE_ALLOC, &[env, page(1), URW]), BAD_ENV, "{env:#x}");
        assert_eq!(world.call(call::PAGE_MAP, &[env, page(0), 0, page(1), UR]), BAD_ENV);
        assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), env, page(1), UR]), BAD_ENV);
        assert_eq!(world.call(call::PAGE_UNMAP, &[env, page(0)]), BAD_ENV);
        assert_eq!(world.call(call::ENV_SET_STATUS, &[env, 2]), BAD_ENV);
        assert_eq!(world.call(call::ENV_SET_PGFAULT_UPCALL, &[env, TEXT]), BAD_ENV);
        assert_eq!(world.call(call::ENV_DESTROY, &[env]), BAD_ENV);
    }
    for va in no_page {
        assert_eq!(world.call(call::PAGE_ALLOC, &[0, va, URW]), INVAL, "{va:#x}");
        assert_eq!(world.call(call::PAGE_MAP, &[0, va, 0, page(1), UR]), INVAL);
        assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0, va, UR]), INVAL);
        assert_eq!(world.call(call::PAGE_UNMAP, &[0, va]), INVAL);
    }
    for perm in no_perm {
        assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(1), perm]), INVAL, "{perm:#x}");
        assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0, page(1), perm]), INVAL);
    }
    // No page there; a page that may not be written.
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(7), 0, page(1), UR]), INVAL);
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0, page(1), URW]), INVAL);
    assert_eq!(world.call(call::PAGE_MAP, &[0, TEXT, 0, page(1), URW]), INVAL);
    for status in [0, 1, 3, 5, 0xFFFF_FFFF] {
        assert_eq!(world.call(call::ENV_SET_STATUS, &[0, status]), INVAL);
    }
    assert_eq!((world.pages(me), world.nfree()), (before, nfree));
}

/// A page that may be executed stays so where it is shared, since no call can say it; no other becomes one.
fn code_stays_code<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let me = world.me();
    let child = world.call(call::EXOFORK, &[]) as u64;
    assert_eq!(world.call(call::PAGE_MAP, &[0, TEXT, child, TEXT, UR]), 0);
    assert_eq!(world.call(call::PAGE_ALLOC, &[child, page(0), URW]), 0);
    assert_eq!(world.call(call::PAGE_MAP, &[child, page(0), 0, page(0), URW]), 0);
    let child = EnvIndex::new(1);
    assert_eq!(world.mapped(child, TEXT).unwrap().1, F::effective(Perm::UR | Perm::X));
    assert_eq!(world.mapped(me, page(0)).unwrap().1, F::effective(Perm::URW));
}

fn a_child_begins_as_its_parent<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let me = world.me();
    world.call(call::GETENVID, &[11, 12, 13, 14, 15]);
    assert_eq!(world.call(call::EXOFORK, &[1, 2]), 0x1001);
    assert_eq!(world.said(), "[00001000] new env 00001001\n");
    let child = EnvIndex::new(1);
    let (env, mut expected) = (world.envs.env(child), world.envs.env(me).env_tf);
    assert_eq!((env.env_parent_id.0, env.env_status, env.env_runs), (0x1000, ENV_NOT_RUNNABLE, 0));
    expected.registers[0] = Word::ZERO;
    assert_eq!(env.env_tf, expected);
    assert_eq!(world.pages(child), []);
    // It does not run until it is told to.
    assert_eq!(world.trap(Cause::Timer), Next::Run(me));
    assert_eq!(world.call(call::PAGE_MAP, &[0, TEXT, 0x1001, TEXT, UR]), 0);
    assert_eq!(world.call(call::ENV_SET_STATUS, &[0x1001, u64::from(ENV_RUNNABLE)]), 0);
    assert_eq!(world.call_only(call::YIELD, &[]), Next::Run(child));
    assert_eq!((world.result(me), world.result(child)), (0, 0));
    assert_eq!(world.envs.env(me).env_status, ENV_RUNNABLE);
    assert_eq!(world.envs.env(child).env_status, ENV_RUNNING);
    // A child may not change its parent, nor its sister.
    for env in [0x1000, 0x1002] {
        assert_eq!(world.call(call::ENV_DESTROY, &[env]), BAD_ENV);
    }
    assert_eq!(world.call(call::EXOFORK, &[]), 0x1002);
    assert_eq!(world.call_only(call::YIELD, &[]), Next::Run(me));
    assert_eq!(world.call(call::ENV_DESTROY, &[0x1002]), BAD_ENV, "a grandchild");
    world.said();
    assert_eq!(world.call(call::ENV_DESTROY, &[0x1001]), 0);
    assert_eq!(world.said(), "[00001000] destroying 00001001\n[00001000] free env 00001001\n");
    assert_eq!(world.call(call::ENV_DESTROY, &[0x1001]), BAD_ENV);
}

/// A child that was to run has ended, and does not.
fn the_dead_have_no_turn<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(1);
    let me = world.me();
    let child = world.call(call::EXOFORK, &[]) as u64;
    assert_eq!(world.call(call::ENV_SET_STATUS, &[child, u64::from(ENV_RUNNABLE)]), 0);
    assert_eq!(world.call(call::ENV_DESTROY, &[child]), 0);
    assert_eq!(world.trap(Cause::Timer), Next::Run(me));
}

/// The kernel's own question: what a program may read, and what it may write.
fn memory_is_checked<L: MemLayout, F: Format + Mmu>() {
    let world = World::<L, F>::with(1);
    let me = world.me();
    let check = |va: u64, len, perm| {
        let checked = world.envs.user_mem_check(&world.pmap, me, VirtAddr::new(va), len, perm);
        checked.map_err(VirtAddr::as_u64)
    };
    let (data, read, write) = (0x80_2000, Perm::UR, Perm::URW);
    assert_eq!(check(data, 3 * PGSIZE, write), Ok(()));
    assert_eq!(check(data - 1, 2, write), Err(data - 1));
    assert_eq!(check(data - 1, 2, read), Ok(()));
    assert_eq!(check(data, 3 * PGSIZE + 1, write), Err(data + 3 * PGSIZE));
    for va in [L::UENVS, L::UPAGES] {
        assert_eq!((check(va, 8, read), check(va, 8, write)), (Ok(()), Err(va)));
    }
    if L::SELF_MAP {
        // The entries of the program's own tables; and those of the kernel's pages, which are not its to read.
        let entry_of = |va: u64| L::UVPT + va % (1 << L::VA_BITS) / PGSIZE * F::Word::BYTES;
        assert_eq!(check(entry_of(data), 4, read), Ok(()));
        assert_eq!(check(entry_of(data), 4, write), Err(entry_of(data)));
        let kernels = entry_of(L::KERNBASE + (32 << 20));
        assert_eq!(check(kernels, 4, read), Err(kernels));
    }
    // Not the kernel's alone, nor what lies between the halves.
    for va in [L::ULIM, L::KERNBASE, L::KSTACKTOP - 8, L::VA_LAST] {
        assert_eq!(check(va, 1, read), Err(va));
    }
    if L::HALVES {
        let mirrored = data | L::LOWER_END << 1;
        assert_eq!(check(mirrored, 1, read), Err(mirrored));
    }
}

/// The order is that of the slots, from the one that ran last, as a scan finds it.
fn turns_go_round<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::with(4);
    let run = |world: &mut World<L, F>| match world.call_only(call::YIELD, &[]) {
        Next::Run(index) => index.number(),
        other => panic!("{other:?}"),
    };
    assert_eq!([0; 6].map(|_| run(&mut world)), [1, 2, 3, 0, 1, 2]);
    // One that waits is passed over.
    assert_eq!(world.call_only(call::ENV_SET_STATUS, &[0, 4]), Next::Run(EnvIndex::new(3)));
    assert_eq!(world.result(EnvIndex::new(2)), 0);
    assert_eq!([0; 4].map(|_| run(&mut world)), [0, 1, 3, 0]);
    // After one that has ended its successor runs.
    assert_eq!(world.call_only(call::ENV_DESTROY, &[0]), Next::Run(EnvIndex::new(1)));
    assert_eq!(world.trap(Cause::Timer), Next::Run(EnvIndex::new(3)));
    assert_eq!(world.trap(Cause::Interrupt), Next::Run(EnvIndex::new(3)));
    let runs = world.envs.all().map(|(_, env)| env.env_runs).collect::<Vec<_>>();
    assert_eq!(runs, [3, 4, 2, 4].into_iter().skip(1).collect::<Vec<_>>());
    // Alone, it goes on; and if it waits too, none can.
    assert_eq!(world.call_only(call::ENV_DESTROY, &[0]), Next::Run(EnvIndex::new(1)));
    assert_eq!(world.trap(Cause::Timer), Next::Run(EnvIndex::new(1)));
    world.said();
    assert_eq!(world.call_only(call::ENV_SET_STATUS, &[0, 4]), Next::NoneRunnable);
    assert_eq!(world.said(), "No runnable environments in the system!\n");
    assert_eq!(world.envs.curenv(), None);
    world.check();
}

/// A program whose tables all lie above the window is served as any.
#[test]
#[cfg_attr(miri, ignore)]
fn tables_above_the_window_serve() {
    let mut pmap = booted_with::<Jos64, X86_64>(Jos64::WINDOW_SIZE + 4 * MB);
    let end = PhysAddr::new(Jos64::WINDOW_SIZE);
    // The frames of the window come first.
    let next = |pmap: &Pmap<SimMachine<Jos64, X86_64>>| {
        pmap.pages().page_free_list().next().map(|frame| pmap.pages().page2pa(frame))
    };
    while next(&pmap).is_some_and(|pa| pa < end) {
        pmap.page_alloc(AllocFlags::empty());
    }
    let mut world = World::on(pmap).running(1);
    assert!(world.root(world.me()) >= end);
    assert_eq!(world.call(call::PAGE_ALLOC, &[0, page(0), URW]), 0);
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(0), 0, page(1), UR]), 0);
    world.store(page(0), 77).unwrap();
    assert_eq!(world.load(page(1)), Ok(77));
    assert_eq!(world.call(call::PAGE_MAP, &[0, page(2), 0, page(3), UR]), INVAL);
}

on_every_format! {
    ids_and_characters
    pages_are_made_shared_and_taken_away
    bits_of_a_programs_own
    wrong_arguments_change_nothing
    code_stays_code
    a_child_begins_as_its_parent
    the_dead_have_no_turn
    memory_is_checked
    turns_go_round
}
