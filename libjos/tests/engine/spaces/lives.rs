//! Address spaces: made whole or not at all, everything given back.

use core::mem::ManuallyDrop;
use layout::{MB, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageAllocator;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::range::PageSizes::Largest;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

use super::rig::{
    ZERO, booted, free_space, new_space, roots, state, take_all, user_leaves, with_each_shortage,
    with_space,
};

on_every_format! {
    a_space_is_made_whole_or_not_at_all
    a_space_gives_everything_back
    large_pages_go_with_their_space
}

fn a_space_is_made_whole_or_not_at_all<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let error = MapError::NoMemory { va: VirtAddr::new(L::UENVS) };
    let (first, n) = with_each_shortage(&mut pmap, &[], error, |vm| {
        AddressSpace::uvmcreate(vm).map(ManuallyDrop::new)
    });
    // The kernel's tables that were missing: UENVS, and on i386 MMIO's.
    assert_eq!(n, if F::LEVELS == 2 { 3 } else { 2 });
    let (_, n) = with_each_shortage(&mut pmap, &roots([&first]), error, |vm| {
        AddressSpace::uvmcreate(vm).map(ManuallyDrop::new)
    });
    assert_eq!(n, 1, "now they are there");
    // Made and taken down again, it leaves no trace: not in the shared tables' counts either.
    let before = state(&pmap, &roots([&first]));
    let space = new_space(&mut pmap);
    assert_ne!(state(&pmap, &roots([&first])), before);
    assert_eq!(free_space(&mut pmap, space), 1);
    assert_eq!(state(&pmap, &roots([&first])), before);
}

fn a_space_gives_everything_back<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let mut stays = new_space(&mut pmap);
    let before = state(&pmap, &roots([&stays]));
    let mut space = new_space(&mut pmap);
    space.switchuvm(&mut pmap);
    space.uvmalloc(&mut pmap, 0, 5 * PGSIZE, Perm::W).unwrap();
    // The exception stack, just below UTOP; a page of another's; one that is mapped twice.
    let top = VirtAddr::new(L::UXSTACKTOP - PGSIZE);
    stays.uvmalloc(&mut pmap, 0, PGSIZE, Perm::W).unwrap();
    let (shared, _) = pmap.page_lookup(stays.pgdir(), ZERO).unwrap();
    for va in [top, VirtAddr::new(L::UTEXT), VirtAddr::new(L::UTEXT + PGSIZE)] {
        pmap.page_insert(space.pgdir_mut(), shared, va, Perm::URW).unwrap();
    }
    pmap.machine_mut().user_store(ZERO, 1).unwrap();
    let used = before.1 - pmap.pages().nfree();
    let tables_and_page_that_stay = F::LEVELS as usize;

    assert_eq!(free_space(&mut pmap, space), used - tables_and_page_that_stay);
    assert!(pmap.machine_mut().user_load(ZERO).is_err(), "kern_pgdir is in use instead");
    assert_eq!(pmap.pages().pp_ref(shared), 1);
    assert_eq!(free_space(&mut pmap, stays), tables_and_page_that_stay + 1);

    // And all over again comes to the same.
    let again = new_space(&mut pmap);
    assert_eq!(state(&pmap, &roots([&again])).1, before.1);
    pmap.checks().check_page_free_list();
    pmap.checks().check_kern_pgdir();
}

fn large_pages_go_with_their_space<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let (large, pa) = (F::page_size(1), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    // Up to the end of the lower half, over UTOP where that is not the end itself.
    let va = VirtAddr::new(L::LOWER_END - large);
    pmap.map_range(space.pgdir_mut(), va, large, pa, Perm::URW, Largest).unwrap();
    assert_eq!(user_leaves(&pmap, &space).len(), 1);
    take_all(&mut pmap);
    let freed = free_space(&mut pmap, space);
    assert_eq!(freed, F::LEVELS as usize - 1, "no table was needed for a split");
}
