//! Global pages: refused wherever another address space need not have the same, by whatever sets
//! permissions.

use layout::{MemLayout, PGSIZE};
use libjos::machine::{CpuSet, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::directory::Pgdir;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;
use libjos::space::uvm::UvmError;

use super::rig::{
    SimVm, ZERO, booted, free_space, new_space, roots, state, user_pages, with_space,
};

on_every_format! {
    nothing_below_utop_becomes_global
    what_one_directory_has_to_itself_cannot_be_global
    the_kernel_half_can_be_global
    addresses_that_nobody_maps_are_named_first
    pages_that_all_share_do_not_merge_to_one_directory_s_own
    what_was_made_global_by_hand_is_not_spread
}

/// All that sets permissions, asked for a global page at `va` of `pgdir`, where a page is mapped, or
/// behind it. Nothing may change.
fn refuse_all<L: MemLayout, F: Format + Mmu>(
    vm: &mut SimVm<L, F>,
    pgdir: &mut Pgdir,
    va: VirtAddr,
) {
    let (large, behind) = (F::page_size(1), va + PGSIZE);
    let frame = vm.page_alloc(AllocFlags::empty()).unwrap();
    let pa = vm.pages().page2pa(frame);
    let before = state(vm, &[pgdir.address()]);
    for perm in [Perm::KR, Perm::KRW, Perm::URW, Perm::UR | Perm::X, Perm::UR | Perm::COW] {
        let perm = perm | Perm::G;
        let error = |va| Err(MapError::Global { va });
        assert_eq!(vm.page_insert(pgdir, frame, va + 8, perm), error(va));
        assert_eq!(vm.page_insert(pgdir, frame, behind, perm), error(behind));
        for (size, sizes) in [(PGSIZE, Smallest), (large, Smallest), (large, Largest)] {
            assert_eq!(vm.map_range(pgdir, behind, size, pa, perm, sizes), error(behind));
        }
        let protected = vm.protect_range(pgdir, va, PGSIZE, perm);
        assert_eq!(protected.err(), Some(MapError::Global { va }));
    }
    assert!(
        state(vm, &[pgdir.address()]) == before,
        "{}: what was refused changed something",
        F::NAME
    );
    vm.pages_mut().page_free(frame);
}

/// By whichever directory, in use or not; and what the user had there is gone with its page, for the
/// next space too.
fn nothing_below_utop_becomes_global<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let mut other = new_space(&mut pmap);
    for space in [&mut space, &mut other] {
        let refused = space.uvmalloc(&mut pmap, PGSIZE, 3 * PGSIZE, Perm::W | Perm::G);
        assert_eq!(refused, Err(MapError::Global { va: ZERO + PGSIZE }.into()));
    }
    let (vm, kern_pgdir) = pmap.split();
    let top = VirtAddr::new(L::UTOP - 2 * F::page_size(1) - 2 * PGSIZE);
    for pgdir in [space.pgdir_mut(), other.pgdir_mut(), kern_pgdir] {
        for va in [ZERO, VirtAddr::new(L::UTEXT), top] {
            let frame = vm.page_alloc(AllocFlags::ZERO).unwrap();
            vm.page_insert(pgdir, frame, va, Perm::URW).unwrap();
            refuse_all(vm, pgdir, va);
            vm.page_remove(pgdir, va).unwrap();
        }
    }
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    assert!(pmap.page_insert(space.pgdir_mut(), frame, ZERO, Perm::URW | Perm::G).is_err());
    pmap.page_insert(space.pgdir_mut(), frame, ZERO, Perm::URW).unwrap();
    pmap.machine_mut().user_store(ZERO, 1).unwrap();
    other.switchuvm(&mut pmap);
    pmap.page_remove(space.pgdir_mut(), ZERO).unwrap();
    assert!(
        pmap.machine_mut().user_store(ZERO, 2).is_err(),
        "{}: a store to a free frame",
        F::NAME
    );
}

/// Above UTOP too: where the root entry is not the kernel's, and below UENVS, where it is shared
/// with nobody.
fn what_one_directory_has_to_itself_cannot_be_global<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let va = VirtAddr::new(L::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, F::page_size(F::ROOT)));
    for pgdir in [&mut *kern_pgdir, space.pgdir_mut()] {
        vm.prune(pgdir, va);
    }
    vm.map_range(space.pgdir_mut(), va, PGSIZE, pa, Perm::KR, Smallest).unwrap();
    refuse_all(vm, space.pgdir_mut(), va);
    if F::LEAF_LEVELS >> F::ROOT & 1 != 0 {
        let size = F::page_size(F::ROOT);
        vm.unmap_range(space.pgdir_mut(), va, PGSIZE).unwrap();
        vm.prune(space.pgdir_mut(), va);
        let global = Perm::KR | Perm::G;
        let refused = Err(MapError::Global { va });
        assert_eq!(vm.map_range(space.pgdir_mut(), va, size, pa, global, Largest), refused);
        vm.map_range(space.pgdir_mut(), va, size, pa, Perm::KR, Largest).unwrap();
        let refused = vm.protect_range(space.pgdir_mut(), va, size, global);
        assert_eq!(refused.err(), Some(MapError::Global { va }));
    }
    if L::HALVES {
        let below = VirtAddr::new(L::UENVS - L::PTSIZE);
        for pgdir in [kern_pgdir, space.pgdir_mut()] {
            vm.map_range(pgdir, below, PGSIZE, pa, Perm::KR, Smallest).unwrap();
            refuse_all(vm, pgdir, below);
        }
    }
}

/// By the kernel's directory, and in the tables that the others share with it.
fn the_kernel_half_can_be_global<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, kern_pgdir) = pmap.split();
    let mut space = new_space(vm);
    let va = VirtAddr::new(L::MMIOBASE);
    for pgdir in [kern_pgdir, space.pgdir_mut()] {
        let frame = vm.page_alloc(AllocFlags::empty()).unwrap();
        let pa = vm.pages().page2pa(frame);
        let global = Perm::KRW | Perm::G;
        vm.page_insert(pgdir, frame, va, global).unwrap();
        vm.map_range(pgdir, va + PGSIZE, PGSIZE, pa, global, Smallest).unwrap();
        vm.protect_range(pgdir, va, 2 * PGSIZE, Perm::KR | Perm::G).unwrap();
        vm.unmap_range(pgdir, va, 2 * PGSIZE).unwrap();
        vm.pages_mut().page_free(frame);
    }
}

/// Whether they could be global does not matter.
fn addresses_that_nobody_maps_are_named_first<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let pa = pmap.pages().page2pa(frame);
    let perm = Perm::KR | Perm::G;
    let beyond = VirtAddr::new(if L::HALVES { L::LOWER_END } else { L::VA_LAST + 1 });
    let uvpt = VirtAddr::new(L::UVPT);
    for (va, error) in
        [(beyond, MapError::NonCanonical { va: beyond }), (uvpt, MapError::Uvpt { va: uvpt })]
    {
        let pgdir = space.pgdir_mut();
        assert_eq!(pmap.page_insert(pgdir, frame, va, perm), Err(error));
        assert_eq!(pmap.map_range(pgdir, va, PGSIZE, pa, perm, Smallest), Err(error));
    }
    pmap.pages_mut().page_free(frame);
}

/// Nothing would flush the large page when the kernel changes the small ones.
fn pages_that_all_share_do_not_merge_to_one_directory_s_own<L: MemLayout, F: Format + Mmu>() {
    if F::LEAF_LEVELS >> F::ROOT & 1 == 0 {
        return;
    }
    let (mut pmap, mut space) = with_space::<L, F>();
    let va = VirtAddr::new(L::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    let (large, part) = (F::page_size(F::ROOT), F::page_size(F::ROOT - 1));
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, large));
    let global = Perm::KRW | Perm::G;
    vm.prune(kern_pgdir, va);
    vm.map_range(kern_pgdir, va, large, pa, global, Largest).unwrap();
    // Split, and all parts alike again.
    vm.protect_range(kern_pgdir, va, part, Perm::KR | Perm::G).unwrap();
    vm.protect_range(kern_pgdir, va, part, global).unwrap();
    space.switchuvm(vm);
    let before = state(vm, &[space.pgdir().address()]);
    let refused = vm.merge(space.pgdir_mut(), va + part, F::ROOT);
    assert_eq!(refused, Err(MapError::Global { va }));
    assert!(state(vm, &[space.pgdir().address()]) == before, "{}", F::NAME);

    // Other pages do, and the kernel's directory merges all.
    vm.protect_range(kern_pgdir, va, large, Perm::KRW).unwrap();
    vm.merge(space.pgdir_mut(), va, F::ROOT).unwrap();
    vm.protect_range(kern_pgdir, va, large, global).unwrap();
    vm.merge(kern_pgdir, va, F::ROOT).unwrap();
}

/// An entry that says so though nothing makes such: no other space gets it, and a page of one's own
/// that is made for a write is not global.
fn what_was_made_global_by_hand_is_not_spread<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let (mut new, sz) = (new_space(&mut pmap), 3 * PGSIZE);
    old.uvmalloc(&mut pmap, 0, sz, Perm::W).unwrap();
    let by_hand = |vm: &SimVm<L, F>, old: &AddressSpace, page: u64, perm: Perm| {
        let va = VirtAddr::new(page * PGSIZE);
        let (frame, pte) = vm.page_lookup(old.pgdir(), va).unwrap();
        vm.machine().store(pte.pa, F::leaf(0, vm.pages().page2pa(frame), perm));
    };
    by_hand(&pmap, &old, 1, Perm::URW | Perm::G);
    let before = state(&pmap, &roots([&old, &new]));
    let refused = UvmError::Map(MapError::Global { va: ZERO });
    assert_eq!(old.uvmcopy(&mut pmap, &mut new, sz), Err(refused));
    assert_eq!(old.uvmcow(&mut pmap, &mut new, sz).err(), Some(refused));
    assert!(state(&pmap, &roots([&old, &new])) == before, "{}", F::NAME);

    by_hand(&pmap, &old, 1, Perm::URW);
    old.uvmcow(&mut pmap, &mut new, sz).unwrap();
    by_hand(&pmap, &old, 1, Perm::UR | Perm::COW | Perm::G);
    pmap.machine_mut().flush_tlb(CpuSet::ALL);
    let nfree = pmap.pages().nfree();
    old.cow_fault(&mut pmap, ZERO + PGSIZE).unwrap();
    assert_eq!(pmap.pages().nfree(), nfree - 1, "{}: it was not copied", F::NAME);
    assert_eq!(user_pages(&pmap, &old)[1], (1, F::effective(Perm::URW)));
    free_space(&mut pmap, new);
}
