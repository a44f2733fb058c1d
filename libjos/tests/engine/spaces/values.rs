//! Values that must not be lost: a page directory, and pages that are being unmapped. They say which they are.

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Perm};
use libjos::paging::mappings::leaves;
use libjos::sim::mmu::Mmu;

use super::rig::{ZERO, booted, free_space, with_space};

on_every_format! {
    an_empty_directory_is_one_page
    the_pages_of_an_unmapping_are_said
}

/// It maps nothing, the kernel's half neither; without a free page there is none.
fn an_empty_directory_is_one_page<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let nfree = pmap.pages().nfree();
    let pgdir = pmap.pgdir_empty().unwrap();
    assert_eq!(pmap.pages().nfree(), nfree - 1);
    let root = pgdir.address();
    assert_eq!(pmap.pages().pp_ref(pmap.pages().pa2page(root).unwrap()), 1);
    let last = VirtAddr::new(u64::MAX);
    assert_eq!(leaves::<F, _>(pmap.machine(), root, ZERO, last).count(), 0);
    assert_eq!(pmap.pgdir_free(pgdir), 1);
    assert_eq!(pmap.pages().nfree(), nfree);
    while pmap.page_alloc(AllocFlags::empty()).is_some() {}
    assert_eq!(pmap.pgdir_empty(), None);
}

/// Its frames would be lost.
#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = " is dropped, not given up")]
fn a_directory_is_not_dropped() {
    let mut pmap = booted::<layout::Jos64, libjos::paging::format::x86_64::X86_64>();
    drop(pmap.pgdir_create().unwrap());
}

/// Safe code can get hold of it, by exchanging it for another one.
#[test]
#[should_panic(expected = "pgdir_free: kern_pgdir is given up")]
fn kern_pgdir_is_not_given_up() {
    let mut pmap = booted::<layout::Jos64, libjos::paging::format::x86_64::X86_64>();
    let mut other = pmap.pgdir_create().unwrap();
    let (vm, kern_pgdir) = pmap.split();
    std::mem::swap(kern_pgdir, &mut other);
    vm.pgdir_free(other);
}

fn the_pages_of_an_unmapping_are_said<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    space.uvmalloc(&mut pmap, 0, 3 * PGSIZE, Perm::W).unwrap();
    let root = space.pgdir().address();
    let va = VirtAddr::new(PGSIZE);
    let unmapping = pmap.unmap_range(space.pgdir_mut(), va, 2 * PGSIZE).unwrap();
    assert_eq!(format!("{unmapping:?}"), format!("Unmapping(0x2000 bytes at 0x1000 in {root})"));
    assert_eq!(unmapping.finish(), 2);
    free_space(&mut pmap, space);
}

#[test]
fn a_page_of_a_large_one_says_which() {
    let error = MapError::large_page(VirtAddr::new(0x60_3123), 2 << 20);
    assert_eq!(format!("{error:?}"), "LargePage { page: 0x603000 in a page of 0x200000 bytes }");
}
