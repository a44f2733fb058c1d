//! User memory that is copied on write.

use layout::{MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator, PageInfo};
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;
use libjos::space::uvm::UvmError;

use super::rig::{
    SimVm, ZERO, forked, free_space, kept, new_space, read_only, roots, state, take_all,
    three_pages, three_words, user_leaves, user_pages, with_each_shortage, with_space,
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
    vm: &mut SimVm<L, F>,
    space: &mut AddressSpace,
    va: VirtAddr,
    value: u64,
) -> usize {
    let nfree = vm.pages().nfree();
    space.switchuvm(vm);
    assert_eq!(vm.machine_mut().user_store(va, value), read_only(va));
    space.cow_fault(vm, va).unwrap();
    assert_eq!(vm.machine_mut().user_store(va, value), Ok(()));
    nfree - vm.pages().nfree()
}

pub(crate) fn a_write_on_either_side_stays_there<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent, mut child) = forked::<L, F>();
    // The child has read the page; the processor must not go on reading the old one.
    child.switchuvm(&mut pmap);
    assert_eq!(pmap.machine_mut().user_load(ZERO), Ok(1));
    assert_eq!(write(&mut pmap, &mut child, ZERO, 10), 1, "a copy");
    assert_eq!(pmap.machine_mut().user_load(ZERO), Ok(10));
    assert_eq!(three_words(&pmap, &parent), [1, 2, 3]);
    assert_eq!(three_words(&pmap, &child), [10, 2, 3]);
    // A byte in the middle of the second page, by the parent first: the rest comes along.
    let va = VirtAddr::new(PGSIZE + 64);
    assert_eq!(write(&mut pmap, &mut parent, va, 20), 1, "a copy");
    assert_eq!(write(&mut pmap, &mut child, va, 30), 0, "no copy: the parent has its own");
    assert_eq!((three_words(&pmap, &parent), three_words(&pmap, &child)), ([1, 2, 3], [10, 2, 3]));
    let word =
        |space: &AddressSpace| pmap.machine().load::<u64>(pmap.va2pa(space.pgdir(), va).unwrap());
    assert_eq!((word(&parent), word(&child)), (20, 30));
    // Both have it to themselves.
    let urw = kept::<F>(Perm::URW);
    assert_eq!(user_pages(&pmap, &child)[..2], [(0, urw), (1, urw)]);
    for space in [parent, child] {
        free_space(&mut pmap, space);
    }
    pmap.checks().check_page_free_list();
}

fn the_last_user_of_a_page_gets_it_back_without_a_copy<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent, mut child) = forked::<L, F>();
    let (frame, _) = pmap.page_lookup(parent.pgdir(), ZERO).unwrap();
    // A grandchild: three have it, then two, then one.
    let mut grandchild = new_space(&mut pmap);
    child.uvmcow(&mut pmap, &mut grandchild, 4 * PGSIZE).unwrap();
    assert_eq!(pmap.pages().pp_ref(frame), 3);
    assert_eq!(write(&mut pmap, &mut grandchild, ZERO, 30), 1);
    assert_eq!(pmap.pages().pp_ref(frame), 2);
    free_space(&mut pmap, child);
    assert_eq!(pmap.pages().pp_ref(frame), 1);
    assert_eq!(write(&mut pmap, &mut parent, ZERO, 10), 0);
    assert_eq!(pmap.page_lookup(parent.pgdir(), ZERO).unwrap().0, frame);
    // A late fault, from a translation that is not up to date, changes nothing but that.
    pmap.protect_range(parent.pgdir_mut(), ZERO, PGSIZE, Perm::UR).unwrap();
    assert_eq!(pmap.machine_mut().user_load(ZERO), Ok(10));
    // (The entry by hand: `protect_range` would tell the processor.)
    let (_, pte) = pmap.page_lookup(parent.pgdir(), ZERO).unwrap();
    pmap.machine().store(pte.pa, F::leaf(0, pmap.pages().page2pa(frame), Perm::URW));
    assert_eq!(pmap.machine_mut().user_store(ZERO, 10), read_only(ZERO));
    let before = state(&pmap, &roots([&parent, &grandchild]));
    parent.cow_fault(&mut pmap, ZERO).unwrap();
    assert_eq!(pmap.machine_mut().user_store(ZERO, 10), Ok(()));
    assert_eq!(state(&pmap, &roots([&parent, &grandchild])), before);
    assert_eq!(three_words(&pmap, &grandchild), [30, 2, 3]);
    assert_eq!(three_words(&pmap, &parent), [10, 2, 3]);
}

fn the_parent_writes_to_nothing_shared<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent) = with_space::<L, F>();
    // Few pages are flushed one by one, and many at once.
    for npages in [3, 40] {
        let sz = npages * PGSIZE;
        parent.uvmalloc(&mut pmap, 0, sz, Perm::W).unwrap();
        let last = VirtAddr::new(sz - PGSIZE);
        pmap.machine_mut().user_store(last, 1).unwrap();
        let mut child = new_space(&mut pmap);
        parent.uvmcow(&mut pmap, &mut child, sz).unwrap();
        assert_eq!(pmap.machine_mut().user_store(last, 2), read_only(last), "a stale translation");
        free_space(&mut pmap, child);
        parent.uvmdealloc(&mut pmap, sz, 0).unwrap();
    }
}

fn read_only_pages_are_shared_and_stay_so<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent, mut child) = forked::<L, F>();
    let va = VirtAddr::new(3 * PGSIZE);
    let (frame, _) = pmap.page_lookup(child.pgdir(), va).unwrap();
    assert_eq!(pmap.pages().pp_ref(frame), 2);
    let refused = Err(UvmError::NoAccess { va: va + 5 });
    let both = roots([&parent, &child]);
    for space in [&mut parent, &mut child] {
        let before = state(&pmap, &both);
        assert_eq!(space.cow_fault(&mut pmap, va + 5), refused);
        assert_eq!(space.copyout(&mut pmap, va + 5, b"x"), refused);
        assert_eq!(state(&pmap, &both), before);
    }
    // Alone with it, the parent still cannot write: it never could.
    free_space(&mut pmap, child);
    assert_eq!(pmap.pages().pp_ref(frame), 1);
    assert_eq!(parent.cow_fault(&mut pmap, va + 5), refused);
    // Nor is there anything to be done where nothing is mapped, or above UTOP.
    for va in [2 * PGSIZE, L::UTOP, L::UPAGES, L::KERNBASE, u64::MAX].map(VirtAddr::new) {
        assert_eq!(parent.cow_fault(&mut pmap, va), Err(UvmError::NoAccess { va }));
    }
}

/// Read-only before the sharing or after it, in either space, and then writable again: each has what
/// it writes to itself.
fn protection_makes_no_two_spaces_share_writes<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent, mut child) = forked::<L, F>();
    let protect = |vm: &mut SimVm<L, F>, space: &mut AddressSpace, page: u64, perm| {
        let va = VirtAddr::new(page * PGSIZE);
        vm.protect_range(space.pgdir_mut(), va, PGSIZE, perm).unwrap();
        let (_, perm) = user_pages(vm, space).into_iter().find(|(at, _)| *at == page).unwrap();
        perm
    };
    let (cow, private) = (kept::<F>(Perm::UR | Perm::COW), kept::<F>(Perm::UR | Perm::PRIVATE));
    for (of_parent, page) in [(true, 0), (false, 1), (true, 3)] {
        let space = if of_parent { &mut parent } else { &mut child };
        let va = VirtAddr::new(page * PGSIZE);
        assert_eq!(protect(&mut pmap, space, page, Perm::UR), private);
        assert_eq!(space.cow_fault(&mut pmap, va), Err(UvmError::NoAccess { va }));
        assert_eq!(space.copyout(&mut pmap, va, b"x"), Err(UvmError::NoAccess { va }));
        // Another fork in between, and whoever says that it is writable or to be copied.
        let mut third = new_space(&mut pmap);
        space.uvmcow(&mut pmap, &mut third, 4 * PGSIZE).unwrap();
        for perm in [Perm::URW, Perm::UR | Perm::COW, Perm::URW | Perm::COW | Perm::PRIVATE] {
            assert_eq!(protect(&mut pmap, &mut third, page, perm), cow, "{perm:?}");
        }
        assert_eq!(protect(&mut pmap, space, page, Perm::URW), cow);
        assert_eq!(write(&mut pmap, space, va, 7), 1, "a copy");
        third.copyout(&mut pmap, va, &[9; 8]).unwrap();
        free_space(&mut pmap, third);
    }
    assert_eq!(three_words(&pmap, &parent), [7, 2, 7]);
    assert_eq!(three_words(&pmap, &child), [1, 7, 3]);
    // A page that was never shared gets the permissions that are asked for.
    parent.uvmalloc(&mut pmap, 4 * PGSIZE, 5 * PGSIZE, Perm::W).unwrap();
    for perm in [Perm::UR, Perm::URW] {
        assert_eq!(protect(&mut pmap, &mut parent, 4, perm), kept::<F>(perm));
    }
}

/// A large one too, in both spaces, and no device.
fn a_large_read_only_page_is_shared_and_says_so<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let large = F::page_size(1);
    let (ram, device) =
        (PhysAddr::new(L::PHYS_BASE + large), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    for frame in take_all(&mut pmap) {
        let pa = pmap.pages().page2pa(frame);
        if pa < ram || pa >= ram + large {
            pmap.pages_mut().page_free(frame);
        }
    }
    let vas = [large, 2 * large].map(VirtAddr::new);
    for (va, pa) in vas.into_iter().zip([ram, device]) {
        pmap.map_range(old.pgdir_mut(), va, large, pa, Perm::UR, Largest).unwrap();
    }
    let mut new = new_space(&mut pmap);
    old.uvmcow(&mut pmap, &mut new, 3 * large).unwrap();
    let (private, ur) = (kept::<F>(Perm::UR | Perm::PRIVATE), kept::<F>(Perm::UR));
    for space in [&old, &new] {
        let found: Vec<_> =
            user_leaves(&pmap, space).iter().map(|leaf| (leaf.size, leaf.perm)).collect();
        assert_eq!(found, [(large, private), (large, ur)]);
    }
    // A part of it, made writable, is copied by the write.
    let va = vas[0] + 5 * PGSIZE;
    pmap.protect_range(new.pgdir_mut(), va, PGSIZE, Perm::URW).unwrap();
    new.copyout(&mut pmap, va, b"x").unwrap();
    assert_ne!(pmap.va2pa(new.pgdir(), va), Some(ram + 5 * PGSIZE));
    assert_eq!(pmap.va2pa(old.pgdir(), va), Some(ram + 5 * PGSIZE));
}

/// Whether they lie side by side in physical memory, too, or have the same permissions, but not
/// both; and what is behind them is not taken for one of them.
fn large_pages_side_by_side_stay_apart<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let large = F::page_size(1);
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let pages = [(0, Perm::UR), (4, Perm::UR), (5, Perm::URW), (9, Perm::UR)];
    let mut expected = vec![];
    for (va, (pa, perm)) in (large..).step_by(large as usize).zip(pages) {
        let (va, pa) = (VirtAddr::new(va), device + pa * large);
        pmap.map_range(old.pgdir_mut(), va, large, pa, perm, Largest).unwrap();
        expected.push((va, pa, large, kept::<F>(perm)));
    }
    let page = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let (va, pa) = (VirtAddr::new(5 * large), pmap.pages().page2pa(page));
    pmap.page_insert(old.pgdir_mut(), page, va, Perm::URW).unwrap();
    expected.push((va, pa, PGSIZE, kept::<F>(Perm::UR | Perm::COW)));
    let mut new = new_space(&mut pmap);
    old.uvmcow(&mut pmap, &mut new, 6 * large).unwrap();
    for space in [old, new] {
        let leaves = user_leaves(&pmap, &space);
        let found = leaves.iter().map(|leaf| (leaf.va, leaf.pa, leaf.size, leaf.perm));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}

fn copy_on_write_fails_whole<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent) = with_space::<L, F>();
    three_pages(&mut pmap, &mut parent);
    // A device is not to be copied: both may write to it.
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let device_va = VirtAddr::new(4 * PGSIZE);
    pmap.map_range(parent.pgdir_mut(), device_va, PGSIZE, device, Perm::URW, Smallest).unwrap();
    let sz = 5 * PGSIZE;
    let mut child = new_space(&mut pmap);
    let both = roots([&parent, &child]);
    let error = UvmError::NoMemory { va: ZERO };
    let ((), n) =
        with_each_shortage(&mut pmap, &both, error, |vm| parent.uvmcow(vm, &mut child, sz));
    assert_eq!(n, F::LEVELS as usize - 1, "tables alone");
    assert_eq!(user_leaves(&pmap, &parent), user_leaves(&pmap, &child));
    assert_eq!(user_pages(&pmap, &child).pop(), Some((4, kept::<F>(Perm::URW))));
    let va = VirtAddr::new(PGSIZE);
    let error = UvmError::NoMemory { va: va + 9 };
    let (_, n) = with_each_shortage(&mut pmap, &both, error, |vm| child.cow_fault(vm, va + 9));
    assert_eq!(n, 1);
    let (_, n) = with_each_shortage(&mut pmap, &both, error, |vm| parent.cow_fault(vm, va + 9));
    assert_eq!(n, 0);
}

fn a_count_that_would_overflow_is_an_error<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut parent) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, &mut parent);
    let mut child = new_space(&mut pmap);
    let va = VirtAddr::new(3 * PGSIZE);
    let (frame, _) = pmap.page_lookup(parent.pgdir(), va).unwrap();
    let pa = pmap.pages().page2pa(frame);
    // As if it were mapped all over the place: the array itself, behind the allocator's back.
    let info = pmap.boot_memory().pages.start + (frame.index() * size_of::<PageInfo>()) as u64;
    pmap.machine().store(info + 4, u32::MAX - 2);
    assert_eq!(pmap.pages().pp_ref(frame), u32::MAX - 2);
    let before = state(&pmap, &roots([&parent, &child]));
    let error = UvmError::Map(MapError::Overflow { pa });
    assert_eq!(parent.uvmcow(&mut pmap, &mut child, sz).unwrap_err(), error);
    assert_eq!(state(&pmap, &roots([&parent, &child])), before);
    // With room for all three pages it is none.
    pmap.machine().store(info + 4, u32::MAX - 3);
    parent.uvmcow(&mut pmap, &mut child, sz).unwrap();
    assert_eq!(pmap.pages().pp_ref(frame), u32::MAX - 2);
}

/// One within what `pages` describes, on a PC, and one far away: neither is copied, now or later.
fn devices_are_shared_wherever_they_lie<L: MemLayout, F: Format + Mmu>() {
    let mut devices = vec![PhysAddr::new(L::PHYS_BASE + 1024 * MB)];
    if L::IOPHYSMEM < L::EXTPHYSMEM {
        devices.push(PhysAddr::new(L::IOPHYSMEM));
    }
    for device in devices {
        let (mut pmap, mut old) = with_space::<L, F>();
        let before = state(&pmap, &roots([&old]));
        let last = VirtAddr::new(PGSIZE);
        pmap.map_range(old.pgdir_mut(), ZERO, PGSIZE, device, Perm::URW, Smallest).unwrap();
        pmap.map_range(old.pgdir_mut(), last, PGSIZE, device, Perm::UR | Perm::COW, Smallest)
            .unwrap();
        let (mut copy, mut shared) = (new_space(&mut pmap), new_space(&mut pmap));
        old.uvmcopy(&mut pmap, &mut copy, 2 * PGSIZE).unwrap();
        old.uvmcow(&mut pmap, &mut shared, 2 * PGSIZE).unwrap();
        let mapped = user_leaves(&pmap, &old);
        assert_eq!(mapped[0].perm, kept::<F>(Perm::URW));
        assert_eq!(
            (user_leaves(&pmap, &copy), user_leaves(&pmap, &shared)),
            (mapped.clone(), mapped)
        );
        // Though its entry asks for a copy, none can be made of it.
        assert_eq!(shared.cow_fault(&mut pmap, last), Err(UvmError::NoAccess { va: last }));
        for space in [copy, shared] {
            free_space(&mut pmap, space);
        }
        pmap.unmap_range(old.pgdir_mut(), ZERO, 2 * PGSIZE).unwrap();
        pmap.prune(old.pgdir_mut(), ZERO);
        assert_eq!(state(&pmap, &roots([&old])).2, before.2);
    }
}

fn large_pages_are_copied_but_not_on_write<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let large = F::page_size(1);
    if pmap.pages().npages() as u64 * PGSIZE < 2 * large {
        return; // Too little RAM for one, under Miri.
    }
    // The large page that holds RAM from `large` on; what else is there does not matter.
    let pa = PhysAddr::new(L::PHYS_BASE + large);
    take_all(&mut pmap).into_iter().for_each(|frame| {
        // In use, so that it can be mapped, but free where it serves as memory here.
        if pmap.pages().page2pa(frame) < pa || pmap.pages().page2pa(frame) >= pa + large {
            pmap.pages_mut().page_free(frame);
        }
    });
    let va = VirtAddr::new(large);
    pmap.map_range(old.pgdir_mut(), va, large, pa, Perm::URW, Largest).unwrap();
    let mut new = new_space(&mut pmap);
    let before = state(&pmap, &roots([&old, &new]));
    let error = UvmError::Map(MapError::large_page(va, large));
    assert_eq!(old.uvmcow(&mut pmap, &mut new, 2 * large).unwrap_err(), error);
    assert_eq!(state(&pmap, &roots([&old, &new])), before);
    // The first pages of it are copied, as small ones.
    pmap.machine().store(pa + PGSIZE, 7_u64);
    old.uvmcopy(&mut pmap, &mut new, large + 3 * PGSIZE).unwrap();
    let copied: Vec<u64> = user_leaves(&pmap, &new).iter().map(|leaf| leaf.size).collect();
    assert_eq!(copied, [PGSIZE; 3]);
    let copy = pmap.va2pa(new.pgdir(), va + PGSIZE).unwrap();
    assert_eq!((pmap.machine().load::<u64>(copy), copy == pa + PGSIZE), (7, false));
    // A page that cannot be written can be shared.
    pmap.protect_range(old.pgdir_mut(), va, large, Perm::UR).unwrap();
    let mut sharer = new_space(&mut pmap);
    old.uvmcow(&mut pmap, &mut sharer, large + 3 * PGSIZE).unwrap();
    assert_eq!(pmap.va2pa(sharer.pgdir(), va + PGSIZE), Some(pa + PGSIZE));
    // Copy-on-write pages that someone merged must be split before they can be given back.
    let cow = Perm::UR | Perm::COW;
    pmap.protect_range(old.pgdir_mut(), va, large, cow).unwrap();
    let before = state(&pmap, &roots([&old]));
    // Shared with another, and not.
    for va in [va, va + 5 * PGSIZE] {
        let error = UvmError::Map(MapError::large_page(va, large));
        assert_eq!(old.cow_fault(&mut pmap, va), Err(error));
        assert_eq!(old.copyout(&mut pmap, va, &[1]), Err(error));
    }
    assert_eq!(state(&pmap, &roots([&old])), before);
}
