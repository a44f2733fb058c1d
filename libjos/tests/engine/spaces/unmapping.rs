//! Pages that are being unmapped: no use of theirs ends before the flush, whatever is done
//! meanwhile, and whether or not the unmapping is ever finished.

use core::mem::forget;

use layout::{MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator};
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::range::PageSizes::Largest;
use libjos::sim::mmu::Mmu;
use libjos::space::uvm::UvmError;

use super::rig::{Sim, Space, ZERO, free_space, new_space, state, user_leaves, with_space};

on_every_format! {
    a_page_at_two_addresses_stays_until_both_are_flushed
    two_ranges_of_a_page_end_one_after_the_other
    what_is_written_in_place_shows_in_no_stale_translation
    another_space_works_meanwhile
    what_is_forgotten_stays_counted
    large_pages_that_are_forgotten_stay_counted
    an_unmapping_that_is_dropped_is_finished
}

const ONE: VirtAddr = VirtAddr::new(PGSIZE);
const TWO: VirtAddr = VirtAddr::new(2 * PGSIZE);

/// An address space in use, with one frame at two addresses, both in the TLB.
fn mapped_twice<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, Space, Frame) {
    let (mut pmap, mut space) = with_space::<L, F>();
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    for (va, value) in [(ONE, 1), (TWO, 2)] {
        pmap.page_insert(space.pgdir_mut(), frame, va, Perm::URW).unwrap();
        pmap.machine_mut().user_store(va, value).unwrap();
    }
    (pmap, space, frame)
}

/// The user still writes through the translation that it has, to a frame that is nobody else's.
fn writes_to<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, va: VirtAddr, frame: Frame) {
    pmap.machine_mut().user_store(va, 7).expect("nobody has told the processor");
    assert_eq!(pmap.machine().load::<u64>(pmap.pages().page2pa(frame)), 7);
    assert_eq!(pmap.pages().pp_ref(frame), 1, "the user can reach the page");
    assert!(pmap.pages().page_free_list().all(|free| free != frame), "the user can reach the page");
}

fn a_page_at_two_addresses_stays_until_both_are_flushed<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space, frame) = mapped_twice::<L, F>();
    let mut unmapping = pmap.unmap_range(space.pgdir_mut(), ONE, PGSIZE).unwrap();
    unmapping.meanwhile(|vm| {
        assert_eq!(vm.pages().pp_ref(frame), 2);
        assert_eq!(vm.machine_mut().user_store(ONE, 7), Ok(()), "nobody has told the processor");
    });
    forget(unmapping);
    assert_eq!(pmap.va2pa(space.pgdir(), ONE), None);
    pmap.page_remove(space.pgdir_mut(), TWO).unwrap();
    writes_to(&mut pmap, ONE, frame);
    assert_eq!(pmap.unmap_range(space.pgdir_mut(), ONE, PGSIZE).unwrap().finish(), 1);
    assert!(pmap.machine_mut().user_store(ONE, 8).is_err());
    assert_eq!(pmap.page_alloc(AllocFlags::empty()), Some(frame));
}

fn two_ranges_of_a_page_end_one_after_the_other<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space, frame) = mapped_twice::<L, F>();
    forget(pmap.unmap_range(space.pgdir_mut(), ONE, PGSIZE).unwrap());
    assert_eq!(pmap.unmap_range(space.pgdir_mut(), TWO, PGSIZE).unwrap().finish(), 0);
    writes_to(&mut pmap, ONE, frame);
    // Whoever unmaps the range again ends what was left undone.
    assert_eq!(pmap.unmap_range(space.pgdir_mut(), ONE, PGSIZE).unwrap().finish(), 1);
    assert!(pmap.machine_mut().user_store(ONE, 8).is_err());
}

fn what_is_written_in_place_shows_in_no_stale_translation<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut a) = with_space::<L, F>();
    a.uvmalloc(&mut pmap, 0, PGSIZE, Perm::W).unwrap();
    a.copyout(&mut pmap, ZERO, &1_u64.to_ne_bytes()).unwrap();
    let mut b = new_space(&mut pmap);
    a.uvmcow(&mut pmap, &mut b, PGSIZE).unwrap();
    b.switchuvm(&mut pmap);
    assert_eq!(pmap.machine_mut().user_load(ZERO), Ok(1));
    let mut unmapping = pmap.unmap_range(b.pgdir_mut(), ZERO, PGSIZE).unwrap();
    unmapping.meanwhile(|vm| {
        a.copyout(vm, ZERO, &2_u64.to_ne_bytes()).unwrap();
        assert_eq!(vm.machine_mut().user_load(ZERO), Ok(1), "b sees what a alone has written");
    });
    assert_eq!(unmapping.finish(), 1);
    a.switchuvm(&mut pmap);
    assert_eq!(pmap.machine_mut().user_load(ZERO), Ok(2));
}

fn another_space_works_meanwhile<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space, frame) = mapped_twice::<L, F>();
    // So that all spaces' tables are there.
    let last = new_space(&mut pmap);
    free_space(&mut pmap, last);
    let nfree = pmap.pages().nfree();
    let mut unmapping = pmap.unmap_range(space.pgdir_mut(), ONE, 2 * PGSIZE).unwrap();
    let left = unmapping.meanwhile(|vm| {
        let mut other = new_space(vm);
        other.uvmalloc(vm, 0, 3 * PGSIZE, Perm::W).unwrap();
        vm.page_insert(other.pgdir_mut(), frame, ONE, Perm::URW).unwrap();
        other.switchuvm(vm);
        assert_eq!(vm.machine_mut().user_load(ONE), Ok(2));
        // An unmapping within the other one.
        let inner = vm.unmap_range(other.pgdir_mut(), ZERO, 3 * PGSIZE).unwrap();
        assert_eq!(inner.finish(), 2);
        assert!(vm.machine_mut().user_load(ONE).is_err());
        free_space(vm, other);
        vm.pages().nfree()
    });
    assert_eq!(left, nfree);
    assert_eq!(unmapping.finish(), 1);
    assert_eq!(pmap.pages().nfree(), nfree + 1);
    pmap.checks().check_page_free_list();
    space.switchuvm(&mut pmap);
    assert!([ONE, TWO].iter().all(|va| pmap.machine_mut().user_load(*va).is_err()));
}

/// And all operations find that nothing is mapped there, but also that something is in the way.
fn what_is_forgotten_stays_counted<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space, frame) = mapped_twice::<L, F>();
    let mut other = new_space(&mut pmap);
    let before = state(&pmap, &[]);
    forget(pmap.unmap_range(space.pgdir_mut(), ONE, 2 * PGSIZE).unwrap());
    assert_eq!(state(&pmap, &[]), before, "not free, and counted");
    assert!(user_leaves(&pmap, &space).is_empty());
    assert_eq!(pmap.page_lookup(space.pgdir(), ONE), None);
    assert_eq!(space.copyin(&pmap, &mut [0], ONE), Err(UvmError::NoAccess { va: ONE }));
    let protected = pmap.protect_range(space.pgdir_mut(), ONE, PGSIZE, Perm::UR);
    assert_eq!(protected, Err(MapError::NotMapped { va: ONE }));
    let grown = space.uvmalloc(&mut pmap, PGSIZE, 2 * PGSIZE, Perm::W);
    assert_eq!(grown, Err(MapError::AlreadyMapped { va: ONE }.into()));
    space.uvmcow(&mut pmap, &mut other, 3 * PGSIZE).unwrap();
    pmap.prune(space.pgdir_mut(), ONE);
    assert_eq!(state(&pmap, &[]), before);

    // An operation that takes a page's place, or removes it, ends its use as if it were mapped.
    let page = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    pmap.page_insert(space.pgdir_mut(), page, ONE, Perm::UR).unwrap();
    assert_eq!(pmap.pages().pp_ref(frame), 1);
    assert_eq!(pmap.machine_mut().user_load(ONE), Ok(0), "a stale translation");
    writes_to(&mut pmap, TWO, frame);
    pmap.page_remove(space.pgdir_mut(), TWO).unwrap();
    assert!(pmap.machine_mut().user_store(TWO, 8).is_err(), "a stale translation");
    assert_eq!(pmap.pages().info(frame).pp_ref(), 0);
    pmap.checks().check_page_free_list();
    assert_eq!(free_space(&mut pmap, space), F::LEVELS as usize + 1);
}

fn large_pages_that_are_forgotten_stay_counted<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let (large, nfree) = (F::page_size(1), pmap.pages().nfree());
    let run = pmap.page_alloc_run(AllocFlags::ZERO, F::INDEX_BITS).expect("the RAM has one");
    let (va, pa) = (VirtAddr::new(large), pmap.pages().page2pa(run));
    pmap.map_range(space.pgdir_mut(), va, large, pa, Perm::URW, Largest).unwrap();
    pmap.machine_mut().user_store(va, 5).unwrap();
    let before = state(&pmap, &[]);
    forget(pmap.unmap_range(space.pgdir_mut(), va, large).unwrap());
    let in_the_way = MapError::large_page(va, large);
    let page = pmap.page_alloc(AllocFlags::empty()).unwrap();
    assert_eq!(pmap.page_insert(space.pgdir_mut(), page, va, Perm::UR), Err(in_the_way));
    pmap.pages_mut().page_free(page);
    assert_eq!(pmap.pgdir_walk(space.pgdir_mut(), va, true), Err(in_the_way));
    assert_eq!(pmap.page_remove(space.pgdir_mut(), va), Err(in_the_way));
    assert_eq!(pmap.merge(space.pgdir_mut(), va, 1), Err(MapError::NotUniform { va }));
    pmap.prune(space.pgdir_mut(), va);
    assert_eq!(state(&pmap, &[]), before);
    // A range that covers a part of it takes all of it.
    let freed = pmap.unmap_range(space.pgdir_mut(), va + PGSIZE, PGSIZE).unwrap().finish();
    assert_eq!(freed as u64, large / PGSIZE);
    assert!(pmap.machine_mut().user_load(va).is_err());
    pmap.prune(space.pgdir_mut(), va);
    assert_eq!(pmap.pages().nfree(), nfree);
}

fn an_unmapping_that_is_dropped_is_finished<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space, frame) = mapped_twice::<L, F>();
    pmap.unmap_range(space.pgdir_mut(), ONE, 2 * PGSIZE).unwrap();
    assert!(pmap.machine_mut().user_load(ONE).is_err());
    assert_eq!(pmap.page_alloc(AllocFlags::empty()), Some(frame));
    // Where no processor sees the pages, they are free at once.
    let mut other = new_space(&mut pmap);
    other.uvmalloc(&mut pmap, 0, 2 * PGSIZE, Perm::W).unwrap();
    let nfree = pmap.pages().nfree();
    let mut unmapping = pmap.unmap_range(other.pgdir_mut(), ZERO, 2 * PGSIZE).unwrap();
    assert_eq!(unmapping.meanwhile(|vm| vm.pages().nfree()), nfree + 2);
    assert_eq!(unmapping.finish(), 2);
}
