//! Ranges protected and unmapped: marks kept, frames freed only after the flush, uses counted down.

use super::*;

on_every_format! {
    protection_keeps_marks_and_finds_holes
    a_page_that_is_mapped_again_keeps_its_marks
    frames_wait_for_the_flush
    pages_of_ram_are_counted_one_by_one
    the_first_frame_does_not_follow_the_last
}

fn protection_keeps_marks_and_finds_holes<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    let va = VirtAddr::new(large);
    let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
    vm.page_insert(pgdir, frame, va, Perm::KRW).unwrap();
    vm.machine_mut().probe_store(va, 7).unwrap();
    vm.protect_range(pgdir, va, PGSIZE, Perm::KR).unwrap();
    let step = steps::<F, _>(vm.machine(), pgdir.address(), va).last().unwrap();
    let libjos::paging::format::Entry::Leaf(leaf) = step.entry else { panic!("{step:?}") };
    assert!(leaf.accessed && leaf.dirty, "{leaf:?}");
    assert_eq!(vm.machine_mut().probe_load(va), Ok(7));
    assert!(vm.machine_mut().probe_store(va, 8).is_err(), "a stale TLB lets the write through");

    let refused = |vm: &mut SimVm<L, F>, pgdir: &mut Pgdir, va, size, hole| {
        let before = state(vm);
        let error = vm.protect_range(pgdir, va, size, Perm::KRW).unwrap_err();
        assert_eq!(error, MapError::NotMapped { va: hole });
        assert_eq!(state(vm), before);
    };
    refused(vm, pgdir, va, 2 * PGSIZE, va + PGSIZE);
    let below = VirtAddr::new(large - PGSIZE);
    refused(vm, pgdir, below, 2 * PGSIZE, below);
    // A hole between two pages, and one behind a large page that the range begins in.
    vm.map_range(pgdir, va + 2 * PGSIZE, PGSIZE, device::<L>(), Perm::KR, Smallest).unwrap();
    refused(vm, pgdir, va, 3 * PGSIZE, va + PGSIZE);
    let next = va + large;
    vm.map_range(pgdir, next, large, device::<L>(), Perm::KR, Largest).unwrap();
    refused(vm, pgdir, next + PGSIZE, large, next + large);
    // No pages are all mapped, wherever.
    let before = state(vm);
    for va in [va + PGSIZE, next + PGSIZE] {
        vm.protect_range(pgdir, va, 0, Perm::KRW).unwrap();
    }
    assert_eq!(state(vm), before);
}

/// A frame that is mapped again with other permissions keeps A and D; another frame starts without them.
fn a_page_that_is_mapped_again_keeps_its_marks<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let va = VirtAddr::new(L::UTEXT);
    let (vm, pgdir) = pmap.split();
    let frames = [(); 2].map(|()| vm.page_alloc(ALLOC_ZERO).unwrap());
    let root = pgdir.address();
    let leaf = |vm: &SimVm<L, F>| match steps::<F, _>(vm.machine(), root, va).last().unwrap().entry
    {
        libjos::paging::format::Entry::Leaf(leaf) => leaf,
        entry => panic!("{entry:?}"),
    };
    vm.page_insert(pgdir, frames[0], va, Perm::KRW).unwrap();
    vm.machine_mut().probe_store(va, 7).unwrap();
    vm.page_insert(pgdir, frames[0], va, Perm::KR).unwrap();
    let again = leaf(vm);
    assert_eq!((again.perm, again.accessed, again.dirty), (F::effective(Perm::KR), true, true));
    vm.page_insert(pgdir, frames[1], va, Perm::KR).unwrap();
    let fresh = F::decode(0, F::leaf(0, vm.pages().page2pa(frames[1]), Perm::KR));
    assert_eq!(libjos::paging::format::Entry::Leaf(leaf(vm)), fresh);
}

fn frames_wait_for_the_flush<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, pgdir) = pmap.split();
    // So many pages are not flushed one by one.
    let count = 40;
    let at = |i: u64| VirtAddr::new(0x10_0000 + i * PGSIZE);
    for i in 0..count {
        let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
        vm.page_insert(pgdir, frame, at(i), Perm::KRW).unwrap();
        vm.machine_mut().probe_store(at(i), i).unwrap();
    }
    let nfree = vm.pages().nfree();
    for (first, n) in [(0, 3), (3, count - 3)] {
        let mut unmapping = vm.unmap_range(pgdir, at(first), n * PGSIZE).unwrap();
        unmapping.meanwhile(|vm| {
            assert_eq!(vm.pages().nfree(), nfree + first as usize, "not free before the flush");
            // The processor still has the translation: this is why.
            assert_eq!(vm.machine_mut().probe_load(at(first)), Ok(first));
        });
        assert_eq!(unmapping.finish(), n as usize);
        assert!(vm.machine_mut().probe_load(at(first)).is_err());
        assert_eq!(vm.pages().nfree(), nfree + (first + n) as usize);
    }
    vm.prune(pgdir, at(0));
    pmap.checks().check_page_free_list();
}

fn pages_of_ram_are_counted_one_by_one<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, pgdir) = pmap.split();
    // Four neighbours, from among a few.
    let mut frames: Vec<Frame> =
        (0..64).map(|_| vm.page_alloc(AllocFlags::empty()).unwrap()).collect();
    frames.sort();
    let neighbours = |w: &&[Frame]| w[0].index() + 3 == w[3].index();
    let frames = frames.windows(4).find(neighbours).expect("four neighbours").to_vec();
    let pa = vm.pages().page2pa(frames[0]);
    let va = VirtAddr::new(0x10_0000);
    vm.map_range(pgdir, va, 4 * PGSIZE, pa, Perm::UR, Largest).unwrap();
    vm.page_insert(pgdir, frames[2], va + 8 * PGSIZE, Perm::UR).unwrap();
    let refs = |vm: &SimVm<L, F>| frames.iter().map(|f| vm.pages().pp_ref(*f)).collect::<Vec<_>>();
    assert_eq!(refs(vm), [1, 1, 2, 1]);
    assert_eq!(vm.unmap_range(pgdir, va, 4 * PGSIZE).unwrap().finish(), 3);
    assert_eq!(refs(vm), [0, 0, 1, 0]);

    // A free page among them: none is counted.
    let before = state(vm);
    let error = vm.map_range(pgdir, va, 4 * PGSIZE, pa, Perm::UR, Largest).unwrap_err();
    assert_eq!(error, MapError::FreePage { pa });
    assert_eq!(state(vm), before);
}

/// Though on i386 the one's entry and a page more make the other's.
fn the_first_frame_does_not_follow_the_last<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let va = VirtAddr::new(L::UTEXT);
    let (vm, pgdir) = pmap.split();
    let before = state(vm);
    for (va, pa) in [(va, F::PA_END - PGSIZE), (va + PGSIZE, 0)] {
        vm.map_range(pgdir, va, PGSIZE, PhysAddr::new(pa), Perm::UR, Smallest).unwrap();
    }
    assert_eq!(vm.unmap_range(pgdir, va, 2 * PGSIZE).unwrap().finish(), 0);
    vm.prune(pgdir, va);
    assert_eq!(state(vm), before);
}

/// The RAM that `pages` describes begins in the middle of a run of small pages, or of one large page.
#[test]
fn a_run_that_begins_below_ram_is_released_as_it_was_counted() {
    begins_below_ram::<JosSv39, Sv39>(JosSv39::PHYS_BASE - PGSIZE, 2 * PGSIZE);
    begins_below_ram::<JosSv48, Sv48>(JosSv48::PHYS_BASE - 40 * PGSIZE, 41 * PGSIZE);
    // It ends behind what `pages` describes, too.
    begins_below_ram::<JosSv48, Sv48>(0, Sv48::page_size(Sv48::ROOT));
}

/// Maps and unmaps `size` bytes from `pa` on.
fn begins_below_ram<L: MemLayout, F: Format + Mmu>(pa: u64, size: u64) {
    let mut pmap = booted::<L, F>();
    let mut space = AddressSpace::uvmcreate(&mut pmap).unwrap();
    let (va, pa) = (VirtAddr::new(size), PhysAddr::new(pa));
    if F::page_size(F::ROOT) == size {
        // Free pages cannot be mapped, and no table is needed.
        for frame in take_all(&mut pmap) {
            pmap.pages_mut().page_incref(frame).unwrap();
        }
    }
    let refs = |pmap: &Sim<L, F>| state(pmap).2;
    let before = refs(&pmap);
    pmap.map_range(space.pgdir_mut(), va, size, pa, Perm::UR, Largest).unwrap();
    let inside = (pa + size - PhysAddr::new(L::PHYS_BASE)) / PGSIZE;
    let mapped = refs(&pmap);
    for (i, (before, mapped)) in before.iter().zip(&mapped).enumerate().take(inside as usize) {
        assert_eq!(*mapped, before + 1, "page {i} of RAM");
    }
    assert_eq!(pmap.unmap_range(space.pgdir_mut(), va, size).unwrap().finish(), 0);
    pmap.prune(space.pgdir_mut(), va);
    assert_eq!(refs(&pmap), before);
    space.uvmfree(&mut pmap);
}
