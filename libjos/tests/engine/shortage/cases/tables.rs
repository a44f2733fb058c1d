//! Pages, directories, single mappings and ranges that take pages.

use super::*;

pub(super) fn cases<L: MemLayout, F: Format + Mmu>() -> Vec<Case<L, F>> {
    let levels = F::LEVELS as usize;
    let top = top::<F>() as usize;
    vec![
        // Pages and directories.
        Case {
            name: "page_alloc",
            run: |pmap, _| pages(pmap.page_alloc(ALLOC_ZERO), 0),
            refused: |_| Refused::NoPage,
            takes: 1,
            ..user()
        },
        Case {
            name: "page_alloc_run",
            run: |pmap, _| pages(pmap.page_alloc_run(ALLOC_ZERO, 2), 2),
            refused: |_| Refused::NoPage,
            takes: 4,
            ..user()
        },
        Case {
            name: "uvmcreate",
            // A table of the kernel's half must be made anew.
            prepare: |pmap, _| {
                let (vm, kern_pgdir) = pmap.split();
                vm.prune(kern_pgdir, VirtAddr::new(L::UENVS));
            },
            run: |pmap, _| {
                let space = AddressSpace::uvmcreate(pmap)?;
                core::mem::forget(space);
                Ok(Nothing)
            },
            refused: |_| no_table(VirtAddr::new(L::UENVS)).into(),
            takes: 2,
            ..user()
        },
        // Single pages.
        Case {
            name: "pgdir_walk",
            run: |pmap, spaces| {
                Ok(pmap.pgdir_walk(spaces.space.pgdir_mut(), far::<L>(), true).map(|_| Nothing)?)
            },
            refused: |_| no_table(far::<L>()).into(),
            takes: levels - 1,
            ..user()
        },
        Case {
            name: "page_insert",
            prepare: three_pages,
            run: |pmap, Spaces { space, .. }| {
                let frame = frame(pmap, space, 0);
                Ok(pmap
                    .page_insert(space.pgdir_mut(), frame, far::<L>(), Perm::URW)
                    .map(|()| Nothing)?)
            },
            refused: |_| no_table(far::<L>()).into(),
            takes: levels - 1,
            ..user()
        },
        Case {
            name: "page_insert, with all tables but one",
            prepare: three_pages,
            run: |pmap, Spaces { space, .. }| {
                let (frame, va) = (frame(pmap, space, 0), page(2 * block::<F>(), 7));
                Ok(pmap.page_insert(space.pgdir_mut(), frame, va, Perm::URW).map(|()| Nothing)?)
            },
            refused: |_| no_table(page(2 * block::<F>(), 7)).into(),
            takes: 1,
            ..user()
        },
        Case {
            name: "page_insert, for another page",
            prepare: |pmap, spaces| {
                three_pages(pmap, spaces);
                let frame = frame(pmap, &spaces.space, 0);
                pmap.page_insert(spaces.space.pgdir_mut(), frame, page(0, 2), Perm::URW).unwrap();
            },
            run: |pmap, Spaces { space, .. }| {
                let frame = frame(pmap, space, 1);
                Ok(pmap
                    .page_insert(space.pgdir_mut(), frame, page(0, 2), Perm::UR)
                    .map(|()| Nothing)?)
            },
            ..user()
        },
        // Ranges.
        Case {
            name: "map_range, small pages",
            run: |pmap, spaces| {
                let va = page(2 * block::<F>() - PGSIZE, 0);
                map_device(pmap, spaces.space.pgdir_mut(), va, 2 * PGSIZE, Smallest)
            },
            refused: |_| no_table(page(2 * block::<F>() - PGSIZE, 0)).into(),
            takes: levels,
            ..user()
        },
        Case {
            name: "map_range, a page before the largest and one behind it",
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>() - PGSIZE, 0), huge::<F>() + 2 * PGSIZE);
                map_device(pmap, spaces.space.pgdir_mut(), va, size, Largest)
            },
            refused: |_| no_table(page(huge::<F>() - PGSIZE, 0)).into(),
            takes: levels - 1 + top,
            ..user()
        },
        Case {
            name: "map_range, a whole table of pages that could be larger but for their place",
            run: |pmap, spaces| {
                let (va, pa) = (page(huge::<F>(), 0), device::<L, F>() + part::<F>());
                let size = middle::<F>();
                Ok(pmap
                    .map_range(spaces.space.pgdir_mut(), va, size, pa, Perm::UR, Largest)
                    .map(|()| Nothing)?)
            },
            refused: |_| no_table(page(huge::<F>(), 0)).into(),
            takes: levels - top.min(2),
            ..user()
        },
        Case {
            name: "unmap_range, all but a page of two of the largest at either end",
            prepare: two_huge,
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 1), 2 * huge::<F>() - 2 * PGSIZE);
                pmap.unmap_range(spaces.space.pgdir_mut(), va, size)?;
                Ok(Nothing)
            },
            refused: |_| no_table(page(huge::<F>(), 1)).into(),
            takes: 2 * top,
            ..user()
        },
        Case {
            name: "unmap_range, all but a page of one of the largest at either end",
            prepare: two_huge,
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 1), huge::<F>() - 2 * PGSIZE);
                pmap.unmap_range(spaces.space.pgdir_mut(), va, size)?;
                Ok(Nothing)
            },
            refused: |_| no_table(page(huge::<F>(), 1)).into(),
            takes: 2 * top - 1,
            ..user()
        },
        Case {
            name: "unmap_range, the largest pages whole",
            prepare: two_huge,
            run: |pmap, spaces| {
                let va = page(huge::<F>(), 0);
                pmap.unmap_range(spaces.space.pgdir_mut(), va, 2 * huge::<F>())?;
                Ok(Nothing)
            },
            ..user()
        },
        Case {
            name: "protect_range, all but a page of two of the largest at either end",
            prepare: two_huge,
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 1), 2 * huge::<F>() - 2 * PGSIZE);
                pmap.protect_range(spaces.space.pgdir_mut(), va, size, Perm::UR)?;
                Ok(Nothing)
            },
            refused: |_| no_table(page(huge::<F>(), 1)).into(),
            takes: 2 * top,
            ..user()
        },
        Case {
            name: "protect_range, all but a page of one of the largest at either end",
            prepare: two_huge,
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 1), huge::<F>() - 2 * PGSIZE);
                pmap.protect_range(spaces.space.pgdir_mut(), va, size, Perm::UR)?;
                Ok(Nothing)
            },
            refused: |_| no_table(page(huge::<F>(), 1)).into(),
            takes: 2 * top - 1,
            ..user()
        },
        Case {
            name: "merge",
            prepare: |pmap, spaces| {
                let va = page(huge::<F>(), 0);
                map_device(pmap, spaces.space.pgdir_mut(), va, block::<F>(), Smallest).unwrap();
            },
            run: |pmap, spaces| {
                pmap.merge(spaces.space.pgdir_mut(), page(huge::<F>(), 3), 1)?;
                Ok(Pages(pmap.page_alloc(AllocFlags::empty()).expect("the table"), 0))
            },
            ..user()
        },
    ]
}
