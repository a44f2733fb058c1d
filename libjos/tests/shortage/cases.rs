//! The operations that take pages, one row each.
//!
//! Not here are those that have no error: `boot_map_region` panics where `map_range` fails.

use layout::{MemLayout, PGSIZE};
use libjos::app::area::{Access, VmError};
use libjos::app::backing::Backing;
use libjos::app::memory::{Memory, map_pages};
use libjos::heap::OutOfPages;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags};
use libjos::paging::format::{Format, Perm};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;

use crate::List::{AnyOrder, Kept};
use crate::Owed::{Nothing, Pages};
use crate::Used::{Kernel, User};
use crate::given::*;
use crate::places::{Spaces, block, device, far, huge, middle, page, part, top};
use crate::{Case, Refused};

/// A row that says nothing yet: nothing need be there, and no page is taken.
fn user<L: MemLayout, F: Format + Mmu>() -> Case<L, F> {
    Case {
        name: "",
        used: User,
        prepare: |_, _| {},
        run: |_, _| Ok(Nothing),
        refused: |_| panic!("it needs no page"),
        takes: 0,
        list: Kept,
    }
}

/// The same in the kernel's directory.
fn kernel<L: MemLayout, F: Format + Mmu>() -> Case<L, F> {
    Case { used: Kernel, ..user() }
}

pub(crate) fn cases<L: MemLayout, F: Format + Mmu>() -> Vec<Case<L, F>> {
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
            prepare: |pmap, _| pmap.prune(pmap.kern_pgdir(), VirtAddr::new(L::UENVS)),
            run: |pmap, _| Ok(pmap.uvmcreate().map(|_| Nothing)?),
            refused: |_| no_table(VirtAddr::new(L::UENVS)).into(),
            takes: 2,
            ..user()
        },
        // Single pages.
        Case {
            name: "pgdir_walk",
            run: |pmap, spaces| {
                Ok(pmap.pgdir_walk(spaces.pgdir, far::<L>(), true).map(|_| Nothing)?)
            },
            refused: |_| no_table(far::<L>()).into(),
            takes: levels - 1,
            ..user()
        },
        Case {
            name: "page_insert",
            prepare: three_pages,
            run: |pmap, Spaces { pgdir, .. }| {
                let frame = frame(pmap, pgdir, 0);
                Ok(pmap.page_insert(pgdir, frame, far::<L>(), Perm::URW).map(|()| Nothing)?)
            },
            refused: |_| no_table(far::<L>()).into(),
            takes: levels - 1,
            ..user()
        },
        Case {
            name: "page_insert, with all tables but one",
            prepare: three_pages,
            run: |pmap, Spaces { pgdir, .. }| {
                let (frame, va) = (frame(pmap, pgdir, 0), page(2 * block::<F>(), 7));
                Ok(pmap.page_insert(pgdir, frame, va, Perm::URW).map(|()| Nothing)?)
            },
            refused: |_| no_table(page(2 * block::<F>(), 7)).into(),
            takes: 1,
            ..user()
        },
        Case {
            name: "page_insert, for another page",
            prepare: |pmap, spaces| {
                three_pages(pmap, spaces);
                let frame = frame(pmap, spaces.pgdir, 0);
                pmap.page_insert(spaces.pgdir, frame, page(0, 2), Perm::URW).unwrap();
            },
            run: |pmap, Spaces { pgdir, .. }| {
                let frame = frame(pmap, pgdir, 1);
                Ok(pmap.page_insert(pgdir, frame, page(0, 2), Perm::UR).map(|()| Nothing)?)
            },
            ..user()
        },
        // Ranges.
        Case {
            name: "map_range, small pages",
            run: |pmap, spaces| {
                let va = page(2 * block::<F>() - PGSIZE, 0);
                map_device(pmap, spaces.pgdir, va, 2 * PGSIZE, Smallest)
            },
            refused: |_| no_table(page(2 * block::<F>() - PGSIZE, 0)).into(),
            takes: levels,
            ..user()
        },
        Case {
            name: "map_range, a page before the largest and one behind it",
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>() - PGSIZE, 0), huge::<F>() + 2 * PGSIZE);
                map_device(pmap, spaces.pgdir, va, size, Largest)
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
                    .map_range(spaces.pgdir, va, size, pa, Perm::UR, Largest)
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
                pmap.unmap_range(spaces.pgdir, va, size)?;
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
                pmap.unmap_range(spaces.pgdir, va, size)?;
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
                pmap.unmap_range(spaces.pgdir, va, 2 * huge::<F>())?;
                Ok(Nothing)
            },
            ..user()
        },
        Case {
            name: "protect_range, all but a page of two of the largest at either end",
            prepare: two_huge,
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 1), 2 * huge::<F>() - 2 * PGSIZE);
                pmap.protect_range(spaces.pgdir, va, size, Perm::UR)?;
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
                pmap.protect_range(spaces.pgdir, va, size, Perm::UR)?;
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
                map_device(pmap, spaces.pgdir, va, block::<F>(), Smallest).unwrap();
            },
            run: |pmap, spaces| {
                pmap.merge(spaces.pgdir, page(huge::<F>(), 3), 1)?;
                Ok(Pages(pmap.page_alloc(AllocFlags::empty()).expect("the table"), 0))
            },
            ..user()
        },
        // User memory.
        Case {
            name: "uvmalloc",
            run: |pmap, spaces| {
                let (oldsz, newsz) = (block::<F>() - 2 * PGSIZE - 7, block::<F>() + 1);
                Ok(pmap.uvmalloc(spaces.pgdir, oldsz, newsz, Perm::W).map(|_| Nothing)?)
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
                pmap.uvmdealloc(spaces.pgdir, oldsz, newsz)?;
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
                pmap.clearpteu(spaces.pgdir, page(huge::<F>(), 5) + 9)?;
                Ok(Nothing)
            },
            refused: |_| no_table_for_user(page(huge::<F>(), 5)),
            takes: top,
            ..user()
        },
        Case {
            name: "uvmcopy",
            prepare: three_pages,
            run: |pmap, Spaces { pgdir, other }| {
                Ok(pmap.uvmcopy(pgdir, other, block::<F>() + 1).map(|()| Nothing)?)
            },
            refused: |_| no_page(page(0, 0)),
            takes: 3 + levels,
            ..user()
        },
        Case {
            name: "uvmcow",
            prepare: three_pages,
            run: |pmap, Spaces { pgdir, other }| {
                pmap.uvmcow(pgdir, other, block::<F>() + 1)?;
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
                map_device(pmap, spaces.pgdir, va, size, Largest).unwrap();
            },
            run: |pmap, Spaces { pgdir, other }| {
                pmap.uvmcow(pgdir, other, huge::<F>() + 2 * middle::<F>())?;
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
                Ok(pmap.cow_fault(spaces.pgdir, page(0, 1) + 9).map(|()| Nothing)?)
            },
            refused: |_| no_page(page(0, 1) + 9),
            takes: 1,
            ..user()
        },
        Case {
            name: "cow_fault, of the last that has the page",
            prepare: |pmap, spaces| {
                shared(pmap, spaces);
                pmap.page_remove(spaces.other, page(0, 1)).unwrap();
            },
            run: |pmap, spaces| Ok(pmap.cow_fault(spaces.pgdir, page(0, 1)).map(|()| Nothing)?),
            ..user()
        },
        Case {
            name: "copyout, to two shared pages",
            prepare: shared,
            run: |pmap, spaces| {
                let va = page(0, 1);
                let va = VirtAddr::new(va.as_u64() - 3);
                Ok(pmap.copyout(spaces.pgdir, va, b"across").map(|()| Nothing)?)
            },
            refused: |_| no_page(VirtAddr::new(PGSIZE - 3)),
            takes: 2,
            ..user()
        },
        // What an application calls, and its heap.
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
            prepare: two_huge,
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
