//! The operations that change tables, one row each.

use layout::{MemLayout, PGSIZE};
use libjos::app::area::Access;
use libjos::app::memory::Memory;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::Frame;
use libjos::paging::format::{Format, Perm};
use libjos::paging::range::PageSizes::{self, Largest, Smallest};
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

use super::watched::Linked::{AllButLeaves, Complete, Sound};
use super::{Case, Sim};
use crate::places::{Spaces, block, device, far, huge, middle, page, part};

/// Maps a device at `va`.
fn map_device<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    space: &mut AddressSpace,
    va: VirtAddr,
    size: u64,
    sizes: PageSizes,
) {
    let pa = device::<L, F>() + va.as_u64() % huge::<F>();
    pmap.map_range(space.pgdir_mut(), va, size, pa, Perm::URW, sizes).unwrap();
}

/// Two of the largest pages, from the first boundary on.
fn two_huge<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    map_device(pmap, &mut spaces.space, page(huge::<F>(), 0), 2 * huge::<F>(), Largest);
}

/// Pages 0 and 1, and page 0 of the next block.
fn three_pages<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    spaces.space.uvmalloc(pmap, 0, 2 * PGSIZE, Perm::W).unwrap();
    spaces.space.uvmalloc(pmap, block::<F>(), block::<F>() + 1, Perm::W).unwrap();
    for (va, word) in [(0, 1), (PGSIZE, 2), (block::<F>(), 3)] {
        let bytes = u64::to_ne_bytes(word);
        spaces.space.copyout(pmap, VirtAddr::new(va + PGSIZE - 8), &bytes).unwrap();
    }
}

/// These, shared with the other space on write.
fn shared<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    three_pages(pmap, spaces);
    let Spaces { space, other } = spaces;
    space.uvmcow(pmap, other, block::<F>() + PGSIZE).unwrap();
}

/// Three pages in one space, and in the other the tables for as many.
fn three_pages_and_tables<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    spaces: &mut Spaces,
) {
    three_pages(pmap, spaces);
    for start in [0, block::<F>()] {
        spaces.other.uvmalloc(pmap, start + 7 * PGSIZE, start + 8 * PGSIZE, Perm::W).unwrap();
    }
}

/// The frame that is mapped at page `n`.
fn frame<L: MemLayout, F: Format + Mmu>(pmap: &Sim<L, F>, space: &AddressSpace, n: u64) -> Frame {
    pmap.page_lookup(space.pgdir(), page(0, n)).expect("a page").0
}

pub(crate) fn cases<L: MemLayout, F: Format + Mmu>() -> Vec<Case<L, F>> {
    vec![
        Case {
            name: "map_range, small pages of two tables",
            linked: Complete,
            prepare: |_, _| {},
            run: |pmap, spaces| {
                let va = page(2 * block::<F>() - 2 * PGSIZE, 0);
                map_device(pmap, &mut spaces.space, va, 5 * PGSIZE, Smallest);
            },
        },
        Case {
            name: "map_range, a page before the largest and one behind it",
            linked: Complete,
            prepare: |_, _| {},
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>() - PGSIZE, 0), huge::<F>() + 2 * PGSIZE);
                map_device(pmap, &mut spaces.space, va, size, Largest);
            },
        },
        Case {
            name: "map_range, a whole table of pages that could be larger but for their place",
            linked: Complete,
            prepare: |_, _| {},
            run: |pmap, spaces| {
                let (va, pa) = (page(huge::<F>(), 0), device::<L, F>() + part::<F>());
                pmap.map_range(spaces.space.pgdir_mut(), va, middle::<F>(), pa, Perm::UR, Largest)
                    .unwrap();
            },
        },
        Case {
            name: "map_range, all of such a table but its ends",
            linked: Complete,
            prepare: |_, _| {},
            run: |pmap, spaces| {
                let va = page(huge::<F>() + part::<F>(), 0);
                let (pa, size) = (device::<L, F>(), middle::<F>() - 3 * part::<F>());
                pmap.map_range(spaces.space.pgdir_mut(), va, size, pa, Perm::UR, Largest).unwrap();
            },
        },
        Case {
            name: "map_range, in tables that are there and one that is not",
            linked: Complete,
            prepare: three_pages,
            run: |pmap, spaces| {
                map_device(
                    pmap,
                    &mut spaces.space,
                    page(0, 2),
                    block::<F>() - 2 * PGSIZE,
                    Smallest,
                );
                let va = page(2 * block::<F>() - PGSIZE, 0);
                map_device(pmap, &mut spaces.space, va, 2 * PGSIZE, Smallest);
            },
        },
        Case {
            name: "map_range, in the half that all share",
            linked: Complete,
            prepare: |_, _| {},
            run: |pmap, spaces| {
                let va = page(L::MMIOBASE, 1);
                let pa = device::<L, F>();
                pmap.map_range(spaces.space.pgdir_mut(), va, 3 * PGSIZE, pa, Perm::KRW, Largest)
                    .unwrap();
            },
        },
        Case {
            name: "page_insert, with all its tables",
            linked: AllButLeaves,
            prepare: three_pages,
            run: |pmap, Spaces { space, .. }| {
                let frame = frame(pmap, space, 0);
                pmap.page_insert(space.pgdir_mut(), frame, far::<L>(), Perm::URW).unwrap();
            },
        },
        Case {
            name: "page_insert, for another page",
            linked: Complete,
            prepare: three_pages,
            run: |pmap, Spaces { space, .. }| {
                let frame = frame(pmap, space, 0);
                pmap.page_insert(space.pgdir_mut(), frame, page(0, 1), Perm::UR).unwrap();
            },
        },
        Case {
            name: "page_insert, the same page with less",
            linked: Complete,
            prepare: three_pages,
            run: |pmap, Spaces { space, .. }| {
                let frame = frame(pmap, space, 1);
                pmap.page_insert(space.pgdir_mut(), frame, page(0, 1), Perm::UR).unwrap();
            },
        },
        Case {
            name: "page_remove",
            linked: Complete,
            prepare: three_pages,
            run: |pmap, spaces| pmap.page_remove(spaces.space.pgdir_mut(), page(0, 1)).unwrap(),
        },
        Case {
            name: "unmap_range, all but a page of two of the largest at either end",
            linked: Sound,
            prepare: two_huge,
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 1), 2 * huge::<F>() - 2 * PGSIZE);
                pmap.unmap_range(spaces.space.pgdir_mut(), va, size).unwrap();
            },
        },
        Case {
            name: "unmap_range, large pages and small ones",
            linked: Complete,
            prepare: |pmap, spaces| {
                three_pages(pmap, spaces);
                map_device(pmap, &mut spaces.space, page(2 * huge::<F>(), 0), huge::<F>(), Largest);
            },
            run: |pmap, spaces| {
                pmap.unmap_range(spaces.space.pgdir_mut(), page(0, 0), 3 * huge::<F>()).unwrap();
            },
        },
        Case {
            name: "unmap_range, one of a page's two addresses",
            linked: Complete,
            prepare: |pmap, spaces| {
                three_pages(pmap, spaces);
                let twice = frame(pmap, &spaces.space, 1);
                pmap.page_insert(spaces.space.pgdir_mut(), twice, page(0, 9), Perm::URW).unwrap();
            },
            run: |pmap, spaces| {
                pmap.unmap_range(spaces.space.pgdir_mut(), page(0, 1), PGSIZE).unwrap();
            },
        },
        Case {
            name: "protect_range, two pages within one of the largest",
            linked: Sound,
            prepare: two_huge,
            run: |pmap, spaces| {
                let va = page(huge::<F>() + block::<F>() / 2, 0);
                pmap.protect_range(spaces.space.pgdir_mut(), va, 2 * PGSIZE, Perm::UR).unwrap();
            },
        },
        Case {
            name: "clearpteu",
            linked: Sound,
            prepare: two_huge,
            run: |pmap, spaces| {
                spaces.space.clearpteu(pmap, page(huge::<F>(), 5)).unwrap();
            },
        },
        Case {
            name: "merge",
            linked: Complete,
            prepare: |pmap, spaces| {
                let va = page(huge::<F>(), 0);
                map_device(pmap, &mut spaces.space, va, block::<F>(), Smallest);
            },
            run: |pmap, spaces| {
                pmap.merge(spaces.space.pgdir_mut(), page(huge::<F>(), 3), 1).unwrap();
            },
        },
        Case {
            name: "prune",
            linked: Complete,
            prepare: |pmap, spaces| {
                three_pages(pmap, spaces);
                pmap.page_remove(spaces.space.pgdir_mut(), page(block::<F>(), 0)).unwrap();
            },
            run: |pmap, spaces| pmap.prune(spaces.space.pgdir_mut(), page(block::<F>(), 0)),
        },
        Case {
            name: "uvmalloc",
            linked: Complete,
            prepare: |_, _| {},
            run: |pmap, spaces| {
                let (oldsz, newsz) = (block::<F>() - 2 * PGSIZE, block::<F>() + 1);
                spaces.space.uvmalloc(pmap, oldsz, newsz, Perm::W).unwrap();
            },
        },
        Case {
            name: "uvmalloc, a whole table and a page on both sides",
            linked: Complete,
            prepare: |_, _| {},
            run: |pmap, spaces| {
                let (oldsz, newsz) = (block::<F>() - PGSIZE, 2 * block::<F>() + PGSIZE);
                spaces.space.uvmalloc(pmap, oldsz, newsz, Perm::W).unwrap();
            },
        },
        Case {
            name: "uvmalloc, in a table that is there",
            linked: Complete,
            prepare: three_pages,
            run: |pmap, spaces| {
                spaces.space.uvmalloc(pmap, 2 * PGSIZE, 5 * PGSIZE, Perm::W).unwrap();
            },
        },
        Case {
            name: "uvmdealloc",
            linked: Complete,
            prepare: three_pages,
            run: |pmap, spaces| {
                let sz = block::<F>() + PGSIZE;
                spaces.space.uvmdealloc(pmap, sz, PGSIZE).unwrap();
            },
        },
        Case {
            name: "uvmcopy",
            // Two runs with a hole between them, one after the other.
            linked: Sound,
            prepare: three_pages,
            run: |pmap, Spaces { space, other }| {
                space.uvmcopy(pmap, other, block::<F>() + 1).unwrap();
            },
        },
        Case {
            name: "uvmcopy, in tables that are there",
            linked: Complete,
            prepare: three_pages_and_tables,
            run: |pmap, Spaces { space, other }| {
                space.uvmcopy(pmap, other, 2 * PGSIZE).unwrap();
            },
        },
        Case {
            name: "uvmcopy, of large pages",
            linked: Complete,
            prepare: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 0), 2 * middle::<F>());
                map_device(pmap, &mut spaces.space, va, size, Largest);
            },
            run: |pmap, Spaces { space, other }| {
                space.uvmcopy(pmap, other, huge::<F>() + 2 * middle::<F>()).unwrap();
            },
        },
        Case {
            name: "uvmcow",
            // Two runs with a hole between them, one after the other.
            linked: Sound,
            prepare: three_pages,
            run: |pmap, Spaces { space, other }| {
                space.uvmcow(pmap, other, block::<F>() + 1).unwrap();
            },
        },
        Case {
            name: "uvmcow, in tables that are there",
            linked: Complete,
            prepare: three_pages_and_tables,
            run: |pmap, Spaces { space, other }| {
                space.uvmcow(pmap, other, 2 * PGSIZE).unwrap();
            },
        },
        Case {
            name: "cow_fault",
            linked: Complete,
            prepare: shared,
            run: |pmap, spaces| spaces.space.cow_fault(pmap, page(0, 1)).unwrap(),
        },
        Case {
            name: "Memory::map",
            linked: Sound,
            prepare: |pmap, _| pmap.switchkvm(),
            run: |pmap, _| pmap.map(page(block::<F>() - PGSIZE, 0), 2, Access::ReadWrite).unwrap(),
        },
    ]
}
