//! User memory that is copied on write.

use layout::{MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator, PageError, PageInfo};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::pgdir::MapError;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;
use libjos::space::uvm::UvmError;

use crate::rig::{
    Sim, ZERO, forked, free_space, kept, read_only, state, take_all, three_pages, three_words,
    user_leaves, user_pages, with_each_shortage, with_space,
};

on_every_format! {
    a_write_on_either_side_stays_there
    the_last_user_of_a_page_gets_it_back_without_a_copy
    the_parent_writes_to_nothing_shared
    read_only_pages_are_shared_and_stay_so
    protection_makes_no_two_spaces_share_writes
    a_large_read_only_page_is_shared_and_says_so
    large_pages_side_by_side_stay_apart
    copy_on_write_fails_whole
    a_count_that_would_overflow_is_an_error
    large_pages_are_copied_but_not_on_write
    devices_are_shared_wherever_they_lie
}

/// A user's write, with the fault handler behind it, and what it took of free pages.
fn write<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    pgdir: PhysAddr,
    va: VirtAddr,
    value: u64,
) -> usize {
    let nfree = pmap.pages.nfree();
    pmap.switchuvm(pgdir);
    assert_eq!(pmap.machine.user_store(va, value), read_only(va));
    pmap.cow_fault(pgdir, va).unwrap();
    assert_eq!(pmap.machine.user_store(va, value), Ok(()));
    nfree - pmap.pages.nfree()
}

pub(crate) fn a_write_on_either_side_stays_there<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    // The child has read the page; the processor must not go on reading the old one.
    pmap.switchuvm(child);
    assert_eq!(pmap.machine.user_load(ZERO), Ok(1));
    assert_eq!(write(&mut pmap, child, ZERO, 10), 1, "a copy");
    assert_eq!(pmap.machine.user_load(ZERO), Ok(10));
    assert_eq!(three_words(&pmap, parent), [1, 2, 3]);
    assert_eq!(three_words(&pmap, child), [10, 2, 3]);
    // A byte in the middle of the second page, by the parent first: the rest comes along.
    let va = VirtAddr::new(PGSIZE + 64);
    assert_eq!(write(&mut pmap, parent, va, 20), 1, "a copy");
    assert_eq!(write(&mut pmap, child, va, 30), 0, "no copy: the parent has its own");
    assert_eq!((three_words(&pmap, parent), three_words(&pmap, child)), ([1, 2, 3], [10, 2, 3]));
    let word = |pgdir| pmap.machine.load::<u64>(pmap.va2pa(pgdir, va).unwrap());
    assert_eq!((word(parent), word(child)), (20, 30));
    // Both have it to themselves.
    let urw = kept::<F>(Perm::URW);
    assert_eq!(user_pages(&pmap, child)[..2], [(0, urw), (1, urw)]);
    for pgdir in [parent, child] {
        free_space(&mut pmap, pgdir);
    }
    pmap.check_page_free_list();
}

fn the_last_user_of_a_page_gets_it_back_without_a_copy<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    let (frame, _) = pmap.page_lookup(parent, ZERO).unwrap();
    // A grandchild: three have it, then two, then one.
    let grandchild = pmap.uvmcreate().unwrap();
    pmap.uvmcow(child, grandchild, 4 * PGSIZE).unwrap();
    assert_eq!(pmap.pages.pp_ref(frame), 3);
    assert_eq!(write(&mut pmap, grandchild, ZERO, 30), 1);
    assert_eq!(pmap.pages.pp_ref(frame), 2);
    free_space(&mut pmap, child);
    assert_eq!(pmap.pages.pp_ref(frame), 1);
    assert_eq!(write(&mut pmap, parent, ZERO, 10), 0);
    assert_eq!(pmap.page_lookup(parent, ZERO).unwrap().0, frame);
    // A late fault, from a translation that is not up to date, changes nothing but that.
    pmap.protect_range(parent, ZERO, PGSIZE, Perm::UR).unwrap();
    assert_eq!(pmap.machine.user_load(ZERO), Ok(10));
    // (The entry by hand: `protect_range` would tell the processor.)
    let (_, pte) = pmap.page_lookup(parent, ZERO).unwrap();
    pmap.machine.store(pte.pa, F::leaf(0, pmap.pages.page2pa(frame), Perm::URW));
    assert_eq!(pmap.machine.user_store(ZERO, 10), read_only(ZERO));
    let before = state(&pmap, &[parent, grandchild]);
    pmap.cow_fault(parent, ZERO).unwrap();
    assert_eq!(pmap.machine.user_store(ZERO, 10), Ok(()));
    assert_eq!(state(&pmap, &[parent, grandchild]), before);
    assert_eq!(three_words(&pmap, grandchild), [30, 2, 3]);
    assert_eq!(three_words(&pmap, parent), [10, 2, 3]);
}

fn the_parent_writes_to_nothing_shared<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent) = with_space::<L, F>();
    // More pages than are flushed one by one, and fewer.
    for npages in [3, 40] {
        let sz = npages * PGSIZE;
        pmap.uvmalloc(parent, 0, sz, Perm::W).unwrap();
        let last = VirtAddr::new(sz - PGSIZE);
        pmap.machine.user_store(last, 1).unwrap();
        let child = pmap.uvmcreate().unwrap();
        pmap.uvmcow(parent, child, sz).unwrap();
        assert_eq!(pmap.machine.user_store(last, 2), read_only(last), "a stale translation");
        free_space(&mut pmap, child);
        pmap.uvmdealloc(parent, sz, 0).unwrap();
    }
}

fn read_only_pages_are_shared_and_stay_so<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    let va = VirtAddr::new(3 * PGSIZE);
    let (frame, _) = pmap.page_lookup(child, va).unwrap();
    assert_eq!(pmap.pages.pp_ref(frame), 2);
    let refused = Err(UvmError::NoAccess { va: va + 5 });
    for pgdir in [parent, child] {
        let before = state(&pmap, &[parent, child]);
        assert_eq!(pmap.cow_fault(pgdir, va + 5), refused);
        assert_eq!(pmap.copyout(pgdir, va + 5, b"x"), refused);
        assert_eq!(state(&pmap, &[parent, child]), before);
    }
    // Alone with it, the parent still cannot write: it never could.
    free_space(&mut pmap, child);
    assert_eq!(pmap.pages.pp_ref(frame), 1);
    assert_eq!(pmap.cow_fault(parent, va + 5), refused);
    // Nor is there anything to be done where nothing is mapped, or above UTOP.
    for va in [2 * PGSIZE, L::UTOP, L::UPAGES, L::KERNBASE, u64::MAX].map(VirtAddr::new) {
        assert_eq!(pmap.cow_fault(parent, va), Err(UvmError::NoAccess { va }));
    }
}

/// Read-only before the sharing or after it, in either space, and then writable again: each has what
/// it writes to itself.
fn protection_makes_no_two_spaces_share_writes<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    let protect = |pmap: &mut Sim<L, F>, pgdir, page: u64, perm| {
        let va = VirtAddr::new(page * PGSIZE);
        pmap.protect_range(pgdir, va, PGSIZE, perm).unwrap();
        let (_, perm) = user_pages(pmap, pgdir).into_iter().find(|(at, _)| *at == page).unwrap();
        perm
    };
    let (cow, private) = (kept::<F>(Perm::UR | Perm::COW), kept::<F>(Perm::UR | Perm::PRIVATE));
    for (pgdir, page) in [(parent, 0), (child, 1), (parent, 3)] {
        let va = VirtAddr::new(page * PGSIZE);
        assert_eq!(protect(&mut pmap, pgdir, page, Perm::UR), private);
        assert_eq!(pmap.cow_fault(pgdir, va), Err(UvmError::NoAccess { va }));
        assert_eq!(pmap.copyout(pgdir, va, b"x"), Err(UvmError::NoAccess { va }));
        // Another fork in between, and whoever says that it is writable or to be copied.
        let third = pmap.uvmcreate().unwrap();
        pmap.uvmcow(pgdir, third, 4 * PGSIZE).unwrap();
        for perm in [Perm::URW, Perm::UR | Perm::COW, Perm::URW | Perm::COW | Perm::PRIVATE] {
            assert_eq!(protect(&mut pmap, third, page, perm), cow, "{perm:?}");
        }
        assert_eq!(protect(&mut pmap, pgdir, page, Perm::URW), cow);
        assert_eq!(write(&mut pmap, pgdir, va, 7), 1, "a copy");
        pmap.copyout(third, va, &[9; 8]).unwrap();
        free_space(&mut pmap, third);
    }
    assert_eq!(three_words(&pmap, parent), [7, 2, 7]);
    assert_eq!(three_words(&pmap, child), [1, 7, 3]);
    // What was never shared is as it is asked for.
    pmap.uvmalloc(parent, 4 * PGSIZE, 5 * PGSIZE, Perm::W).unwrap();
    for perm in [Perm::UR, Perm::URW] {
        assert_eq!(protect(&mut pmap, parent, 4, perm), kept::<F>(perm));
    }
}

/// A large one too, in both spaces, and no device.
fn a_large_read_only_page_is_shared_and_says_so<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, old) = with_space::<L, F>();
    let large = F::page_size(1);
    let (ram, device) =
        (PhysAddr::new(L::PHYS_BASE + large), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    for frame in take_all(&mut pmap) {
        let pa = pmap.pages.page2pa(frame);
        if pa < ram || pa >= ram + large {
            pmap.pages.page_free(frame);
        }
    }
    let vas = [large, 2 * large].map(VirtAddr::new);
    for (va, pa) in vas.into_iter().zip([ram, device]) {
        pmap.map_range(old, va, large, pa, Perm::UR, Largest).unwrap();
    }
    let new = pmap.uvmcreate().unwrap();
    pmap.uvmcow(old, new, 3 * large).unwrap();
    let (private, ur) = (kept::<F>(Perm::UR | Perm::PRIVATE), kept::<F>(Perm::UR));
    for pgdir in [old, new] {
        let found: Vec<_> =
            user_leaves(&pmap, pgdir).iter().map(|leaf| (leaf.size, leaf.perm)).collect();
        assert_eq!(found, [(large, private), (large, ur)]);
    }
    // A part of it, made writable, is copied by the write.
    let va = vas[0] + 5 * PGSIZE;
    pmap.protect_range(new, va, PGSIZE, Perm::URW).unwrap();
    pmap.copyout(new, va, b"x").unwrap();
    assert_ne!(pmap.va2pa(new, va), Some(ram + 5 * PGSIZE));
    assert_eq!(pmap.va2pa(old, va), Some(ram + 5 * PGSIZE));
}

/// Whether they lie side by side in physical memory, too, or have the same permissions, but not
/// both; and what is behind them is not taken for one of them.
fn large_pages_side_by_side_stay_apart<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, old) = with_space::<L, F>();
    let large = F::page_size(1);
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let pages = [(0, Perm::UR), (4, Perm::UR), (5, Perm::URW), (9, Perm::UR)];
    let mut expected = vec![];
    for (va, (pa, perm)) in (large..).step_by(large as usize).zip(pages) {
        let (va, pa) = (VirtAddr::new(va), device + pa * large);
        pmap.map_range(old, va, large, pa, perm, Largest).unwrap();
        expected.push((va, pa, large, kept::<F>(perm)));
    }
    let page = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let (va, pa) = (VirtAddr::new(5 * large), pmap.pages.page2pa(page));
    pmap.page_insert(old, page, va, Perm::URW).unwrap();
    expected.push((va, pa, PGSIZE, kept::<F>(Perm::UR | Perm::COW)));
    let new = pmap.uvmcreate().unwrap();
    pmap.uvmcow(old, new, 6 * large).unwrap();
    for pgdir in [old, new] {
        let leaves = user_leaves(&pmap, pgdir);
        let found = leaves.iter().map(|leaf| (leaf.va, leaf.pa, leaf.size, leaf.perm));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}

fn copy_on_write_fails_whole<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent) = with_space::<L, F>();
    three_pages(&mut pmap, parent);
    // A device is not to be copied: both may write to it.
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let device_va = VirtAddr::new(4 * PGSIZE);
    pmap.map_range(parent, device_va, PGSIZE, device, Perm::URW, Smallest).unwrap();
    let sz = 5 * PGSIZE;
    let child = pmap.uvmcreate().unwrap();
    let both = [parent, child];
    let error = UvmError::NoMemory { va: ZERO };
    let ((), n) =
        with_each_shortage(&mut pmap, &both, error, |pmap| pmap.uvmcow(parent, child, sz));
    assert_eq!(n, F::LEVELS as usize - 1, "tables alone");
    assert_eq!(user_leaves(&pmap, parent), user_leaves(&pmap, child));
    assert_eq!(user_pages(&pmap, child).pop(), Some((4, kept::<F>(Perm::URW))));
    let va = VirtAddr::new(PGSIZE);
    let error = UvmError::NoMemory { va: va + 9 };
    let (_, n) = with_each_shortage(&mut pmap, &both, error, |pmap| pmap.cow_fault(child, va + 9));
    assert_eq!(n, 1);
    let (_, n) = with_each_shortage(&mut pmap, &both, error, |pmap| pmap.cow_fault(parent, va + 9));
    assert_eq!(n, 0);
}

fn a_count_that_would_overflow_is_an_error<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, parent);
    let child = pmap.uvmcreate().unwrap();
    let va = VirtAddr::new(3 * PGSIZE);
    let (frame, _) = pmap.page_lookup(parent, va).unwrap();
    let pa = pmap.pages.page2pa(frame);
    // As if it were mapped all over the place: the array itself, behind the allocator's back.
    let info = pmap.pages_memory().start + (frame.index() * size_of::<PageInfo>()) as u64;
    pmap.machine.store(info + 4, u32::MAX - 2);
    assert_eq!(pmap.pages.pp_ref(frame), u32::MAX - 2);
    let before = state(&pmap, &[parent, child]);
    let error = UvmError::Map(MapError::Page(PageError::Overflow { pa }));
    assert_eq!(pmap.uvmcow(parent, child, sz).unwrap_err(), error);
    assert_eq!(state(&pmap, &[parent, child]), before);
    // With room for all three pages it is none.
    pmap.machine.store(info + 4, u32::MAX - 3);
    pmap.uvmcow(parent, child, sz).unwrap();
    assert_eq!(pmap.pages.pp_ref(frame), u32::MAX - 2);
}

/// One within what `pages` describes, on a PC, and one far away: neither is copied, now or later.
fn devices_are_shared_wherever_they_lie<L: MemLayout, F: Format + Mmu>() {
    let mut devices = vec![PhysAddr::new(L::PHYS_BASE + 1024 * MB)];
    if L::IOPHYSMEM < L::EXTPHYSMEM {
        devices.push(PhysAddr::new(L::IOPHYSMEM));
    }
    for device in devices {
        let (mut pmap, old) = with_space::<L, F>();
        let before = state(&pmap, &[old]);
        let last = VirtAddr::new(PGSIZE);
        pmap.map_range(old, ZERO, PGSIZE, device, Perm::URW, Smallest).unwrap();
        pmap.map_range(old, last, PGSIZE, device, Perm::UR | Perm::COW, Smallest).unwrap();
        let (copy, shared) = (pmap.uvmcreate().unwrap(), pmap.uvmcreate().unwrap());
        pmap.uvmcopy(old, copy, 2 * PGSIZE).unwrap();
        pmap.uvmcow(old, shared, 2 * PGSIZE).unwrap();
        let mapped = user_leaves(&pmap, old);
        assert_eq!(mapped[0].perm, kept::<F>(Perm::URW));
        assert_eq!(
            (user_leaves(&pmap, copy), user_leaves(&pmap, shared)),
            (mapped.clone(), mapped)
        );
        // Though its entry asks for a copy, none can be made of it.
        assert_eq!(pmap.cow_fault(shared, last), Err(UvmError::NoAccess { va: last }));
        for pgdir in [copy, shared] {
            free_space(&mut pmap, pgdir);
        }
        pmap.unmap_range(old, ZERO, 2 * PGSIZE).unwrap();
        pmap.prune(old, ZERO);
        assert_eq!(state(&pmap, &[old]).2, before.2);
    }
}

fn large_pages_are_copied_but_not_on_write<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, old) = with_space::<L, F>();
    let large = F::page_size(1);
    if pmap.pages.npages() as u64 * PGSIZE < 2 * large {
        return; // Too little RAM for one, under Miri.
    }
    // The large page that holds RAM from `large` on; what else is there does not matter.
    let pa = PhysAddr::new(L::PHYS_BASE + large);
    take_all(&mut pmap).into_iter().for_each(|frame| {
        // In use, so that it can be mapped, but free where it serves as memory here.
        if pmap.pages.page2pa(frame) < pa || pmap.pages.page2pa(frame) >= pa + large {
            pmap.pages.page_free(frame);
        }
    });
    let va = VirtAddr::new(large);
    pmap.map_range(old, va, large, pa, Perm::URW, Largest).unwrap();
    let new = pmap.uvmcreate().unwrap();
    let before = state(&pmap, &[old, new]);
    let error = UvmError::Map(MapError::LargePage { va, size: large });
    assert_eq!(pmap.uvmcow(old, new, 2 * large).unwrap_err(), error);
    assert_eq!(state(&pmap, &[old, new]), before);
    // The first pages of it are copied, as small ones.
    pmap.machine.store(pa + PGSIZE, 7_u64);
    pmap.uvmcopy(old, new, large + 3 * PGSIZE).unwrap();
    let copied: Vec<u64> = user_leaves(&pmap, new).iter().map(|leaf| leaf.size).collect();
    assert_eq!(copied, [PGSIZE; 3]);
    let copy = pmap.va2pa(new, va + PGSIZE).unwrap();
    assert_eq!((pmap.machine.load::<u64>(copy), copy == pa + PGSIZE), (7, false));
    // What cannot be written can be shared.
    pmap.protect_range(old, va, large, Perm::UR).unwrap();
    let sharer = pmap.uvmcreate().unwrap();
    pmap.uvmcow(old, sharer, large + 3 * PGSIZE).unwrap();
    assert_eq!(pmap.va2pa(sharer, va + PGSIZE), Some(pa + PGSIZE));
    // Copy-on-write pages that someone merged must be split before they can be given back.
    let cow = Perm::UR | Perm::COW;
    pmap.protect_range(old, va, large, cow).unwrap();
    let before = state(&pmap, &[old]);
    // Shared with another, and not.
    for va in [va, va + 5 * PGSIZE] {
        let error = UvmError::Map(MapError::LargePage { va, size: large });
        assert_eq!(pmap.cow_fault(old, va), Err(error));
        assert_eq!(pmap.copyout(old, va, &[1]), Err(error));
    }
    assert_eq!(state(&pmap, &[old]), before);
}
