//! The kernel's half, which all address spaces share.

use layout::{Jos32, Jos64, MB, MemLayout, PGSIZE};
use libjos::machine::{CpuSet, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::directory::Pgdir;
use libjos::paging::format::i386::I386;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Entry, Format, Geometry, Perm};
use libjos::paging::mappings::{leaves, steps};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

use super::rig::{SimVm, booted, free_space, new_space, state, user_leaves, with_space};

on_every_format! {
    the_kernel_half_is_shared
    physmap_without_ram_gets_no_tables
    the_kernel_half_changes_through_any_directory
    a_changed_root_entry_arrives
    what_one_directory_has_to_itself_is_not_lost
    large_pages_of_the_root_change_at_once
    a_large_page_of_the_root_goes_with_its_translation
    each_directory_knows_what_it_used_of_the_root
}

/// `kern_pgdir` is not in use, but what it maps above UTOP is.
fn the_kernel_half_changes_through_any_directory<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, _) = with_space::<L, F>();
    let va = VirtAddr::new(L::MMIOBASE);
    let (vm, kern_pgdir) = pmap.split();
    let frame = vm.page_alloc(AllocFlags::empty()).unwrap();
    let pa = vm.pages().page2pa(frame);
    vm.map_range(kern_pgdir, va, PGSIZE, pa, Perm::KRW, Smallest).unwrap();
    assert!(vm.machine_mut().probe_load(va).is_ok());
    assert_eq!(vm.unmap_range(kern_pgdir, va, PGSIZE).unwrap().finish(), 0);
    assert!(vm.machine_mut().probe_load(va).is_err(), "a stale translation");
}

/// If no gap lies between the halves, a range may begin in the one and end in the other. The shared half
/// is in use, though the directory by which it is changed is not.
#[test]
fn a_range_over_utop_is_flushed_whichever_directory_changes() {
    let (mut pmap, _) = with_space::<Jos32, I386>();
    let (mut other, utop) = (new_space(&mut pmap), VirtAddr::new(Jos32::UTOP));
    let (start, size) = (VirtAddr::new(Jos32::UTOP - PGSIZE), 2 * PGSIZE);
    let pa = PhysAddr::new(1024 * MB);
    pmap.machine_mut().flush_tlb(CpuSet::ALL);
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    pmap.map_range(other.pgdir_mut(), start, PGSIZE, pa, Perm::KRW, Smallest).unwrap();
    pmap.page_insert(other.pgdir_mut(), frame, utop, Perm::KRW).unwrap();
    pmap.machine_mut().probe_store(utop, 7).unwrap();
    pmap.protect_range(other.pgdir_mut(), start, size, Perm::KR).unwrap();
    assert!(pmap.machine_mut().probe_store(utop, 8).is_err(), "a stale permission");
    assert_eq!(pmap.machine_mut().probe_load(utop), Ok(7));
    assert_eq!(pmap.unmap_range(other.pgdir_mut(), start, size).unwrap().finish(), 0);
    assert!(pmap.machine_mut().probe_load(utop).is_err(), "a stale translation");
    // A range that ends at UTOP leaves what the processor knows above it alone.
    pmap.page_insert(other.pgdir_mut(), frame, utop, Perm::KRW).unwrap();
    assert_eq!(pmap.machine_mut().probe_load(utop), Ok(7));
    let entry = steps::<I386, _>(pmap.machine(), other.pgdir().address(), utop).last().unwrap().at;
    pmap.machine().store(entry, 0_u32);
    let first = VirtAddr::new(Jos32::UTOP - 41 * PGSIZE);
    pmap.map_range(other.pgdir_mut(), first, 41 * PGSIZE, pa, Perm::KRW, Smallest).unwrap();
    assert_eq!(pmap.unmap_range(other.pgdir_mut(), first, 41 * PGSIZE).unwrap().finish(), 0);
    assert_eq!(
        pmap.machine_mut().probe_load(utop),
        Ok(7),
        "it was flushed, though nobody sees the range"
    );
}

fn the_kernel_half_is_shared<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, kern_pgdir) = pmap.split();
    let (mut one, mut two) = (new_space(vm), new_space(vm));
    // A device, after both were made: it is there in both.
    let (va, pa) = (VirtAddr::new(L::MMIOBASE), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    vm.boot_map_region(kern_pgdir, va, PGSIZE, pa, Perm::KRW);
    let kernel_half = |vm: &SimVm<L, F>, root| {
        let (first, last) = (VirtAddr::new(L::UENVS), VirtAddr::new(u64::MAX));
        leaves::<F, _>(vm.machine(), root, first, last).collect::<Vec<_>>()
    };
    for space in [&mut one, &mut two] {
        let root = space.pgdir().address();
        assert_eq!(kernel_half(vm, root), kernel_half(vm, kern_pgdir.address()));
        space.switchuvm(vm);
        assert_eq!(vm.va2pa(space.pgdir(), va), Some(pa));
        assert!(vm.machine_mut().probe_load(VirtAddr::new(L::KSTACKTOP - 8)).is_ok());
        assert!(user_leaves(vm, space).is_empty());
        // Each shows its own tables at UVPT.
        let uvpt = steps::<F, _>(vm.machine(), root, VirtAddr::new(L::UVPT)).next().unwrap();
        match uvpt.entry {
            Entry::Table { pa, .. } if L::SELF_MAP => assert_eq!(pa, root),
            entry => assert!(!L::SELF_MAP && entry == Entry::Absent, "{entry:?}"),
        }
    }
    // And it goes from both, with what the processor knew of it.
    vm.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
    assert_eq!((vm.va2pa(one.pgdir(), va), vm.va2pa(two.pgdir(), va)), (None, None));
    vm.switchkvm();
    pmap.checks().check_kern_pgdir();
    pmap.checks().check_page_free_list();
}

/// A new space's root leads to a table wherever the kernel may map something later, and in PHYSMAP only where that shows
/// RAM. If something is mapped elsewhere there all the same, it is shared too.
fn physmap_without_ram_gets_no_tables<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, kern_pgdir) = pmap.split();
    let mut space = new_space(vm);
    let entry = |vm: &SimVm<L, F>, root, va| {
        steps::<F, _>(vm.machine(), root, VirtAddr::new(va)).next().unwrap().entry
    };
    let size = F::page_size(F::ROOT);
    let root = space.pgdir().address();
    for va in (0..L::PHYSMAP_MAX / size).map(|slot| L::PHYSMAP + slot * size) {
        assert_eq!(entry(vm, root, va), Entry::Absent, "{}: {va:#x}", F::NAME);
    }
    for va in [L::UENVS, L::UPAGES, L::MMIOBASE, L::KERNBASE] {
        assert!(matches!(entry(vm, root, va), Entry::Table { .. }), "{}: {va:#x}", F::NAME);
    }
    if L::PHYSMAP_MAX > 0 {
        let (va, pa) = (VirtAddr::new(L::PHYSMAP), PhysAddr::new(L::PHYS_BASE));
        space.switchuvm(vm);
        vm.boot_map_region(kern_pgdir, va, PGSIZE, pa, Perm::KRW);
        assert!(vm.machine_mut().probe_load(va).is_ok(), "{}", F::NAME);
        vm.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
    }
    vm.switchkvm();
    free_space(vm, space);
}

/// A table further down is used once, however many address spaces there are.
#[test]
#[should_panic(expected = "must be in use, but is")]
fn a_table_below_a_shared_one_is_not_shared() {
    let (mut pmap, space) = with_space::<Jos64, X86_64>();
    pmap.checks().check_page_free_list();
    let stack = VirtAddr::new(Jos64::KSTACK);
    let table =
        steps::<X86_64, _>(pmap.machine(), space.pgdir().address(), stack).last().unwrap().table;
    let frame = pmap.pages().pa2page(table).unwrap();
    pmap.pages_mut().page_incref(frame).unwrap();
    pmap.checks().check_page_free_list();
}

/// In the directory in use at once, in all others with the switch.
fn a_changed_root_entry_arrives<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut other) = with_space::<L, F>();
    let mut in_use = new_space(&mut pmap);
    in_use.switchuvm(&mut pmap);
    let (vm, kern_pgdir) = pmap.split();
    let va = VirtAddr::new(L::UENVS);
    let nfree = vm.pages().nfree();
    // The kernel drops its empty table; one address space still has it.
    vm.prune(kern_pgdir, va);
    assert_eq!(vm.pages().nfree(), nfree, "the table is in use");
    let root = |vm: &SimVm<L, F>, pgdir: &Pgdir| {
        steps::<F, _>(vm.machine(), pgdir.address(), va).next().expect("a walk has a step").entry
    };
    let has_table =
        |vm: &SimVm<L, F>, space: &AddressSpace| root(vm, space.pgdir()) != Entry::Absent;
    assert_eq!([&other, &in_use].map(|space| has_table(vm, space)), [true, false]);
    let pa = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    vm.map_range(kern_pgdir, va, PGSIZE, pa, Perm::UR, Smallest).unwrap();
    let found = [&*kern_pgdir, in_use.pgdir(), other.pgdir()].map(|space| vm.va2pa(space, va));
    assert_eq!(found, [Some(pa), Some(pa), None]);
    other.switchuvm(vm);
    assert_eq!(vm.va2pa(other.pgdir(), va), Some(pa));
    // Its old table is free again, and the new table and those below it are taken.
    assert_eq!(vm.pages().nfree() + F::LEVELS as usize - 2, nfree);

    // By a walk, and by the next address space that is made.
    for by_walk in [true, false] {
        vm.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
        vm.prune(kern_pgdir, va);
        assert!(!has_table(vm, &other));
        if by_walk {
            let frame = vm.page_alloc(AllocFlags::empty()).unwrap();
            vm.page_insert(kern_pgdir, frame, va, Perm::KR).unwrap();
            vm.page_remove(kern_pgdir, va).unwrap();
            vm.pages_mut().page_free(frame);
        } else {
            let third = new_space(vm);
            free_space(vm, third);
        }
        assert_eq!(root(vm, other.pgdir()), root(vm, kern_pgdir));
        assert!(has_table(vm, &other), "by a walk: {by_walk}");
    }
    for space in [other, in_use] {
        free_space(vm, space);
    }
    pmap.checks().check_page_free_list();
}

/// If only one directory has some tables of the kernel's half, they go with its root entry, or with the directory.
fn what_one_directory_has_to_itself_is_not_lost<L: MemLayout, F: Format + Mmu>() {
    for taken_down in [true, false] {
        let (mut pmap, mut space) = with_space::<L, F>();
        let (va, pa) = (VirtAddr::new(L::UENVS), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
        let (vm, kern_pgdir) = pmap.split();
        for pgdir in [&mut *kern_pgdir, space.pgdir_mut()] {
            vm.prune(pgdir, va);
        }
        let before = state(vm, &[]);
        vm.map_range(space.pgdir_mut(), va, PGSIZE, pa, Perm::UR, Smallest).unwrap();
        assert_ne!(state(vm, &[]), before);
        assert_eq!(vm.va2pa(kern_pgdir, va), None);
        if taken_down {
            assert_eq!(free_space(vm, space), F::LEVELS as usize);
        } else {
            space.switchuvm(vm);
            assert_eq!(vm.va2pa(space.pgdir(), va), None);
            assert_eq!(state(vm, &[]), before);
        }
        pmap.checks().check_page_free_list();
    }
}

/// A root entry that is a large page, and global: the directory in use has it too. The entry that
/// the processor finds there after the flush stays for good, in every address space.
fn large_pages_of_the_root_change_at_once<L: MemLayout, F: Format + Mmu>() {
    let root_has_leaves = F::LEAF_LEVELS >> F::ROOT & 1 != 0;
    if !root_has_leaves {
        return;
    }
    let (mut pmap, mut space) = with_space::<L, F>();
    let va = VirtAddr::new(L::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    let (large, part) = (F::page_size(F::ROOT), F::page_size(F::ROOT - 1));
    // Through any part of it, so that RAM is seen: it begins there, or a little further up.
    let seen = va + layout::round_down(L::PHYS_BASE, PGSIZE) % large;
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, large));
    let global = |perm: Perm| perm | Perm::G;
    vm.prune(kern_pgdir, va);
    let can = |vm: &mut SimVm<L, F>| {
        [vm.machine_mut().probe_load(seen).is_ok(), vm.machine_mut().probe_store(seen, 0).is_ok()]
    };
    let mut everywhere = |vm: &mut SimVm<L, F>, what: &str, expected: [bool; 2]| {
        assert_eq!(can(vm), expected, "{}: {what}", F::NAME);
        vm.switchkvm();
        assert_eq!(can(vm), expected, "{}: {what}", F::NAME);
        space.switchuvm(vm);
        assert_eq!(can(vm), expected, "{}: {what}", F::NAME);
    };
    vm.map_range(kern_pgdir, va, large, pa, global(Perm::KRW), Largest).unwrap();
    everywhere(vm, "mapped", [true, true]);
    vm.protect_range(kern_pgdir, va, large, global(Perm::KR)).unwrap();
    everywhere(vm, "protected", [true, false]);

    // Split, and one part changed: each of them.
    let first = VirtAddr::new(layout::round_down(seen.as_u64(), part));
    vm.protect_range(kern_pgdir, first, part, global(Perm::KRW)).unwrap();
    everywhere(vm, "split", [true, true]);
    vm.protect_range(kern_pgdir, va, large, global(Perm::KRW)).unwrap();
    let nfree = vm.pages().nfree();
    vm.merge(kern_pgdir, va, F::ROOT).unwrap();
    assert_eq!(vm.pages().nfree(), nfree + 1, "{}", F::NAME);
    everywhere(vm, "merged", [true, true]);

    assert_eq!(vm.unmap_range(kern_pgdir, va, large).unwrap().finish(), 0);
    everywhere(vm, "unmapped", [false, false]);
    free_space(vm, space);
    pmap.checks().check_page_free_list();
}

/// A root entry that is a large page, and a directory's own: it goes when the directory follows the
/// kernel's again, at a call that flushes nothing else.
fn a_large_page_of_the_root_goes_with_its_translation<L: MemLayout, F: Format + Mmu>() {
    if F::LEAF_LEVELS >> F::ROOT & 1 == 0 {
        return;
    }
    let (mut pmap, mut space) = with_space::<L, F>();
    let va = VirtAddr::new(L::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    let large = F::page_size(F::ROOT);
    let seen = va + layout::round_down(L::PHYS_BASE, PGSIZE) % large;
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, large));
    vm.prune(kern_pgdir, va);
    vm.map_range(space.pgdir_mut(), va, large, pa, Perm::KRW, Largest).unwrap();
    let word = vm.machine_mut().probe_load(seen).unwrap();
    assert_eq!(vm.machine_mut().probe_store(seen, word), Ok(()), "{}", F::NAME);
    // Makes the table that was missing in the kernel's half.
    let other = new_space(vm);
    assert_eq!(vm.va2pa(space.pgdir(), seen), None, "{}", F::NAME);
    assert!(vm.machine_mut().probe_load(seen).is_err(), "{}: a stale translation", F::NAME);
    vm.switchkvm();
    for space in [space, other] {
        free_space(vm, space);
    }
    pmap.checks().check_page_free_list();
}

/// Whether a large page was written to, each directory's root entry says for itself, and goes on to.
fn each_directory_knows_what_it_used_of_the_root<L: MemLayout, F: Format + Mmu>() {
    if F::LEAF_LEVELS >> F::ROOT & 1 == 0 {
        return;
    }
    let mut pmap = booted::<L, F>();
    let va = VirtAddr::new(L::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    let large = F::page_size(F::ROOT);
    let seen = va + layout::round_down(L::PHYS_BASE, PGSIZE) % large;
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, large));
    vm.map_range(kern_pgdir, va, large, pa, Perm::KRW, Largest).unwrap();
    let mut space = new_space(vm);
    let dirty = |vm: &SimVm<L, F>, pgdir: &Pgdir| {
        let word = vm.machine().load(F::entry(F::ROOT, pgdir.address(), va));
        matches!(F::decode(F::ROOT, word), Entry::Leaf(leaf) if leaf.dirty)
    };
    let fresh = dirty(vm, space.pgdir());
    space.switchuvm(vm);
    let word = vm.machine_mut().probe_load(seen).unwrap();
    vm.machine_mut().probe_store(seen, word).unwrap();
    space.switchuvm(vm);
    assert_eq!((dirty(vm, space.pgdir()), dirty(vm, kern_pgdir)), (true, fresh));
    // Other changes arrive.
    vm.protect_range(kern_pgdir, va, large, Perm::KR).unwrap();
    assert!(vm.machine_mut().probe_store(seen, word).is_err(), "{}", F::NAME);
    free_space(vm, space);
}

/// Where one entry of the directory maps it, that entry is each directory's own: what is changed by
/// another than `kern_pgdir` is that one's alone, until it is switched to.
#[test]
fn a_large_page_of_the_root_is_the_kernels_to_split() {
    let mut pmap = booted::<Jos32, I386>();
    let (vm, kern_pgdir) = pmap.split();
    let (va, large) = (VirtAddr::new(Jos32::UENVS), I386::page_size(1));
    vm.map_range(kern_pgdir, va, large, PhysAddr::new(1024 * MB), Perm::KRW, Largest).unwrap();
    let mut space = new_space(vm);
    vm.unmap_range(space.pgdir_mut(), va, PGSIZE).unwrap();
    assert_eq!(vm.va2pa(space.pgdir(), va), None);
    assert!(vm.va2pa(kern_pgdir, va).is_some());
    let nfree = vm.pages().nfree();
    space.switchuvm(vm);
    assert!(vm.va2pa(space.pgdir(), va).is_some(), "as the kernel has it");
    assert_eq!(vm.pages().nfree(), nfree + 1, "the table of the parts is free again");
    // By `kern_pgdir` it is for all.
    vm.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
    space.switchuvm(vm);
    assert_eq!((vm.va2pa(space.pgdir(), va), vm.va2pa(kern_pgdir, va)), (None, None));
    pmap.checks().check_page_free_list();
}
