//! Exercise 3: `region_alloc`.

use layout::{MemLayout, PGSIZE};
use libjos::env::load::region_alloc;
use libjos::machine::PhysMem;
use libjos::mem::addr::VirtAddr;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::sim::mmu::Mmu;

use crate::complaints::{called, leads};
use crate::space::Space;
use crate::state::{give_back, take};

lab_tests! {
    e03_region_alloc_maps_every_page_of_the_range
    e03_region_alloc_gives_each_page_a_frame_of_zeros
    e03_region_alloc_keeps_a_page_that_is_there
    e03_region_alloc_without_memory_is_an_error
}

const START: u64 = 0x80_0000;

impl<L: MemLayout, F: Format + Mmu> Space<L, F> {
    fn region_alloc(&mut self, va: u64, size: u64, perm: Perm) -> Result<(), MapError> {
        called(&format!("region_alloc({va:#x}, {size:#x}, {perm})"), || {
            region_alloc(&mut self.space, &mut self.pmap, VirtAddr::new(va), size, perm)
        })
    }

    /// Allocates a region for which there is memory.
    fn region(&mut self, va: u64, size: u64, perm: Perm) {
        let made = self.region_alloc(va, size, perm);
        assert!(
            made.is_ok(),
            "region_alloc({va:#x}, {size:#x}, {perm}) gives {made:?}, but there is memory"
        );
    }
}

fn e03_region_alloc_maps_every_page_of_the_range<L: MemLayout, F: Format + Mmu>() {
    let cases = [
        (START, PGSIZE, 1),
        (START, 1, 1),
        (START + 5, PGSIZE - 5, 1),
        // From the middle of a page, a page's bytes reach into the next one.
        (START + 0x20, PGSIZE, 2),
        (START + PGSIZE - 1, 2, 2),
        (START, 3 * PGSIZE, 3),
        (START + PGSIZE - 1, PGSIZE + 2, 3),
        // Over the end of a table.
        (2 * F::page_size(1) - PGSIZE, 2 * PGSIZE, 2),
        (L::USTACKTOP - PGSIZE, PGSIZE, 1),
    ];
    for (va, size, n) in cases {
        for perm in [Perm::UR, Perm::URW, Perm::UR | Perm::X] {
            let mut rig = Space::<L, F>::new();
            rig.region(va, size, perm);
            let first = va - va % PGSIZE;
            let wanted: Vec<_> = (0..n).map(|page| first + page * PGSIZE).collect();
            let found: Vec<_> = rig.pages().iter().map(|(va, ..)| *va).collect();
            assert!(
                found == wanted,
                "region_alloc({va:#x}, {size:#x}, {perm}) must map the pages {wanted:x?}, but maps {found:x?}"
            );
            for (page, pa, has) in rig.pages() {
                assert!(
                    has == F::effective(perm),
                    "region_alloc({va:#x}, {size:#x}, {perm}): the page at {page:#x} has the permissions {has}"
                );
                let pp_ref = rig.pp_ref(pa);
                assert!(
                    pp_ref == 1,
                    "region_alloc({va:#x}, {size:#x}, {perm}): the frame at {pa} must have pp_ref 1, but has {pp_ref}"
                );
            }
            let lost = rig.end();
            assert!(lost == 0, "region_alloc({va:#x}, {size:#x}, {perm}): {lost} frames are lost");
        }
    }
}

fn e03_region_alloc_gives_each_page_a_frame_of_zeros<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Space::<L, F>::new();
    rig.region(START + 1, 3 * PGSIZE, Perm::URW);
    let pages = rig.pages();
    for (n, (va, pa, _)) in pages.iter().enumerate() {
        let other = pages[..n].iter().find(|(_, other, _)| other == pa);
        assert!(
            other.is_none(),
            "region_alloc maps two pages to one frame, at {pa}: {va:#x} and {:#x}",
            other.map_or(0, |(va, ..)| *va)
        );
        let junk = rig.bytes(*va, PGSIZE as usize).iter().position(|byte| *byte != 0);
        assert!(
            junk.is_none(),
            "region_alloc gives {va:#x} a frame that is not of zeros: byte {:#x} is {:#x}",
            junk.unwrap_or(0),
            rig.bytes(va + junk.unwrap_or(0) as u64, 1)[0]
        );
    }
    rig.end();
}

fn e03_region_alloc_keeps_a_page_that_is_there<L: MemLayout, F: Format + Mmu>() {
    let (before, new) = (START + PGSIZE, START + PGSIZE + 0x800);
    for (had, perm) in [
        (Perm::UR, Perm::URW),
        (Perm::URW, Perm::UR),
        (Perm::UR | Perm::X, Perm::UR),
        (Perm::UR, Perm::UR | Perm::X),
    ] {
        let mut rig = Space::<L, F>::new();
        rig.region(before, 0x700, had);
        let (pa, _) = rig.page(before).expect("a page");
        rig.pmap.machine().store(pa + 0x10, 0x1234_5678_u32);
        rig.region(new, PGSIZE, perm);
        let (now, wanted) = (rig.page(before), Some((pa, F::effective(had | perm))));
        assert!(
            now == wanted,
            "region_alloc({new:#x}, {PGSIZE:#x}, {perm}) over a page that was there ({had}): {before:#x} must lead {}, but leads {}",
            leads(wanted),
            leads(now)
        );
        let (kept, pp_ref) = (rig.bytes(before + 0x10, 4), rig.pp_ref(pa));
        assert!(
            kept == 0x1234_5678_u32.to_le_bytes(),
            "region_alloc over a page that was there must keep its contents, but {kept:x?} are in the place of 0x12345678"
        );
        assert!(
            pp_ref == 1,
            "region_alloc over a page that was there: its frame must have pp_ref 1, but has {pp_ref}"
        );
        let behind = rig.page(before + PGSIZE).map(|(_, perm)| perm);
        assert!(
            behind == Some(F::effective(perm)),
            "region_alloc({new:#x}, {PGSIZE:#x}, {perm}) must map the next page too, with its permissions, but they are {behind:?}"
        );
        let lost = rig.end();
        assert!(lost == 0, "region_alloc over a page that was there: {lost} frames are lost");
    }
}

fn e03_region_alloc_without_memory_is_an_error<L: MemLayout, F: Format + Mmu>() {
    let (size, tables) = (3 * PGSIZE, F::LEVELS as usize - 1);
    for left in 0..=3 + tables {
        let mut rig = Space::<L, F>::new();
        let taken = take(&mut rig.pmap, left);
        let made = rig.region_alloc(START, size, Perm::URW);
        give_back(&mut rig.pmap, taken);
        assert!(
            made.is_ok() == (left == 3 + tables)
                && matches!(made, Ok(()) | Err(MapError::NoMemory { .. })),
            "region_alloc of 3 pages takes 3 frames and {tables} tables; with {left} free frames it gives {made:?}"
        );
        let lost = rig.end();
        assert!(lost == 0, "region_alloc with {left} free frames: {lost} frames are lost");
    }
}
