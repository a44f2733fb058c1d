//! Exercises 6 to 9: `walk`, `pgdir_walk`, `va2pa`, `boot_map_region`.

use std::vec::Vec;

use layout::{MemLayout, PGSIZE};

use super::{Rig, assert_list, called, lab_tests, some_addresses, spare};
use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::mappings::{leaves, steps};
use crate::paging::pgdir::Stop;
use crate::paging::word::Word;
use crate::sim::mmu::Mmu;

/// A large page that the machine can map at level 1.
const LARGE: PhysAddr = PhysAddr::new(0x4000_0000);

lab_tests! {
    e06_walk_ends_at_the_entry_of_a_page
    e06_walk_ends_where_a_table_is_missing
    e06_walk_ends_at_a_large_page
    e07_pgdir_walk_finds_an_entry_that_is_there
    e07_pgdir_walk_makes_nothing_unless_it_is_asked_to
    e07_pgdir_walk_makes_the_tables_that_are_missing
    e07_pgdir_walk_makes_tables_of_zeros
    e07_the_entry_of_a_table_withholds_nothing
    e07_pgdir_walk_without_memory_changes_nothing
    e07_pgdir_walk_refuses_a_large_page
    e08_va2pa_adds_the_offset_in_the_page
    e08_va2pa_in_a_large_page
    e09_boot_map_region_maps_each_page
    e09_boot_map_region_reaches_the_last_page
    e09_boot_map_region_of_nothing
}

fn e06_walk_ends_at_the_entry_of_a_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    for va in some_addresses::<L, F>() {
        let wanted = rig.map(va, spare::<L>(), Perm::URW);
        let Stop { level, at, entry } = called("walk", || rig.vm.walk(rig.root(), va + 5));
        assert!(
            level == 0 && at == wanted,
            "walk of {va}, a page whose entry is at {wanted}, ends at level {level}, at {at}"
        );
        let is_leaf = matches!(entry, Entry::Leaf(leaf) if leaf.pa == spare::<L>());
        assert!(
            is_leaf,
            "walk of {va} must end at the leaf of {}, but says {entry:?}",
            spare::<L>()
        );
    }
}

fn e06_walk_ends_where_a_table_is_missing<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    for level in (0..F::LEVELS).rev() {
        let va = VirtAddr::new(PGSIZE);
        let at = rig.put(va, level, F::Word::ZERO);
        let stop = called("walk", || rig.vm.walk(rig.root(), va));
        assert!(
            stop.level == level && stop.at == at && stop.entry == Entry::Absent,
            "walk of {va}, whose entry of level {level} at {at} is absent, ends with {stop:?}"
        );
    }
}

fn e06_walk_ends_at_a_large_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let va = VirtAddr::new(F::page_size(1));
    let at = rig.put(va, 1, F::leaf(1, LARGE, Perm::KRW));
    let stop = called("walk", || rig.vm.walk(rig.root(), va + 3 * PGSIZE));
    assert!(
        stop.level == 1 && stop.at == at,
        "walk into a large page, whose entry is of level 1 at {at}, ends with {stop:?}"
    );
}

fn e07_pgdir_walk_finds_an_entry_that_is_there<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    for va in some_addresses::<L, F>() {
        let wanted = rig.put(va, 0, F::Word::ZERO);
        for create in [false, true] {
            let found = called("pgdir_walk", || rig.vm.pgdir_walk(&mut rig.pgdir, va, create));
            let found = found.map(|pte| pte.map(|pte| pte.pa));
            assert!(
                found == Ok(Some(wanted)),
                "pgdir_walk of {va}, whose entry is at {wanted}, gives {found:?}"
            );
        }
    }
}

fn e07_pgdir_walk_makes_nothing_unless_it_is_asked_to<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    for va in some_addresses::<L, F>() {
        let found = called("pgdir_walk", || rig.vm.pgdir_walk(&mut rig.pgdir, va, false));
        assert!(
            found == Ok(None),
            "pgdir_walk of {va} without `create`, where no table is, must give Ok(None), but gives {found:?}"
        );
    }
    assert_list(rig.vm.pages(), 32, "after pgdir_walk without `create`");
}

fn e07_pgdir_walk_makes_the_tables_that_are_missing<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let mut free = 32;
    for va in some_addresses::<L, F>() {
        let missing = rig.missing(va);
        let made = called("pgdir_walk", || rig.vm.pgdir_walk(&mut rig.pgdir, va, true));
        let Ok(Some(pte)) = made else { panic!("pgdir_walk of {va} with `create` gives {made:?}") };
        free -= missing;
        assert_list(rig.vm.pages(), free, "after pgdir_walk with `create`");
        let last = steps::<F, _>(rig.vm.machine(), rig.root(), va).last().unwrap();
        assert!(
            last.level == 0 && last.at == pte.pa,
            "pgdir_walk of {va} with `create` gives the entry at {}, but the tables lead to level {}, {}",
            pte.pa,
            last.level,
            last.at
        );
        assert!(
            last.word == 0,
            "pgdir_walk of {va}: the entry in the new table must be absent, but is {:#x}",
            last.word
        );
        for step in steps::<F, _>(rig.vm.machine(), rig.root(), va).skip(1) {
            let frame = rig.vm.pages().pa2page(step.table).expect("a table in RAM");
            let pp_ref = rig.pp_ref(frame);
            assert!(
                pp_ref == 1,
                "pgdir_walk of {va}: the new page table at {} must have pp_ref 1, but has {pp_ref}",
                step.table
            );
        }
    }
}

fn e07_pgdir_walk_makes_tables_of_zeros<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    for run in super::free_runs::<L>() {
        for pa in run.pages() {
            rig.vm.machine().store_run::<u32>(pa, u32::MAX, 0, 1024);
        }
    }
    let va = VirtAddr::new(0);
    called("pgdir_walk", || rig.vm.pgdir_walk(&mut rig.pgdir, va, true)).unwrap();
    for step in steps::<F, _>(rig.vm.machine(), rig.root(), va).skip(1) {
        for index in 0..F::ENTRIES as u64 {
            let word: F::Word = rig.vm.machine().load(step.table + index * F::Word::BYTES);
            assert!(
                word == F::Word::ZERO || index == 0 && step.level > 0,
                "pgdir_walk: the new page table at {} must be empty, but its entry {index} is {word:#x} (ALLOC_ZERO?)",
                step.table
            );
        }
    }
}

fn e07_the_entry_of_a_table_withholds_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let va = VirtAddr::new(PGSIZE);
    let made = called("pgdir_walk", || rig.vm.pgdir_walk(&mut rig.pgdir, va, true));
    let Ok(Some(pte)) = made else { panic!("pgdir_walk of {va} with `create` gives {made:?}") };
    rig.vm.machine().store(pte.pa, F::leaf(0, spare::<L>(), Perm::URW));
    let found = leaves::<F, _>(rig.vm.machine(), rig.root(), va, va).next();
    let perm = found.expect("pgdir_walk: the tables do not lead to the page").perm;
    assert!(
        perm == F::effective(Perm::URW),
        "pgdir_walk: a page mapped `{}` in the new table can only be used `{perm}`: the entries above it must withhold \
         nothing (M::Format::table)",
        Perm::URW
    );
}

fn e07_pgdir_walk_without_memory_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    for left in 0..F::LEVELS as usize - 1 {
        let mut rig = Rig::<L, F>::with_free_frames();
        rig.leave(left);
        let va = VirtAddr::new(PGSIZE);
        let failed = called("pgdir_walk", || rig.vm.pgdir_walk(&mut rig.pgdir, va, true));
        let wanted = Err(MapError::NoMemory { va });
        assert!(
            failed == wanted,
            "pgdir_walk with {left} free frames, too few, must give {wanted:?}, but gives {failed:?}"
        );
        assert_list(
            rig.vm.pages(),
            left,
            "after pgdir_walk that failed for want of memory (a table is leaked, or freed?)",
        );
        let root: F::Word = rig.vm.machine().load(rig.root());
        assert!(
            root == F::Word::ZERO,
            "after pgdir_walk that failed for want of memory the directory's first entry must be absent, but is {root:#x}"
        );
    }
}

fn e07_pgdir_walk_refuses_a_large_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let va = VirtAddr::new(F::page_size(1));
    rig.put(va, 1, F::leaf(1, LARGE, Perm::KRW));
    for create in [false, true] {
        let failed = called("pgdir_walk", || rig.vm.pgdir_walk(&mut rig.pgdir, va, create));
        let wanted = Err(MapError::large_page(va, F::page_size(1)));
        assert!(
            failed == wanted,
            "pgdir_walk into a large page must give {wanted:?}, but gives {failed:?}"
        );
    }
}

fn e08_va2pa_adds_the_offset_in_the_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    for va in some_addresses::<L, F>() {
        rig.map(va, spare::<L>(), Perm::UR);
        for offset in [0, 1, 0xABC, PGSIZE - 1] {
            let found = called("va2pa", || rig.vm.va2pa(&rig.pgdir, va + offset));
            let wanted = Some(spare::<L>() + offset);
            assert!(
                found == wanted,
                "va2pa of {} must give {wanted:?}, but gives {found:?}",
                va + offset
            );
        }
        rig.put(va, 0, F::Word::ZERO);
        let found = called("va2pa", || rig.vm.va2pa(&rig.pgdir, va));
        assert!(found.is_none(), "va2pa of {va}, which is not mapped, gives {found:?}");
    }
}

fn e08_va2pa_in_a_large_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let va = VirtAddr::new(F::page_size(1));
    rig.put(va, 1, F::leaf(1, LARGE, Perm::KRW));
    for offset in [5, PGSIZE, 7 * PGSIZE + 0x123, F::page_size(1) - 1] {
        let found = called("va2pa", || rig.vm.va2pa(&rig.pgdir, va + offset));
        let wanted = Some(LARGE + offset);
        assert!(
            found == wanted,
            "va2pa of {}, {offset:#x} bytes into a page of {:#x} bytes at {LARGE}, must give {wanted:?}, but gives {found:?}: \
             the offset is that in a page of the level at which the walk ended",
            va + offset,
            F::page_size(1)
        );
    }
}

fn e09_boot_map_region_maps_each_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    // From the last page of one table to the first pages of the next.
    let va = VirtAddr::new(L::KERNBASE + 2 * F::page_size(1) - PGSIZE);
    let (pa, size, perm) = (spare::<L>(), 5 * PGSIZE, Perm::KRW);
    called("boot_map_region", || rig.vm.boot_map_region(&mut rig.pgdir, va, size, pa, perm));
    for offset in (0..size).step_by(PGSIZE as usize) {
        let at = va + offset;
        let found = leaves::<F, _>(rig.vm.machine(), rig.root(), at, at)
            .next()
            .map(|leaf| (leaf.pa, leaf.perm));
        let wanted = Some((pa + offset, F::effective(perm)));
        assert!(
            found == wanted,
            "after boot_map_region of {size:#x} bytes at {va} to {pa} {at} must lead to {wanted:?}, but leads to {found:?}"
        );
    }
    let all: Vec<_> =
        leaves::<F, _>(rig.vm.machine(), rig.root(), VirtAddr::new(0), VirtAddr::new(L::VA_LAST))
            .collect();
    assert!(all.len() == 5, "boot_map_region of 5 pages maps {} pages", all.len());
    let frame = rig.vm.pages().pa2page(pa).unwrap();
    let counted = rig.pp_ref(frame);
    let before = Rig::<L, F>::with_free_frames();
    let wanted = before.pp_ref(frame);
    assert!(
        counted == wanted,
        "boot_map_region must leave pp_ref as it is, {wanted}, but it is {counted}"
    );
}

fn e09_boot_map_region_reaches_the_last_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let va = VirtAddr::new(L::VA_LAST - (2 * PGSIZE - 1));
    let (pa, size) = (spare::<L>(), 2 * PGSIZE);
    called("boot_map_region", || {
        rig.vm.boot_map_region(&mut rig.pgdir, va, size, pa, Perm::KR | Perm::G);
    });
    let last = va + PGSIZE;
    let found = leaves::<F, _>(rig.vm.machine(), rig.root(), last, last)
        .next()
        .map(|leaf| (leaf.pa, leaf.perm));
    let wanted = Some((pa + PGSIZE, F::effective(Perm::KR | Perm::G)));
    assert!(
        found == wanted,
        "after boot_map_region up to the last address {last} must lead to {wanted:?}, but leads to {found:?}"
    );
}

fn e09_boot_map_region_of_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let va = VirtAddr::new(0);
    called("boot_map_region of 0 bytes", || {
        rig.vm.boot_map_region(&mut rig.pgdir, va, 0, spare::<L>(), Perm::KR);
    });
    let found = leaves::<F, _>(rig.vm.machine(), rig.root(), va, va).next();
    assert!(found.is_none(), "boot_map_region of 0 bytes maps {found:?}");
}

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    /// How many tables for `va` are missing.
    fn missing(&self, va: VirtAddr) -> usize {
        let last = steps::<F, _>(self.vm.machine(), self.root(), va).last().expect("a root");
        last.level as usize
    }
}
