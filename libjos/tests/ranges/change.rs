//! Ranges protected and unmapped: marks kept, frames freed only after the flush, uses counted down.

use crate::*;

on_every_format! {
    protection_keeps_marks_and_finds_holes
    a_page_that_is_mapped_again_keeps_its_marks
    frames_wait_for_the_flush
    pages_of_ram_are_counted_one_by_one
    the_first_frame_does_not_follow_the_last
}

fn protection_keeps_marks_and_finds_holes<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let va = VirtAddr::new(large);
    let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
    pmap.page_insert(pgdir, frame, va, Perm::KRW).unwrap();
    pmap.machine.probe_store(va, 7).unwrap();
    pmap.protect_range(pgdir, va, PGSIZE, Perm::KR).unwrap();
    let step = steps::<F, _>(&pmap.machine, pgdir, va).last().unwrap();
    let libjos::paging::format::Entry::Leaf(leaf) = step.entry else { panic!("{step:?}") };
    assert!(leaf.accessed && leaf.dirty, "{leaf:?}");
    assert_eq!(pmap.machine.probe_load(va), Ok(7));
    assert!(pmap.machine.probe_store(va, 8).is_err(), "a stale TLB lets the write through");

    let refused = |pmap: &mut Sim<L, F>, va, size, hole| {
        let before = state(pmap);
        let error = pmap.protect_range(pgdir, va, size, Perm::KRW).unwrap_err();
        assert_eq!(error, MapError::NotMapped { va: hole });
        assert_eq!(state(pmap), before);
    };
    refused(&mut pmap, va, 2 * PGSIZE, va + PGSIZE);
    let below = VirtAddr::new(large - PGSIZE);
    refused(&mut pmap, below, 2 * PGSIZE, below);
    // A hole between two pages, and one behind a large page that the range begins in.
    pmap.map_range(pgdir, va + 2 * PGSIZE, PGSIZE, device::<L>(), Perm::KR, Smallest).unwrap();
    refused(&mut pmap, va, 3 * PGSIZE, va + PGSIZE);
    let next = va + large;
    pmap.map_range(pgdir, next, large, device::<L>(), Perm::KR, Largest).unwrap();
    refused(&mut pmap, next + PGSIZE, large, next + large);
    // No pages are all mapped, wherever.
    let before = state(&pmap);
    for va in [va + PGSIZE, next + PGSIZE] {
        pmap.protect_range(pgdir, va, 0, Perm::KRW).unwrap();
    }
    assert_eq!(state(&pmap), before);
}

/// The same frame with other permissions; another frame is one that nobody has used.
fn a_page_that_is_mapped_again_keeps_its_marks<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UTEXT));
    let frames = [(); 2].map(|()| pmap.page_alloc(ALLOC_ZERO).unwrap());
    let leaf =
        |pmap: &Sim<L, F>| match steps::<F, _>(&pmap.machine, pgdir, va).last().unwrap().entry {
            libjos::paging::format::Entry::Leaf(leaf) => leaf,
            entry => panic!("{entry:?}"),
        };
    pmap.page_insert(pgdir, frames[0], va, Perm::KRW).unwrap();
    pmap.machine.probe_store(va, 7).unwrap();
    pmap.page_insert(pgdir, frames[0], va, Perm::KR).unwrap();
    let again = leaf(&pmap);
    assert_eq!((again.perm, again.accessed, again.dirty), (F::effective(Perm::KR), true, true));
    pmap.page_insert(pgdir, frames[1], va, Perm::KR).unwrap();
    let fresh = F::decode(0, F::leaf(0, pmap.pages.page2pa(frames[1]), Perm::KR));
    assert_eq!(libjos::paging::format::Entry::Leaf(leaf(&pmap)), fresh);
}

fn frames_wait_for_the_flush<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.kern_pgdir();
    // More pages than are flushed one by one.
    let count = 40;
    let at = |i: u64| VirtAddr::new(0x10_0000 + i * PGSIZE);
    for i in 0..count {
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        pmap.page_insert(pgdir, frame, at(i), Perm::KRW).unwrap();
        pmap.machine.probe_store(at(i), i).unwrap();
    }
    let nfree = pmap.pages.nfree();
    for (first, n) in [(0, 3), (3, count - 3)] {
        let mut unmapping = pmap.unmap_range(pgdir, at(first), n * PGSIZE).unwrap();
        unmapping.meanwhile(|pmap| {
            assert_eq!(pmap.pages.nfree(), nfree + first as usize, "not free before the flush");
            assert_eq!(pmap.va2pa(pgdir, at(first)), None);
            // The processor still has the translation: this is why.
            assert_eq!(pmap.machine.probe_load(at(first)), Ok(first));
        });
        assert_eq!(unmapping.finish(), n as usize);
        assert!(pmap.machine.probe_load(at(first)).is_err());
        assert_eq!(pmap.pages.nfree(), nfree + (first + n) as usize);
    }
    pmap.prune(pgdir, at(0));
    pmap.check_page_free_list();
}

fn pages_of_ram_are_counted_one_by_one<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.kern_pgdir();
    // Four neighbours, from among a few.
    let mut frames: Vec<Frame> =
        (0..64).map(|_| pmap.page_alloc(AllocFlags::empty()).unwrap()).collect();
    frames.sort();
    let neighbours = |w: &&[Frame]| w[0].index() + 3 == w[3].index();
    let frames = frames.windows(4).find(neighbours).expect("four neighbours").to_vec();
    let pa = pmap.pages.page2pa(frames[0]);
    let va = VirtAddr::new(0x10_0000);
    pmap.map_range(pgdir, va, 4 * PGSIZE, pa, Perm::UR, Largest).unwrap();
    pmap.page_insert(pgdir, frames[2], va + 8 * PGSIZE, Perm::UR).unwrap();
    let refs = |pmap: &Sim<L, F>| frames.iter().map(|f| pmap.pages.pp_ref(*f)).collect::<Vec<_>>();
    assert_eq!(refs(&pmap), [1, 1, 2, 1]);
    assert_eq!(pmap.unmap_range(pgdir, va, 4 * PGSIZE).unwrap().finish(), 3);
    assert_eq!(refs(&pmap), [0, 0, 1, 0]);

    // A free page among them: none is counted.
    let before = state(&pmap);
    let error = pmap.map_range(pgdir, va, 4 * PGSIZE, pa, Perm::UR, Largest).unwrap_err();
    assert_eq!(error, MapError::Page(PageError::Free { pa }));
    assert_eq!(state(&pmap), before);
}

/// Though on i386 the one's entry and a page more make the other's.
fn the_first_frame_does_not_follow_the_last<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UTEXT));
    let before = state(&pmap);
    for (va, pa) in [(va, F::PA_END - PGSIZE), (va + PGSIZE, 0)] {
        pmap.map_range(pgdir, va, PGSIZE, PhysAddr::new(pa), Perm::UR, Smallest).unwrap();
    }
    assert_eq!(pmap.unmap_range(pgdir, va, 2 * PGSIZE).unwrap().finish(), 0);
    pmap.prune(pgdir, va);
    assert_eq!(state(&pmap), before);
}

/// What `pages` describes begins in the middle of a run of small pages, or of one large page.
#[test]
#[cfg_attr(miri, ignore = "nothing here is unsafe")]
fn a_run_that_begins_below_ram_is_released_as_it_was_counted() {
    begins_below_ram::<JosSv39, Sv39>(JosSv39::PHYS_BASE - PGSIZE, 2 * PGSIZE);
    begins_below_ram::<JosSv48, Sv48>(JosSv48::PHYS_BASE - 40 * PGSIZE, 41 * PGSIZE);
    // It ends behind what `pages` describes, too.
    begins_below_ram::<JosSv48, Sv48>(0, Sv48::page_size(Sv48::ROOT));
}

/// Maps and unmaps `size` bytes from `pa` on.
fn begins_below_ram<L: MemLayout, F: Format + Mmu>(pa: u64, size: u64) {
    let mut pmap = booted::<L, F>();
    let (pgdir, va, pa) = (pmap.uvmcreate().unwrap(), VirtAddr::new(size), PhysAddr::new(pa));
    if F::page_size(F::ROOT) == size {
        // Free pages cannot be mapped, and no table is needed.
        for frame in take_all(&mut pmap) {
            pmap.pages.page_incref(frame).unwrap();
        }
    }
    let refs = |pmap: &Sim<L, F>| state(pmap).2;
    let before = refs(&pmap);
    pmap.map_range(pgdir, va, size, pa, Perm::UR, Largest).unwrap();
    let inside = (pa + size - PhysAddr::new(L::PHYS_BASE)) / PGSIZE;
    let mapped = refs(&pmap);
    for (i, (before, mapped)) in before.iter().zip(&mapped).enumerate().take(inside as usize) {
        assert_eq!(*mapped, before + 1, "page {i} of RAM");
    }
    assert_eq!(pmap.unmap_range(pgdir, va, size).unwrap().finish(), 0);
    pmap.prune(pgdir, va);
    assert_eq!(refs(&pmap), before);
}
