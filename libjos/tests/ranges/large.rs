//! Large pages: used where they fit, split and merged.

use crate::*;

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
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let nfree = pmap.pages.nfree();
    // One small page, two large ones, one small page.
    let va = VirtAddr::new(4 * large - PGSIZE);
    let (pa, size) = (device::<L>() + (large - PGSIZE), 2 * large + 2 * PGSIZE);
    pmap.map_range(pgdir, va, size, pa, Perm::URW, Largest).unwrap();
    let sizes: Vec<u64> = user_leaves(&pmap).iter().map(|leaf| leaf.size).collect();
    assert_eq!(sizes, [PGSIZE, large, large, PGSIZE]);
    let whole: Vec<Mapping> =
        runs::<F, _>(&pmap.machine, pgdir, VirtAddr::new(0), VirtAddr::new(L::UTOP - 1)).collect();
    let perm = F::effective(Perm::URW);
    assert_eq!(whole, [Mapping { va, pa, size, perm, smallest: PGSIZE, largest: large }]);
    pmap.unmap_range(pgdir, va, size).unwrap();
    for piece in [va, va + (size - PGSIZE)] {
        pmap.prune(pgdir, piece);
    }
    assert!(user_leaves(&pmap).is_empty());
    assert_eq!(pmap.pages.nfree(), nfree);

    // Only small ones when asked, or when the processor has no others.
    pmap.map_range(pgdir, VirtAddr::new(0), large, pa + PGSIZE, Perm::UR, Smallest).unwrap();
    pmap.machine.leaf_levels = 1;
    let va = VirtAddr::new(large);
    pmap.map_range(pgdir, va, large, pa + PGSIZE, Perm::UR, Largest).unwrap();
    assert!(user_leaves(&pmap).iter().all(|leaf| leaf.size == PGSIZE));
}

fn a_part_of_a_large_page_changes<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    pmap.map_range(pgdir, va, 2 * large, pa, Perm::URW, Largest).unwrap();
    let hole = va + (large - PGSIZE);
    pmap.unmap_range(pgdir, hole, 2 * PGSIZE).unwrap();
    let left: Vec<_> =
        runs::<F, _>(&pmap.machine, pgdir, VirtAddr::new(0), VirtAddr::new(L::UTOP - 1))
            .map(|run| (run.va, run.pa, run.size))
            .collect();
    let size = large - PGSIZE;
    assert_eq!(left, [(va, pa, size), (hole + 2 * PGSIZE, pa + large + PGSIZE, size)]);
}

fn pieces_merge_again<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    pmap.map_range(pgdir, va, large, pa, Perm::URW, Largest).unwrap();
    let before = state(&pmap);
    let page = va + 3 * PGSIZE;
    pmap.protect_range(pgdir, page, PGSIZE, Perm::UR).unwrap();
    let failed = MapError::NotUniform { va };
    assert_eq!(pmap.merge(pgdir, va, 1).unwrap_err(), failed);
    assert_eq!(
        pmap.merge(pgdir, VirtAddr::new(0), 1).unwrap_err(),
        MapError::NotUniform { va: VirtAddr::new(0) }
    );
    pmap.protect_range(pgdir, page, PGSIZE, Perm::URW).unwrap();
    // Nor do pages make one of a size that there is not.
    for level in [0, F::LEVELS, F::LEVELS + 1, 6, 7, 31, 32, 64, u32::MAX] {
        let failed = MapError::NotUniform { va: page };
        assert_eq!(pmap.merge(pgdir, page, level).unwrap_err(), failed, "level {level}");
    }
    pmap.merge(pgdir, page, 1).unwrap();
    assert_eq!(state(&pmap), before, "the table is free again");
}

fn a_failed_split_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    pmap.map_range(pgdir, va, 2 * large, pa, Perm::URW, Largest).unwrap();
    let mut taken = take_all(&mut pmap);
    // Each end takes a table. With none and with one free page nothing happens.
    let (start, size) = (va + PGSIZE, 2 * large - 2 * PGSIZE);
    for _ in 0..2 {
        let before = state(&pmap);
        let error = MapError::NoMemory { va: start };
        assert_eq!(pmap.unmap_range(pgdir, start, size).unwrap_err(), error);
        assert_eq!(pmap.protect_range(pgdir, start, size, Perm::UR).unwrap_err(), error);
        assert_eq!(state(&pmap), before);
        pmap.pages.page_free(taken.pop().expect("a page"));
    }
    pmap.unmap_range(pgdir, start, size).unwrap();
    assert_eq!(user_leaves(&pmap).len(), 2);
    assert_eq!(pmap.pages.nfree(), 0);
}

fn a_large_page_up_to_the_end_of_the_lower_half<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    // RAM that stays in use whatever happens here: the kernel's, around 1 MB.
    let (va, pa) = (VirtAddr::new(L::LOWER_END - large), PhysAddr::new(L::PHYS_BASE));
    let before = state(&pmap);
    let mapped = pmap.map_range(pgdir, va, large, pa, Perm::UR, Largest);
    // Some of it is free, and free pages cannot be mapped: nothing may have changed.
    assert!(matches!(mapped, Err(MapError::Page(_))), "{mapped:?}");
    assert_eq!(state(&pmap), before);
    let taken = take_all(&mut pmap);
    let before = state(&pmap);
    for frame in taken.iter().rev().take(F::LEVELS as usize) {
        pmap.pages.page_free(*frame);
    }
    pmap.map_range(pgdir, va, large, pa, Perm::UR, Largest).unwrap();
    pmap.unmap_range(pgdir, va, large).unwrap();
    pmap.prune(pgdir, va);
    take_all(&mut pmap);
    assert_eq!(state(&pmap), before);
}

/// There a mapping would be an entry of a table, and its count nobody's.
fn uvpt_changes_with_what_it_shows_alone<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.uvmcreate().unwrap();
    pmap.uvmalloc(pgdir, 0, PGSIZE, Perm::W).unwrap();
    let (frame, user) = (pmap.page_alloc(ALLOC_ZERO).unwrap(), pmap.va2pa(pgdir, VirtAddr::new(0)));
    let pa = pmap.pages.page2pa(frame);
    let (uvpt, below) = (VirtAddr::new(L::UVPT), VirtAddr::new(L::UVPT - PGSIZE));
    let before = state(&pmap);
    for va in [uvpt, uvpt + 2 * PGSIZE, VirtAddr::new(L::ULIM - PGSIZE)] {
        for pgdir in [pgdir, pmap.kern_pgdir()] {
            let error = MapError::Uvpt { va };
            assert_eq!(pmap.page_insert(pgdir, frame, va, Perm::UR), Err(error));
            assert_eq!(pmap.page_remove(pgdir, va), Err(error));
            assert_eq!(pmap.pgdir_walk(pgdir, va, true), Err(error));
            for level in 0..F::LEVELS {
                assert_eq!(pmap.merge(pgdir, va, level).unwrap_err(), error);
            }
            pmap.prune(pgdir, va);
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
        assert_eq!(pmap.map_range(pgdir, va, size, pa, Perm::UR, Largest), Err(error));
        assert_eq!(pmap.unmap_range(pgdir, va, size).unwrap_err(), error);
        assert_eq!(pmap.protect_range(pgdir, va, size, Perm::UR).unwrap_err(), error);
    }
    for va in [below, uvpt + L::PTSIZE] {
        pmap.unmap_range(pgdir, va, PGSIZE).unwrap();
    }
    assert_eq!(state(&pmap), before);
    assert_eq!(pmap.va2pa(pgdir, VirtAddr::new(0)), user);
    pmap.pages.page_free(frame);
    pmap.uvmfree(pgdir);
    pmap.check_page_free_list();
}
