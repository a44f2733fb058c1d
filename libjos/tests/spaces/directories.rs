//! Address spaces: made whole or not at all, the kernel's half shared, everything given back.

use layout::{Jos32, Jos64, MB, MemLayout, PGSIZE};
use libjos::machine::{Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::format::i386::I386;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Entry, Format, Geometry, Perm};
use libjos::paging::mappings::{leaves, steps};
use libjos::paging::pgdir::MapError;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;

use crate::rig::{
    Sim, ZERO, booted, free_space, state, take_all, user_leaves, with_each_shortage, with_space,
};

on_every_format! {
    the_kernel_half_is_shared
    the_kernel_half_changes_through_any_directory
    a_changed_root_entry_arrives
    what_one_directory_has_to_itself_is_not_lost
    large_pages_of_the_root_change_at_once
    a_large_page_of_the_root_goes_with_its_translation
    each_directory_knows_what_it_used_of_the_root
    a_space_is_made_whole_or_not_at_all
    a_space_gives_everything_back
    large_pages_go_with_their_space
}

/// `kern_pgdir` is not in use, but what it maps above UTOP is.
fn the_kernel_half_changes_through_any_directory<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, _) = with_space::<L, F>();
    let (kern_pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::MMIOBASE));
    let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let pa = pmap.pages.page2pa(frame);
    pmap.map_range(kern_pgdir, va, PGSIZE, pa, Perm::KRW, Smallest).unwrap();
    assert!(pmap.machine.probe_load(va).is_ok());
    assert_eq!(pmap.unmap_range(kern_pgdir, va, PGSIZE).unwrap().finish(), 0);
    assert!(pmap.machine.probe_load(va).is_err(), "a stale translation");
}

/// Where no gap lies between the halves, a range may begin in the one and end in the other. What it
/// changes in the shared one is in use, though the directory that it is changed by is not.
#[test]
#[cfg_attr(miri, ignore)]
fn a_range_over_utop_is_flushed_whichever_directory_changes() {
    let (mut pmap, _) = with_space::<Jos32, I386>();
    let (other, utop) = (pmap.uvmcreate().unwrap(), VirtAddr::new(Jos32::UTOP));
    let (start, size) = (VirtAddr::new(Jos32::UTOP - PGSIZE), 2 * PGSIZE);
    let pa = PhysAddr::new(1024 * MB);
    pmap.machine.flush_tlb();
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    pmap.map_range(other, start, PGSIZE, pa, Perm::KRW, Smallest).unwrap();
    pmap.page_insert(other, frame, utop, Perm::KRW).unwrap();
    pmap.machine.probe_store(utop, 7).unwrap();
    pmap.protect_range(other, start, size, Perm::KR).unwrap();
    assert!(pmap.machine.probe_store(utop, 8).is_err(), "a stale permission");
    assert_eq!(pmap.machine.probe_load(utop), Ok(7));
    assert_eq!(pmap.unmap_range(other, start, size).unwrap().finish(), 0);
    assert!(pmap.machine.probe_load(utop).is_err(), "a stale translation");
    // A range that ends at UTOP leaves what the processor knows above it alone.
    pmap.page_insert(other, frame, utop, Perm::KRW).unwrap();
    assert_eq!(pmap.machine.probe_load(utop), Ok(7));
    let entry = steps::<I386, _>(&pmap.machine, other, utop).last().unwrap().at;
    pmap.machine.store(entry, 0_u32);
    let first = VirtAddr::new(Jos32::UTOP - 41 * PGSIZE);
    pmap.map_range(other, first, 41 * PGSIZE, pa, Perm::KRW, Smallest).unwrap();
    assert_eq!(pmap.unmap_range(other, first, 41 * PGSIZE).unwrap().finish(), 0);
    assert_eq!(
        pmap.machine.probe_load(utop),
        Ok(7),
        "it was flushed, though nobody sees the range"
    );
}

fn the_kernel_half_is_shared<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let kern_pgdir = pmap.kern_pgdir();
    let (one, two) = (pmap.uvmcreate().unwrap(), pmap.uvmcreate().unwrap());
    // A device, after both were made: it is there in both.
    let (va, pa) = (VirtAddr::new(L::MMIOBASE), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    pmap.boot_map_region(kern_pgdir, va, PGSIZE, pa, Perm::KRW);
    let kernel_half = |pmap: &Sim<L, F>, pgdir| {
        let (first, last) = (VirtAddr::new(L::UENVS), VirtAddr::new(u64::MAX));
        leaves::<F, _>(&pmap.machine, pgdir, first, last).collect::<Vec<_>>()
    };
    for pgdir in [one, two] {
        assert_eq!(kernel_half(&pmap, pgdir), kernel_half(&pmap, kern_pgdir));
        pmap.switchuvm(pgdir);
        assert_eq!(pmap.va2pa(pgdir, va), Some(pa));
        assert!(pmap.machine.probe_load(VirtAddr::new(L::KSTACKTOP - 8)).is_ok());
        assert!(user_leaves(&pmap, pgdir).is_empty());
        // Each shows its own tables at UVPT.
        let uvpt = steps::<F, _>(&pmap.machine, pgdir, VirtAddr::new(L::UVPT)).next().unwrap();
        match uvpt.entry {
            Entry::Table { pa, .. } if L::SELF_MAP => assert_eq!(pa, pgdir),
            entry => assert!(!L::SELF_MAP && entry == Entry::Absent, "{entry:?}"),
        }
    }
    // And it goes from both, with what the processor knew of it.
    pmap.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
    assert_eq!((pmap.va2pa(one, va), pmap.va2pa(two, va)), (None, None));
    pmap.switchuvm(kern_pgdir);
    pmap.check_kern_pgdir();
    pmap.check_page_free_list();
}

/// A table further down is used once, however many address spaces there are.
#[test]
#[cfg_attr(miri, ignore)]
#[should_panic(expected = "must be in use, but is")]
fn a_table_below_a_shared_one_is_not_shared() {
    let (mut pmap, pgdir) = with_space::<Jos64, X86_64>();
    pmap.check_page_free_list();
    let stack = VirtAddr::new(Jos64::KSTACK);
    let table = steps::<X86_64, _>(&pmap.machine, pgdir, stack).last().unwrap().table;
    let frame = pmap.pages.pa2page(table).unwrap();
    pmap.pages.page_incref(frame).unwrap();
    pmap.check_page_free_list();
}

/// In the directory in use at once, in all others with the switch.
fn a_changed_root_entry_arrives<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, other) = with_space::<L, F>();
    let in_use = pmap.uvmcreate().unwrap();
    pmap.switchuvm(in_use);
    let kern_pgdir = pmap.kern_pgdir();
    let va = VirtAddr::new(L::UENVS);
    let nfree = pmap.pages.nfree();
    // The kernel drops its empty table; one address space still has it.
    pmap.prune(kern_pgdir, va);
    assert_eq!(pmap.pages.nfree(), nfree, "the table is in use");
    let root = |pmap: &Sim<L, F>, pgdir| {
        steps::<F, _>(&pmap.machine, pgdir, va).next().expect("a walk has a step").entry
    };
    let has_table = |pmap: &Sim<L, F>, pgdir| root(pmap, pgdir) != Entry::Absent;
    assert_eq!([other, in_use].map(|pgdir| has_table(&pmap, pgdir)), [true, false]);
    let pa = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    pmap.map_range(kern_pgdir, va, PGSIZE, pa, Perm::UR, Smallest).unwrap();
    let found = [kern_pgdir, in_use, other].map(|pgdir| pmap.va2pa(pgdir, va));
    assert_eq!(found, [Some(pa), Some(pa), None]);
    pmap.switchuvm(other);
    assert_eq!(pmap.va2pa(other, va), Some(pa));
    // Its old table is free again. What was taken: the new table and those below it.
    assert_eq!(pmap.pages.nfree() + F::LEVELS as usize - 2, nfree);

    // By a walk, and by the next address space that is made.
    for by_walk in [true, false] {
        pmap.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
        pmap.prune(kern_pgdir, va);
        assert!(!has_table(&pmap, other));
        if by_walk {
            let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
            pmap.page_insert(kern_pgdir, frame, va, Perm::KR).unwrap();
            pmap.page_remove(kern_pgdir, va).unwrap();
            pmap.pages.page_free(frame);
        } else {
            let third = pmap.uvmcreate().unwrap();
            free_space(&mut pmap, third);
        }
        assert_eq!(root(&pmap, other), root(&pmap, kern_pgdir));
        assert!(has_table(&pmap, other), "by a walk: {by_walk}");
    }
    for pgdir in [other, in_use] {
        free_space(&mut pmap, pgdir);
    }
    pmap.check_page_free_list();
}

/// What only one directory has of the kernel's half goes with its root entry, or with itself: the
/// tables too that hang from that one's.
fn what_one_directory_has_to_itself_is_not_lost<L: MemLayout, F: Format + Mmu>() {
    for taken_down in [true, false] {
        let (mut pmap, pgdir) = with_space::<L, F>();
        let (va, pa) = (VirtAddr::new(L::UENVS), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
        let kern_pgdir = pmap.kern_pgdir();
        for pgdir in [kern_pgdir, pgdir] {
            pmap.prune(pgdir, va);
        }
        let before = state(&pmap, &[]);
        pmap.map_range(pgdir, va, PGSIZE, pa, Perm::UR, Smallest).unwrap();
        assert_ne!(state(&pmap, &[]), before);
        assert_eq!(pmap.va2pa(kern_pgdir, va), None);
        if taken_down {
            assert_eq!(free_space(&mut pmap, pgdir), F::LEVELS as usize);
        } else {
            pmap.switchuvm(pgdir);
            assert_eq!(pmap.va2pa(pgdir, va), None);
            assert_eq!(state(&pmap, &[]), before);
        }
        pmap.check_page_free_list();
    }
}

/// A root entry that is a large page, and global: the directory in use has it too. What the processor
/// finds there after the flush stays for good, in every address space.
fn large_pages_of_the_root_change_at_once<L: MemLayout, F: Format + Mmu>() {
    let root_has_leaves = F::LEAF_LEVELS >> F::ROOT & 1 != 0;
    if !root_has_leaves {
        return;
    }
    let (mut pmap, pgdir) = with_space::<L, F>();
    let (kern_pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UENVS));
    let (large, part) = (F::page_size(F::ROOT), F::page_size(F::ROOT - 1));
    // Through any part of it, so that RAM is seen: it begins there, or a little further up.
    let seen = va + layout::round_down(L::PHYS_BASE, PGSIZE) % large;
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, large));
    let global = |perm: Perm| perm | Perm::G;
    pmap.prune(kern_pgdir, va);
    let map = |pmap: &mut Sim<L, F>, perm| {
        pmap.map_range(kern_pgdir, va, large, pa, global(perm), Largest).unwrap();
    };
    let can = |pmap: &mut Sim<L, F>| {
        [pmap.machine.probe_load(seen).is_ok(), pmap.machine.probe_store(seen, 0).is_ok()]
    };
    let everywhere = |pmap: &mut Sim<L, F>, what: &str, expected: [bool; 2]| {
        for next in [kern_pgdir, pgdir] {
            assert_eq!(can(pmap), expected, "{}: {what}", F::NAME);
            pmap.switchuvm(next);
        }
        assert_eq!(can(pmap), expected, "{}: {what}", F::NAME);
    };
    map(&mut pmap, Perm::KRW);
    everywhere(&mut pmap, "mapped", [true, true]);
    pmap.protect_range(kern_pgdir, va, large, global(Perm::KR)).unwrap();
    everywhere(&mut pmap, "protected", [true, false]);

    // Split, and one part changed: each of them.
    let first = VirtAddr::new(layout::round_down(seen.as_u64(), part));
    pmap.protect_range(kern_pgdir, first, part, global(Perm::KRW)).unwrap();
    everywhere(&mut pmap, "split", [true, true]);
    pmap.protect_range(kern_pgdir, va, large, global(Perm::KRW)).unwrap();
    let nfree = pmap.pages.nfree();
    pmap.merge(kern_pgdir, va, F::ROOT).unwrap();
    assert_eq!(pmap.pages.nfree(), nfree + 1, "{}", F::NAME);
    everywhere(&mut pmap, "merged", [true, true]);

    assert_eq!(pmap.unmap_range(kern_pgdir, va, large).unwrap().finish(), 0);
    everywhere(&mut pmap, "unmapped", [false, false]);
    free_space(&mut pmap, pgdir);
    pmap.check_page_free_list();
}

/// A root entry that is a large page, and a directory's own: it goes when the directory follows the
/// kernel's again, at a call that flushes nothing else.
fn a_large_page_of_the_root_goes_with_its_translation<L: MemLayout, F: Format + Mmu>() {
    if F::LEAF_LEVELS >> F::ROOT & 1 == 0 {
        return;
    }
    let (mut pmap, pgdir) = with_space::<L, F>();
    let (kern_pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UENVS));
    let large = F::page_size(F::ROOT);
    let seen = va + layout::round_down(L::PHYS_BASE, PGSIZE) % large;
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, large));
    pmap.prune(kern_pgdir, va);
    pmap.map_range(pgdir, va, large, pa, Perm::KRW, Largest).unwrap();
    let word = pmap.machine.probe_load(seen).unwrap();
    assert_eq!(pmap.machine.probe_store(seen, word), Ok(()), "{}", F::NAME);
    // Makes the table that was missing in the kernel's half.
    let other = pmap.uvmcreate().unwrap();
    assert_eq!(pmap.va2pa(pgdir, seen), None, "{}", F::NAME);
    assert!(pmap.machine.probe_load(seen).is_err(), "{}: a stale translation", F::NAME);
    pmap.switchuvm(kern_pgdir);
    for pgdir in [pgdir, other] {
        free_space(&mut pmap, pgdir);
    }
    pmap.check_page_free_list();
}

/// Whether a large page was written to, each directory's root entry says for itself, and goes on to.
fn each_directory_knows_what_it_used_of_the_root<L: MemLayout, F: Format + Mmu>() {
    if F::LEAF_LEVELS >> F::ROOT & 1 == 0 {
        return;
    }
    let mut pmap = booted::<L, F>();
    let (kern_pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UENVS));
    let large = F::page_size(F::ROOT);
    let seen = va + layout::round_down(L::PHYS_BASE, PGSIZE) % large;
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, large));
    pmap.map_range(kern_pgdir, va, large, pa, Perm::KRW, Largest).unwrap();
    let pgdir = pmap.uvmcreate().unwrap();
    let dirty = |pmap: &Sim<L, F>, pgdir| {
        let word = pmap.machine.load(F::entry(F::ROOT, pgdir, va));
        matches!(F::decode(F::ROOT, word), Entry::Leaf(leaf) if leaf.dirty)
    };
    let fresh = dirty(&pmap, pgdir);
    pmap.switchuvm(pgdir);
    let word = pmap.machine.probe_load(seen).unwrap();
    pmap.machine.probe_store(seen, word).unwrap();
    pmap.switchuvm(pgdir);
    assert_eq!((dirty(&pmap, pgdir), dirty(&pmap, kern_pgdir)), (true, fresh));
    // What else changes arrives.
    pmap.protect_range(kern_pgdir, va, large, Perm::KR).unwrap();
    assert!(pmap.machine.probe_store(seen, word).is_err(), "{}", F::NAME);
    free_space(&mut pmap, pgdir);
}

/// Where one entry of the directory maps it, that entry is each directory's own: what is changed by
/// another than `kern_pgdir` is that one's alone, until it is switched to.
#[test]
#[cfg_attr(miri, ignore)]
fn a_large_page_of_the_root_is_the_kernels_to_split() {
    let mut pmap = booted::<Jos32, I386>();
    let kern_pgdir = pmap.kern_pgdir();
    let (va, large) = (VirtAddr::new(Jos32::UENVS), I386::page_size(1));
    pmap.map_range(kern_pgdir, va, large, PhysAddr::new(1024 * MB), Perm::KRW, Largest).unwrap();
    let pgdir = pmap.uvmcreate().unwrap();
    pmap.unmap_range(pgdir, va, PGSIZE).unwrap();
    assert_eq!(pmap.va2pa(pgdir, va), None);
    assert!(pmap.va2pa(kern_pgdir, va).is_some());
    let nfree = pmap.pages.nfree();
    pmap.switchuvm(pgdir);
    assert!(pmap.va2pa(pgdir, va).is_some(), "as the kernel has it");
    assert_eq!(pmap.pages.nfree(), nfree + 1, "the table of the parts is free again");
    // By `kern_pgdir` it is for all.
    pmap.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
    pmap.switchuvm(pgdir);
    assert_eq!((pmap.va2pa(pgdir, va), pmap.va2pa(kern_pgdir, va)), (None, None));
    pmap.check_page_free_list();
}

fn a_space_is_made_whole_or_not_at_all<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let error = MapError::NoMemory { va: VirtAddr::new(L::UENVS) };
    let (first, n) = with_each_shortage(&mut pmap, &[], error, |pmap| pmap.uvmcreate());
    // The kernel's tables that were missing: UENVS, and on i386 MMIO's.
    assert_eq!(n, if F::LEVELS == 2 { 3 } else { 2 });
    let (_, n) = with_each_shortage(&mut pmap, &[first], error, |pmap| pmap.uvmcreate());
    assert_eq!(n, 1, "now they are there");
    // Made and taken down again, it leaves no trace: not in the shared tables' counts either.
    let before = state(&pmap, &[first]);
    let pgdir = pmap.uvmcreate().unwrap();
    assert_ne!(state(&pmap, &[first]), before);
    assert_eq!(free_space(&mut pmap, pgdir), 1);
    assert_eq!(state(&pmap, &[first]), before);
}

fn a_space_gives_everything_back<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let stays = pmap.uvmcreate().unwrap();
    let before = state(&pmap, &[stays]);
    let pgdir = pmap.uvmcreate().unwrap();
    pmap.switchuvm(pgdir);
    pmap.uvmalloc(pgdir, 0, 5 * PGSIZE, Perm::W).unwrap();
    // The exception stack, just below UTOP; a page of another's; one that is mapped twice.
    let top = VirtAddr::new(L::UXSTACKTOP - PGSIZE);
    pmap.uvmalloc(stays, 0, PGSIZE, Perm::W).unwrap();
    let (shared, _) = pmap.page_lookup(stays, ZERO).unwrap();
    for va in [top, VirtAddr::new(L::UTEXT), VirtAddr::new(L::UTEXT + PGSIZE)] {
        pmap.page_insert(pgdir, shared, va, Perm::URW).unwrap();
    }
    pmap.machine.user_store(ZERO, 1).unwrap();
    let used = before.1 - pmap.pages.nfree();
    let tables_and_page_that_stay = F::LEVELS as usize;

    assert_eq!(pmap.uvmfree(pgdir), used - tables_and_page_that_stay);
    assert!(pmap.machine.user_load(ZERO).is_err(), "kern_pgdir is in use instead");
    assert_eq!(pmap.pages.pp_ref(shared), 1);
    assert_eq!(free_space(&mut pmap, stays), tables_and_page_that_stay + 1);

    // And all over again comes to the same.
    let again = pmap.uvmcreate().unwrap();
    assert_eq!(state(&pmap, &[again]).1, before.1);
    pmap.check_page_free_list();
    pmap.check_kern_pgdir();
}

fn large_pages_go_with_their_space<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let nfree = pmap.pages.nfree();
    let (large, pa) = (F::page_size(1), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    // Up to the end of the lower half, over UTOP where that is not the end itself.
    let va = VirtAddr::new(L::LOWER_END - large);
    pmap.map_range(pgdir, va, large, pa, Perm::URW, Largest).unwrap();
    assert_eq!(user_leaves(&pmap, pgdir).len(), 1);
    take_all(&mut pmap);
    let freed = free_space(&mut pmap, pgdir);
    assert_eq!(freed, F::LEVELS as usize - 1, "no table was needed for a split");
    assert!(nfree > 0);
}
