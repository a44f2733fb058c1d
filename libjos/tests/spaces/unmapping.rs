//! Pages that are being unmapped: no use of theirs ends before the flush, whatever is done
//! meanwhile, and whether or not the unmapping is ever finished.

use core::mem::forget;

use layout::{Jos64, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator};
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::pgdir::MapError;
use libjos::paging::range::PageSizes::Largest;
use libjos::sim::mmu::Mmu;
use libjos::space::uvm::UvmError;

use crate::rig::{Sim, ZERO, state, user_leaves, with_space};

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
fn mapped_twice<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, PhysAddr, Frame) {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    for (va, value) in [(ONE, 1), (TWO, 2)] {
        pmap.page_insert(pgdir, frame, va, Perm::URW).unwrap();
        pmap.machine.user_store(va, value).unwrap();
    }
    (pmap, pgdir, frame)
}

/// The user still writes through the translation that it has, to a frame that is nobody else's.
fn writes_to<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, va: VirtAddr, frame: Frame) {
    pmap.machine.user_store(va, 7).expect("nobody has told the processor");
    assert_eq!(pmap.machine.load::<u64>(pmap.pages.page2pa(frame)), 7);
    assert_eq!(pmap.pages.pp_ref(frame), 1, "the user can reach the page");
    assert!(pmap.pages.page_free_list().all(|free| free != frame), "the user can reach the page");
}

fn a_page_at_two_addresses_stays_until_both_are_flushed<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir, frame) = mapped_twice::<L, F>();
    let mut unmapping = pmap.unmap_range(pgdir, ONE, PGSIZE).unwrap();
    unmapping.meanwhile(|pmap| {
        assert_eq!(pmap.va2pa(pgdir, ONE), None);
        assert_eq!(pmap.pages.pp_ref(frame), 2);
        pmap.page_remove(pgdir, TWO).unwrap();
        writes_to(pmap, ONE, frame);
    });
    assert_eq!(unmapping.finish(), 1);
    assert!(pmap.machine.user_store(ONE, 8).is_err());
    assert_eq!(pmap.page_alloc(AllocFlags::empty()), Some(frame));
}

fn two_ranges_of_a_page_end_one_after_the_other<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir, frame) = mapped_twice::<L, F>();
    forget(pmap.unmap_range(pgdir, ONE, PGSIZE).unwrap());
    assert_eq!(pmap.unmap_range(pgdir, TWO, PGSIZE).unwrap().finish(), 0);
    writes_to(&mut pmap, ONE, frame);
    // Whoever unmaps the range again ends what was left undone.
    assert_eq!(pmap.unmap_range(pgdir, ONE, PGSIZE).unwrap().finish(), 1);
    assert!(pmap.machine.user_store(ONE, 8).is_err());
}

fn what_is_written_in_place_shows_in_no_stale_translation<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, a) = with_space::<L, F>();
    pmap.uvmalloc(a, 0, PGSIZE, Perm::W).unwrap();
    pmap.copyout(a, ZERO, &1_u64.to_ne_bytes()).unwrap();
    let b = pmap.uvmcreate().unwrap();
    pmap.uvmcow(a, b, PGSIZE).unwrap();
    pmap.switchuvm(b);
    assert_eq!(pmap.machine.user_load(ZERO), Ok(1));
    let mut unmapping = pmap.unmap_range(b, ZERO, PGSIZE).unwrap();
    unmapping.meanwhile(|pmap| {
        pmap.copyout(a, ZERO, &2_u64.to_ne_bytes()).unwrap();
        assert_eq!(pmap.machine.user_load(ZERO), Ok(1), "b sees what a alone has written");
    });
    assert_eq!(unmapping.finish(), 1);
    pmap.switchuvm(a);
    assert_eq!(pmap.machine.user_load(ZERO), Ok(2));
}

fn another_space_works_meanwhile<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir, frame) = mapped_twice::<L, F>();
    // So that all spaces' tables are there.
    let last = pmap.uvmcreate().unwrap();
    pmap.uvmfree(last);
    let nfree = pmap.pages.nfree();
    let mut unmapping = pmap.unmap_range(pgdir, ONE, 2 * PGSIZE).unwrap();
    let left = unmapping.meanwhile(|pmap| {
        let other = pmap.uvmcreate().unwrap();
        pmap.uvmalloc(other, 0, 3 * PGSIZE, Perm::W).unwrap();
        pmap.page_insert(other, frame, ONE, Perm::URW).unwrap();
        pmap.switchuvm(other);
        assert_eq!(pmap.machine.user_load(ONE), Ok(2));
        // An unmapping within the other one.
        let inner = pmap.unmap_range(other, ZERO, 3 * PGSIZE).unwrap();
        assert_eq!(inner.finish(), 2);
        assert!(pmap.machine.user_load(ONE).is_err());
        pmap.switchuvm(pgdir);
        pmap.uvmfree(other);
        pmap.check_page_free_list();
        pmap.pages.nfree()
    });
    assert_eq!(left, nfree);
    assert_eq!(unmapping.finish(), 1);
    assert_eq!(pmap.pages.nfree(), nfree + 1);
    assert!([ONE, TWO].iter().all(|va| pmap.machine.user_load(*va).is_err()));
}

/// And all operations find that nothing is mapped there, but also that something is in the way.
fn what_is_forgotten_stays_counted<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir, frame) = mapped_twice::<L, F>();
    let other = pmap.uvmcreate().unwrap();
    let before = state(&pmap, &[]);
    forget(pmap.unmap_range(pgdir, ONE, 2 * PGSIZE).unwrap());
    assert_eq!(state(&pmap, &[]), before, "not free, and counted");
    assert!(user_leaves(&pmap, pgdir).is_empty());
    assert_eq!(pmap.page_lookup(pgdir, ONE), None);
    assert_eq!(pmap.copyin(pgdir, &mut [0], ONE), Err(UvmError::NoAccess { va: ONE }));
    let protected = pmap.protect_range(pgdir, ONE, PGSIZE, Perm::UR);
    assert_eq!(protected, Err(MapError::NotMapped { va: ONE }));
    let grown = pmap.uvmalloc(pgdir, PGSIZE, 2 * PGSIZE, Perm::W);
    assert_eq!(grown, Err(MapError::AlreadyMapped { va: ONE }.into()));
    pmap.uvmcow(pgdir, other, 3 * PGSIZE).unwrap();
    pmap.prune(pgdir, ONE);
    assert_eq!(state(&pmap, &[]), before);

    // What takes a page's place, or removes it, ends its use as if it were mapped.
    let page = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    pmap.page_insert(pgdir, page, ONE, Perm::UR).unwrap();
    assert_eq!(pmap.pages.pp_ref(frame), 1);
    assert_eq!(pmap.machine.user_load(ONE), Ok(0), "a stale translation");
    writes_to(&mut pmap, TWO, frame);
    pmap.page_remove(pgdir, TWO).unwrap();
    assert!(pmap.machine.user_store(TWO, 8).is_err(), "a stale translation");
    assert_eq!(pmap.pages.info(frame).pp_ref(), 0);
    pmap.check_page_free_list();
    assert_eq!(pmap.uvmfree(pgdir), F::LEVELS as usize + 1);
}

fn large_pages_that_are_forgotten_stay_counted<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let (large, nfree) = (F::page_size(1), pmap.pages.nfree());
    let run = pmap.page_alloc_run(AllocFlags::ZERO, F::INDEX_BITS).expect("the RAM has one");
    let (va, pa) = (VirtAddr::new(large), pmap.pages.page2pa(run));
    pmap.map_range(pgdir, va, large, pa, Perm::URW, Largest).unwrap();
    pmap.machine.user_store(va, 5).unwrap();
    let before = state(&pmap, &[]);
    forget(pmap.unmap_range(pgdir, va, large).unwrap());
    let in_the_way = MapError::LargePage { va, size: large };
    let page = pmap.page_alloc(AllocFlags::empty()).unwrap();
    assert_eq!(pmap.page_insert(pgdir, page, va, Perm::UR), Err(in_the_way));
    pmap.pages.page_free(page);
    assert_eq!(pmap.pgdir_walk(pgdir, va, true), Err(in_the_way));
    assert_eq!(pmap.page_remove(pgdir, va), Err(in_the_way));
    assert_eq!(pmap.merge(pgdir, va, 1), Err(MapError::NotUniform { va }));
    pmap.prune(pgdir, va);
    assert_eq!(state(&pmap, &[]), before);
    // A range that covers a part of it takes all of it.
    let freed = pmap.unmap_range(pgdir, va + PGSIZE, PGSIZE).unwrap().finish();
    assert_eq!(freed as u64, large / PGSIZE);
    assert!(pmap.machine.user_load(va).is_err());
    pmap.prune(pgdir, va);
    assert_eq!(pmap.pages.nfree(), nfree);
}

fn an_unmapping_that_is_dropped_is_finished<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir, frame) = mapped_twice::<L, F>();
    pmap.unmap_range(pgdir, ONE, 2 * PGSIZE).unwrap();
    assert!(pmap.machine.user_load(ONE).is_err());
    assert_eq!(pmap.page_alloc(AllocFlags::empty()), Some(frame));
    // Where no processor sees the pages, they are free at once.
    let other = pmap.uvmcreate().unwrap();
    pmap.uvmalloc(other, 0, 2 * PGSIZE, Perm::W).unwrap();
    let nfree = pmap.pages.nfree();
    let mut unmapping = pmap.unmap_range(other, ZERO, 2 * PGSIZE).unwrap();
    assert_eq!(unmapping.meanwhile(|pmap| pmap.pages.nfree()), nfree + 2);
    assert_eq!(unmapping.finish(), 2);
}

/// Does `work` with a directory that has an unmapping open.
fn while_open(work: impl FnOnce(&mut Sim<Jos64, X86_64>, PhysAddr)) {
    let (mut pmap, pgdir, _) = mapped_twice::<Jos64, X86_64>();
    let mut unmapping = pmap.unmap_range(pgdir, ONE, PGSIZE).unwrap();
    unmapping.meanwhile(|pmap| work(pmap, pgdir));
}

#[test]
#[cfg_attr(miri, ignore)]
#[should_panic(expected = "has an unmapping open")]
fn a_directory_has_one_unmapping_at_a_time() {
    while_open(|pmap, pgdir| drop(pmap.unmap_range(pgdir, TWO, PGSIZE)));
}

#[test]
#[cfg_attr(miri, ignore)]
#[should_panic(expected = "has an unmapping open")]
fn a_directory_is_not_freed_with_an_unmapping_open() {
    while_open(|pmap, pgdir| {
        pmap.uvmfree(pgdir);
    });
}
