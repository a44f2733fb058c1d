//! Environments side by side, on simulated machines: two address spaces that share a frame, one of which maps three more.

use layout::{Jos32, Jos64, MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{ALLOC_ZERO, Frame, PageAllocator};
use libjos::paging::format::i386::I386;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Perm};
use libjos::paging::vm::Vm;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

use super::{FORK_COW, MOST_ENVS};
use crate::draw;
use crate::facts::{Facts, ToldEnv};
use crate::shot::{Cell, Entry, Owner, Shot};
use crate::survey::{facts_of, simulated_machine, survey};

/// Maps a frame in an address space.
fn insert<L: MemLayout, F: Format + Mmu>(
    vm: &mut Vm<SimMachine<L, F>>,
    space: &mut AddressSpace,
    frame: Frame,
    va: u64,
    perm: Perm,
) {
    vm.page_insert(space.pgdir_mut(), frame, VirtAddr::new(va), perm).unwrap();
}

/// A shot of two environments; and `more` without memory.
fn two_environments<L: MemLayout, F: Format + Mmu>(more: usize) -> (Shot, [u64; 3]) {
    let mut pmap = simulated_machine::<L, F>();
    let mut facts: Facts = facts_of(&pmap);
    let vm: &mut Vm<_> = &mut pmap;
    let mut spaces: Vec<_> = (0..2 + more).map(|_| AddressSpace::uvmcreate(vm).unwrap()).collect();
    let [shared, first, second, third] = [(); 4].map(|()| vm.page_alloc(ALLOC_ZERO).unwrap());
    assert_eq!(third.index(), second.index() + 1, "the allocator hands out neighbours");
    let cow = Perm::UR | Perm::from_bits_retain(FORK_COW);
    insert(vm, &mut spaces[0], shared, L::UTEXT, cow);
    insert(vm, &mut spaces[1], shared, L::UTEXT, cow);
    insert(vm, &mut spaces[0], first, L::USTACKTOP - PGSIZE, Perm::URW);
    insert(vm, &mut spaces[0], second, L::UTEXT + PGSIZE, Perm::UR);
    insert(vm, &mut spaces[0], third, L::UTEXT + 2 * PGSIZE, Perm::UR);
    let frames = [shared, first, second].map(|frame| vm.pages().page2pa(frame).as_u64());
    for (number, space) in spaces.iter().enumerate() {
        facts.told.envs.push(ToldEnv {
            id: format!("{:08x}", 0x1000 + number),
            program: "twins".into(),
            status: "RUNNABLE".into(),
            root: space.pgdir().address().as_u64(),
        });
    }
    facts.told.cr3 = Some(facts.told.envs[1].root);
    let shot = survey::<L, F>(pmap.machine(), &facts);
    for space in spaces {
        space.uvmfree(&mut pmap);
    }
    (shot, frames)
}

fn owner_of(shot: &Shot, pa: u64) -> (Owner, String) {
    let mut at = shot.frames.base;
    for run in &shot.frames.runs {
        at += run.count * PGSIZE;
        if pa < at {
            return (run.owner, run.detail.clone());
        }
    }
    panic!("there is no frame at {pa:#x}")
}

fn pages_are_side_by_side<L: MemLayout, F: Format + Mmu>() {
    let (shot, [shared, first, second]) = two_environments::<L, F>(0);
    let cell = |pa, perm: Perm, cow, pp_ref| Some(Cell { pa, perm: perm.to_string(), cow, pp_ref });
    let x = F::ALWAYS & Perm::X;
    let rows = shot.sharing.rows.iter();
    let rows: Vec<_> = rows.map(|row| (row.va, row.last + 1 - row.va, row.cells.clone())).collect();
    let expected = [
        (
            L::UTEXT,
            PGSIZE,
            [cell(shared, Perm::UR | x, true, 2), cell(shared, Perm::UR | x, true, 2)],
        ),
        (L::UTEXT + PGSIZE, 2 * PGSIZE, [cell(second, Perm::UR | x, false, 1), None]),
        (L::USTACKTOP - PGSIZE, PGSIZE, [cell(first, Perm::URW | x, false, 1), None]),
    ];
    assert_eq!(rows, expected.map(|(va, size, cells)| (va, size, cells.to_vec())));
    let in_use: Vec<_> = shot.sharing.envs.iter().map(|env| env.in_use).collect();
    assert_eq!((in_use, shot.sharing.more_envs), (vec![false, true], 0));
}

fn frames_have_the_environments_as_owners<L: MemLayout, F: Format + Mmu>() {
    let (shot, [shared, first, _]) = two_environments::<L, F>(0);
    assert_eq!(owner_of(&shot, shared), (Owner::Shared, "00001000 and 00001001".into()));
    assert_eq!(owner_of(&shot, first), (Owner::Env, "environment 00001000's".into()));
}

/// An environment's space is what differs from the kernel's, whose tables are not shown twice.
fn spaces_are_beside_the_kernels<L: MemLayout, F: Format + Mmu>() {
    let (shot, _) = two_environments::<L, F>(0);
    let names: Vec<_> =
        shot.spaces.iter().map(|space| (space.name.as_str(), space.in_use)).collect();
    let expected = [
        ("kern_pgdir", false),
        ("environment 00001000 (twins)", false),
        ("environment 00001001 (twins)", true),
    ];
    assert_eq!(names, expected);
    let [kernel, env, _] = shot.spaces.as_slice() else { unreachable!("three spaces") };
    let below = |region: &&crate::shot::Region| region.base < L::UTOP;
    assert_eq!(
        env.regions.iter().filter(below).count(),
        kernel.regions.iter().filter(below).count()
    );
    assert!(env.regions.iter().all(|region| region.base < L::UTOP || region.base == L::UVPT));
    let elsewhere = env.root.rows.iter().filter(
        |row| matches!(&row.entry, Entry::Elsewhere { why, .. } if why.starts_with("kern_pgdir")),
    );
    assert!(elsewhere.count() > 0, "the kernel's tables are shown with kern_pgdir");
}

fn many_environments_are_cut<L: MemLayout, F: Format + Mmu>() {
    let (shot, _) = two_environments::<L, F>(MOST_ENVS);
    assert_eq!((shot.sharing.envs.len(), shot.sharing.more_envs), (MOST_ENVS, 2));
    assert_eq!(shot.spaces.len(), 1 + MOST_ENVS);
    let html = draw::page(&[shot]).unwrap().into_string();
    assert!(html.contains("… and 2 environments more."));
}

#[test]
fn on_both_pcs() {
    pages_are_side_by_side::<Jos64, X86_64>();
    pages_are_side_by_side::<Jos32, I386>();
    frames_have_the_environments_as_owners::<Jos64, X86_64>();
    frames_have_the_environments_as_owners::<Jos32, I386>();
    spaces_are_beside_the_kernels::<Jos64, X86_64>();
    spaces_are_beside_the_kernels::<Jos32, I386>();
    many_environments_are_cut::<Jos64, X86_64>();
    many_environments_are_cut::<Jos32, I386>();
}

#[test]
fn without_environments_there_is_no_table_of_them() {
    let pmap = simulated_machine::<Jos64, X86_64>();
    let shot = survey::<Jos64, X86_64>(pmap.machine(), &facts_of(&pmap));
    assert!(shot.sharing.envs.is_empty() && shot.sharing.rows.is_empty());
    let html = draw::page(&[shot]).unwrap().into_string();
    assert!(!html.contains("class=\"sharing\""));
}
