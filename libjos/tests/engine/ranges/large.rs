//! Large pages: used where they fit, split and merged.

use super::*;

on_every_format! {
    the_largest_pages_that_fit
    a_part_of_a_large_page_changes
    pieces_merge_again
    a_failed_split_changes_nothing
    a_large_page_up_to_the_end_of_the_lower_half
    uvpt_changes_with_what_it_shows_alone
}

fn the_largest_pages_that_fit<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    let nfree = vm.pages().nfree();
    // One small page, two large ones, one small page.
    let va = VirtAddr::new(4 * large - PGSIZE);
    let (pa, size) = (device::<L>() + (large - PGSIZE), 2 * large + 2 * PGSIZE);
    vm.map_range(pgdir, va, size, pa, Perm::URW, Largest).unwrap();
    let sizes: Vec<u64> = user_leaves(vm).iter().map(|leaf| leaf.size).collect();
    assert_eq!(sizes, [PGSIZE, large, large, PGSIZE]);
    let whole: Vec<Mapping> =
        runs::<F, _>(vm.machine(), pgdir.address(), VirtAddr::new(0), VirtAddr::new(L::UTOP - 1))
            .collect();
    let perm = F::effective(Perm::URW);
    assert_eq!(whole, [Mapping { va, pa, size, perm, smallest: PGSIZE, largest: large }]);
    vm.unmap_range(pgdir, va, size).unwrap();
    for piece in [va, va + (size - PGSIZE)] {
        vm.prune(pgdir, piece);
    }
    assert!(user_leaves(vm).is_empty());
    assert_eq!(vm.pages().nfree(), nfree);

    // Only small ones when asked, or when the processor has no others.
    vm.map_range(pgdir, VirtAddr::new(0), large, pa + PGSIZE, Perm::UR, Smallest).unwrap();
    vm.machine_mut().processor.leaf_levels = 1;
    let va = VirtAddr::new(large);
    vm.map_range(pgdir, va, large, pa + PGSIZE, Perm::UR, Largest).unwrap();
    assert!(user_leaves(vm).iter().all(|leaf| leaf.size == PGSIZE));
}

fn a_part_of_a_large_page_changes<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    vm.map_range(pgdir, va, 2 * large, pa, Perm::URW, Largest).unwrap();
    let hole = va + (large - PGSIZE);
    vm.unmap_range(pgdir, hole, 2 * PGSIZE).unwrap();
    let left: Vec<_> =
        runs::<F, _>(vm.machine(), pgdir.address(), VirtAddr::new(0), VirtAddr::new(L::UTOP - 1))
            .map(|run| (run.va, run.pa, run.size))
            .collect();
    let size = large - PGSIZE;
    assert_eq!(left, [(va, pa, size), (hole + 2 * PGSIZE, pa + large + PGSIZE, size)]);
}

fn pieces_merge_again<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    vm.map_range(pgdir, va, large, pa, Perm::URW, Largest).unwrap();
    let before = state(vm);
    let page = va + 3 * PGSIZE;
    vm.protect_range(pgdir, page, PGSIZE, Perm::UR).unwrap();
    let failed = MapError::NotUniform { va };
    assert_eq!(vm.merge(pgdir, va, 1).unwrap_err(), failed);
    assert_eq!(
        vm.merge(pgdir, VirtAddr::new(0), 1).unwrap_err(),
        MapError::NotUniform { va: VirtAddr::new(0) }
    );
    vm.protect_range(pgdir, page, PGSIZE, Perm::URW).unwrap();
    // Nor do pages merge to a size that does not exist.
    for level in [0, F::LEVELS, F::LEVELS + 1, 6, 7, 31, 32, 64, u32::MAX] {
        let failed = MapError::NotUniform { va: page };
        assert_eq!(vm.merge(pgdir, page, level).unwrap_err(), failed, "level {level}");
    }
    vm.merge(pgdir, page, 1).unwrap();
    assert_eq!(state(vm), before, "the table is free again");
}

fn a_failed_split_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    vm.map_range(pgdir, va, 2 * large, pa, Perm::URW, Largest).unwrap();
    let mut taken = take_all(vm);
    // Each end takes a table. With none and with one free page nothing happens.
    let (start, size) = (va + PGSIZE, 2 * large - 2 * PGSIZE);
    for _ in 0..2 {
        let before = state(vm);
        let error = MapError::NoMemory { va: start };
        assert_eq!(vm.unmap_range(pgdir, start, size).unwrap_err(), error);
        assert_eq!(vm.protect_range(pgdir, start, size, Perm::UR).unwrap_err(), error);
        assert_eq!(state(vm), before);
        vm.pages_mut().page_free(taken.pop().expect("a page"));
    }
    vm.unmap_range(pgdir, start, size).unwrap();
    assert_eq!(user_leaves(vm).len(), 2);
    assert_eq!(vm.pages().nfree(), 0);
}

fn a_large_page_up_to_the_end_of_the_lower_half<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    // RAM that stays in use whatever happens here: the kernel's, around 1 MB.
    let (va, pa) = (VirtAddr::new(L::LOWER_END - large), PhysAddr::new(L::PHYS_BASE));
    let before = state(vm);
    let mapped = vm.map_range(pgdir, va, large, pa, Perm::UR, Largest);
    // Some of it is free, and free pages cannot be mapped: nothing may have changed.
    assert!(
        matches!(mapped, Err(MapError::FreePage { .. } | MapError::Overflow { .. })),
        "{mapped:?}"
    );
    assert_eq!(state(vm), before);
    let taken = take_all(vm);
    let before = state(vm);
    for frame in taken.iter().rev().take(F::LEVELS as usize) {
        vm.pages_mut().page_free(*frame);
    }
    vm.map_range(pgdir, va, large, pa, Perm::UR, Largest).unwrap();
    vm.unmap_range(pgdir, va, large).unwrap();
    vm.prune(pgdir, va);
    take_all(vm);
    assert_eq!(state(vm), before);
}

/// There a mapping would be an entry of a table, and its count nobody's.
fn uvpt_changes_with_what_it_shows_alone<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, kern_pgdir) = pmap.split();
    let mut space = AddressSpace::uvmcreate(vm).unwrap();
    space.uvmalloc(vm, 0, PGSIZE, Perm::W).unwrap();
    let pgdir = space.pgdir_mut();
    let (frame, user) = (vm.page_alloc(ALLOC_ZERO).unwrap(), vm.va2pa(pgdir, VirtAddr::new(0)));
    let pa = vm.pages().page2pa(frame);
    let (uvpt, below) = (VirtAddr::new(L::UVPT), VirtAddr::new(L::UVPT - PGSIZE));
    let before = state(vm);
    for va in [uvpt, uvpt + 2 * PGSIZE, VirtAddr::new(L::ULIM - PGSIZE)] {
        for pgdir in [&mut *pgdir, &mut *kern_pgdir] {
            let error = MapError::Uvpt { va };
            assert_eq!(vm.page_insert(pgdir, frame, va, Perm::UR), Err(error));
            assert_eq!(vm.page_remove(pgdir, va), Err(error));
            assert_eq!(vm.pgdir_walk(pgdir, va, true), Err(error));
            for level in 0..F::LEVELS {
                assert_eq!(vm.merge(pgdir, va, level).unwrap_err(), error);
            }
            vm.prune(pgdir, va);
        }
    }
    // With a part of UVPT in the range, the error names where it begins.
    for (va, size, first) in [
        (uvpt, PGSIZE, uvpt),
        (below, 2 * PGSIZE, uvpt),
        (below, L::PTSIZE + 2 * PGSIZE, uvpt),
        (uvpt + (L::PTSIZE - PGSIZE), 2 * PGSIZE, uvpt + (L::PTSIZE - PGSIZE)),
    ] {
        let error = MapError::Uvpt { va: first };
        assert_eq!(vm.map_range(pgdir, va, size, pa, Perm::UR, Largest), Err(error));
        assert_eq!(vm.unmap_range(pgdir, va, size).unwrap_err(), error);
        assert_eq!(vm.protect_range(pgdir, va, size, Perm::UR).unwrap_err(), error);
    }
    for va in [below, uvpt + L::PTSIZE] {
        vm.unmap_range(pgdir, va, PGSIZE).unwrap();
    }
    assert_eq!(state(vm), before);
    assert_eq!(vm.va2pa(pgdir, VirtAddr::new(0)), user);
    vm.pages_mut().page_free(frame);
    space.uvmfree(vm);
    pmap.checks().check_page_free_list();
}
