//! Global pages: refused wherever another address space need not have the same, by whatever sets
//! permissions.

use layout::{MemLayout, PGSIZE};
use libjos::machine::{Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::pgdir::MapError;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;
use libjos::space::uvm::UvmError;

use crate::rig::{Sim, ZERO, booted, free_space, state, user_pages, with_space};

on_every_format! {
    nothing_below_utop_becomes_global
    what_one_directory_has_to_itself_cannot_be_global
    the_kernel_half_can_be_global
    what_was_made_global_by_hand_is_not_spread
}

/// All that sets permissions, asked for a global page at `va` of `pgdir`, where a page is mapped, or
/// behind it. Nothing may change.
fn refuse_all<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, pgdir: PhysAddr, va: VirtAddr) {
    let (large, behind) = (F::page_size(1), va + PGSIZE);
    let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let pa = pmap.pages.page2pa(frame);
    let before = state(pmap, &[pgdir]);
    for perm in [Perm::KR, Perm::KRW, Perm::URW, Perm::UR | Perm::X, Perm::UR | Perm::COW] {
        let perm = perm | Perm::G;
        let error = |va| Err(MapError::Global { va });
        assert_eq!(pmap.page_insert(pgdir, frame, va + 8, perm), error(va));
        assert_eq!(pmap.page_insert(pgdir, frame, behind, perm), error(behind));
        for (size, sizes) in [(PGSIZE, Smallest), (large, Smallest), (large, Largest)] {
            assert_eq!(pmap.map_range(pgdir, behind, size, pa, perm, sizes), error(behind));
        }
        let protected = pmap.protect_range(pgdir, va, PGSIZE, perm);
        assert_eq!(protected.err(), Some(MapError::Global { va }));
    }
    assert!(state(pmap, &[pgdir]) == before, "{}: what was refused changed something", F::NAME);
    pmap.pages.page_free(frame);
}

/// By whichever directory, in use or not; and what the user had there is gone with its page, for the
/// next space too.
fn nothing_below_utop_becomes_global<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let (kern_pgdir, other) = (pmap.kern_pgdir(), pmap.uvmcreate().unwrap());
    let top = VirtAddr::new(L::UTOP - 2 * F::page_size(1) - 2 * PGSIZE);
    for pgdir in [pgdir, other, kern_pgdir] {
        for va in [ZERO, VirtAddr::new(L::UTEXT), top] {
            let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
            pmap.page_insert(pgdir, frame, va, Perm::URW).unwrap();
            refuse_all(&mut pmap, pgdir, va);
            pmap.page_remove(pgdir, va).unwrap();
        }
        let refused = pmap.uvmalloc(pgdir, PGSIZE, 3 * PGSIZE, Perm::W | Perm::G);
        assert_eq!(refused, Err(MapError::Global { va: ZERO + PGSIZE }.into()));
    }
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    assert!(pmap.page_insert(pgdir, frame, ZERO, Perm::URW | Perm::G).is_err());
    pmap.page_insert(pgdir, frame, ZERO, Perm::URW).unwrap();
    pmap.machine.user_store(ZERO, 1).unwrap();
    pmap.switchuvm(other);
    pmap.page_remove(pgdir, ZERO).unwrap();
    assert!(pmap.machine.user_store(ZERO, 2).is_err(), "{}: a store to a free frame", F::NAME);
}

/// Above UTOP too: where the root entry is not the kernel's, and below UENVS, where it is shared
/// with nobody.
fn what_one_directory_has_to_itself_cannot_be_global<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let (kern_pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UENVS));
    let pa = PhysAddr::new(layout::round_down(L::PHYS_BASE, F::page_size(F::ROOT)));
    for pgdir in [kern_pgdir, pgdir] {
        pmap.prune(pgdir, va);
    }
    pmap.map_range(pgdir, va, PGSIZE, pa, Perm::KR, Smallest).unwrap();
    refuse_all(&mut pmap, pgdir, va);
    if F::LEAF_LEVELS >> F::ROOT & 1 != 0 {
        let size = F::page_size(F::ROOT);
        pmap.unmap_range(pgdir, va, PGSIZE).unwrap();
        pmap.prune(pgdir, va);
        let global = Perm::KR | Perm::G;
        let refused = Err(MapError::Global { va });
        assert_eq!(pmap.map_range(pgdir, va, size, pa, global, Largest), refused);
        pmap.map_range(pgdir, va, size, pa, Perm::KR, Largest).unwrap();
        let refused = pmap.protect_range(pgdir, va, size, global);
        assert_eq!(refused.err(), Some(MapError::Global { va }));
    }
    if L::HALVES {
        let below = VirtAddr::new(L::UENVS - L::PTSIZE);
        for pgdir in [kern_pgdir, pgdir] {
            pmap.map_range(pgdir, below, PGSIZE, pa, Perm::KR, Smallest).unwrap();
            refuse_all(&mut pmap, pgdir, below);
        }
    }
}

/// By the kernel's directory, and in the tables that the others share with it.
fn the_kernel_half_can_be_global<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.uvmcreate().unwrap();
    let va = VirtAddr::new(L::MMIOBASE);
    for pgdir in [pmap.kern_pgdir(), pgdir] {
        let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
        let pa = pmap.pages.page2pa(frame);
        let global = Perm::KRW | Perm::G;
        pmap.page_insert(pgdir, frame, va, global).unwrap();
        pmap.map_range(pgdir, va + PGSIZE, PGSIZE, pa, global, Smallest).unwrap();
        pmap.protect_range(pgdir, va, 2 * PGSIZE, Perm::KR | Perm::G).unwrap();
        pmap.unmap_range(pgdir, va, 2 * PGSIZE).unwrap();
        pmap.pages.page_free(frame);
    }
}

/// An entry that says so though nothing makes such: no other space gets it, and a page of one's own
/// that is made for a write is not global.
fn what_was_made_global_by_hand_is_not_spread<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, old) = with_space::<L, F>();
    let (new, sz) = (pmap.uvmcreate().unwrap(), 3 * PGSIZE);
    pmap.uvmalloc(old, 0, sz, Perm::W).unwrap();
    let by_hand = |pmap: &Sim<L, F>, page: u64, perm: Perm| {
        let va = VirtAddr::new(page * PGSIZE);
        let (frame, pte) = pmap.page_lookup(old, va).unwrap();
        pmap.machine.store(pte.pa, F::leaf(0, pmap.pages.page2pa(frame), perm));
    };
    by_hand(&pmap, 1, Perm::URW | Perm::G);
    let before = state(&pmap, &[old, new]);
    let refused = UvmError::Map(MapError::Global { va: ZERO });
    assert_eq!(pmap.uvmcopy(old, new, sz), Err(refused));
    assert_eq!(pmap.uvmcow(old, new, sz).err(), Some(refused));
    assert!(state(&pmap, &[old, new]) == before, "{}", F::NAME);

    by_hand(&pmap, 1, Perm::URW);
    pmap.uvmcow(old, new, sz).unwrap();
    by_hand(&pmap, 1, Perm::UR | Perm::COW | Perm::G);
    pmap.machine.flush_tlb();
    let nfree = pmap.pages.nfree();
    pmap.cow_fault(old, ZERO + PGSIZE).unwrap();
    assert_eq!(pmap.pages.nfree(), nfree - 1, "{}: it was not copied", F::NAME);
    assert_eq!(user_pages(&pmap, old)[1], (1, F::effective(Perm::URW)));
    free_space(&mut pmap, new);
}
