//! The calls of an application, and its heap, as far as they take pages.

use super::*;

pub(super) fn cases<L: MemLayout, F: Format + Mmu>() -> Vec<Case<L, F>> {
    let levels = F::LEVELS as usize;
    let top = top::<F>() as usize;
    vec![
        Case {
            name: "Memory::map",
            run: |pmap, _| {
                let va = page(2 * block::<F>() - PGSIZE, 0);
                Ok(pmap.map(va, 3, Access::ReadWrite).map(|()| Nothing)?)
            },
            refused: |free| VmError::OutOfMemory { asked: 3, free }.into(),
            takes: 3 + levels,
            list: AnyOrder,
            ..kernel()
        },
        Case {
            name: "map_pages, where some tables are there",
            prepare: |pmap, _| pmap.map(page(block::<F>(), 0), 1, Access::Read).unwrap(),
            run: |pmap, _| {
                let va = page(2 * block::<F>() - 2 * PGSIZE, 0);
                let flags = AllocFlags::empty();
                Ok(map_pages(pmap, va, 4, Perm::KRW, flags).map(|()| Nothing)?)
            },
            refused: |free| VmError::OutOfMemory { asked: 4, free }.into(),
            takes: 4 + 1,
            list: AnyOrder,
            ..kernel()
        },
        Case {
            name: "Memory::alias",
            prepare: |pmap, _| pmap.map(page(0, 0), 1, Access::ReadWrite).unwrap(),
            run: |pmap, _| {
                Ok(pmap.alias(page(0, 0), far::<L>(), Access::Read).map(|()| Nothing)?)
            },
            refused: |_| VmError::Map(no_table(far::<L>())).into(),
            takes: levels - 1,
            ..kernel()
        },
        Case {
            name: "Memory::make_private",
            prepare: |pmap, _| {
                pmap.map(page(0, 0), 1, Access::ReadWrite).unwrap();
                pmap.alias(page(0, 0), page(0, 1), Access::Read).unwrap();
            },
            run: |pmap, _| Ok(pmap.make_private(page(0, 1)).map(|()| Nothing)?),
            refused: |_| VmError::OutOfMemory { asked: 1, free: 0 }.into(),
            takes: 1,
            ..kernel()
        },
        Case {
            name: "Memory::protect, of a page in one of the largest",
            prepare: |pmap, _| {
                let (vm, pgdir) = pmap.split();
                map_device(vm, pgdir, page(huge::<F>(), 0), 2 * huge::<F>(), Largest).unwrap();
            },
            run: |pmap, _| {
                Ok(pmap.protect(page(huge::<F>(), 5), 1, Access::Read).map(|()| Nothing)?)
            },
            refused: |_| VmError::Map(no_table(page(huge::<F>(), 5))).into(),
            takes: top,
            ..kernel()
        },
        Case {
            name: "Backing::map",
            run: |pmap, _| {
                let start = page(2 * block::<F>() - PGSIZE, 0);
                Ok(Backing::new().map(pmap, start, 3 * PGSIZE).map(|()| Nothing)?)
            },
            refused: |_| OutOfPages.into(),
            takes: 3 + levels,
            list: AnyOrder,
            ..kernel()
        },
    ]
}
