//! Operations on user memory that take pages.

use super::*;

pub(super) fn cases<L: MemLayout, F: Format + Mmu>() -> Vec<Case<L, F>> {
    let levels = F::LEVELS as usize;
    let top = top::<F>() as usize;
    vec![
        Case {
            name: "uvmalloc",
            run: |pmap, spaces| {
                let (oldsz, newsz) = (block::<F>() - 2 * PGSIZE - 7, block::<F>() + 1);
                Ok(spaces.space.uvmalloc(pmap, oldsz, newsz, Perm::W).map(|_| Nothing)?)
            },
            refused: |_| no_page(page(block::<F>() - 2 * PGSIZE, 0)),
            takes: 3 + levels,
            ..user()
        },
        Case {
            name: "uvmdealloc, to a page of the largest",
            prepare: two_huge,
            run: |pmap, spaces| {
                let (oldsz, newsz) = (3 * huge::<F>(), huge::<F>() + PGSIZE);
                spaces.space.uvmdealloc(pmap, oldsz, newsz)?;
                Ok(Nothing)
            },
            refused: |_| no_table_for_user(page(huge::<F>(), 1)),
            takes: top,
            ..user()
        },
        Case {
            name: "sbrk, up",
            prepare: three_pages,
            run: |pmap, spaces| {
                let sz = 2 * block::<F>() - 2 * PGSIZE;
                sbrk(pmap, spaces, sz, 3 * PGSIZE.cast_signed())
            },
            refused: |_| no_page(page(2 * block::<F>() - 2 * PGSIZE, 0)),
            takes: 3 + 1,
            ..user()
        },
        Case {
            name: "sbrk, down into one of the largest pages",
            prepare: two_huge,
            run: |pmap, spaces| {
                let n = huge::<F>() + PGSIZE;
                sbrk(pmap, spaces, 3 * huge::<F>(), -n.cast_signed())
            },
            refused: |_| no_table_for_user(page(2 * huge::<F>() - PGSIZE, 0)),
            takes: top,
            ..user()
        },
        Case {
            name: "clearpteu, in one of the largest pages",
            prepare: two_huge,
            run: |pmap, spaces| {
                spaces.space.clearpteu(pmap, page(huge::<F>(), 5) + 9)?;
                Ok(Nothing)
            },
            refused: |_| no_table_for_user(page(huge::<F>(), 5)),
            takes: top,
            ..user()
        },
        Case {
            name: "uvmcopy",
            prepare: three_pages,
            run: |pmap, Spaces { space, other }| {
                Ok(space.uvmcopy(pmap, other, block::<F>() + 1).map(|()| Nothing)?)
            },
            refused: |_| no_page(page(0, 0)),
            takes: 3 + levels,
            ..user()
        },
        Case {
            name: "uvmcow",
            prepare: three_pages,
            run: |pmap, Spaces { space, other }| {
                space.uvmcow(pmap, other, block::<F>() + 1)?;
                Ok(Nothing)
            },
            refused: |_| no_page(page(0, 0)),
            takes: levels,
            ..user()
        },
        Case {
            name: "uvmcow, of large pages",
            prepare: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 0), 2 * middle::<F>());
                map_device(pmap, spaces.space.pgdir_mut(), va, size, Largest).unwrap();
            },
            run: |pmap, Spaces { space, other }| {
                space.uvmcow(pmap, other, huge::<F>() + 2 * middle::<F>())?;
                Ok(Nothing)
            },
            refused: |_| no_page(page(huge::<F>(), 0)),
            takes: levels - 1 - top.min(2),
            ..user()
        },
        Case {
            name: "cow_fault",
            prepare: shared,
            run: |pmap, spaces| {
                Ok(spaces.space.cow_fault(pmap, page(0, 1) + 9).map(|()| Nothing)?)
            },
            refused: |_| no_page(page(0, 1) + 9),
            takes: 1,
            ..user()
        },
        Case {
            name: "cow_fault, of the last that has the page",
            prepare: |pmap, spaces| {
                shared(pmap, spaces);
                pmap.page_remove(spaces.other.pgdir_mut(), page(0, 1)).unwrap();
            },
            run: |pmap, spaces| Ok(spaces.space.cow_fault(pmap, page(0, 1)).map(|()| Nothing)?),
            ..user()
        },
        Case {
            name: "copyout, to two shared pages",
            prepare: shared,
            run: |pmap, spaces| {
                let va = page(0, 1);
                let va = VirtAddr::new(va.as_u64() - 3);
                Ok(spaces.space.copyout(pmap, va, b"across").map(|()| Nothing)?)
            },
            refused: |_| no_page(VirtAddr::new(PGSIZE - 3)),
            takes: 2,
            ..user()
        },
    ]
}
