//! User memory: grown, shrunk, moved by sbrk, copied, guarded.

use layout::{MB, MemLayout, PGSIZE};
use libjos::machine::{Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{AllocFlags, PageAllocator, PageInfo};
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;
use libjos::space::uvm::UvmError;

use super::rig::{
    SimVm, ZERO, free_space, kept, new_space, roots, state, take_all, three_pages, three_words,
    user_leaves, user_pages, with_each_shortage, with_space,
};

on_every_format! {
    memory_grows_and_shrinks_by_whole_pages
    growth_fails_whole
    sizes_have_limits
    shrunk_memory_is_flushed
    sbrk_moves_the_end
    a_copy_is_a_copy
    a_copy_fails_whole
    a_guard_page_is_the_kernels
    large_pages_of_devices_stay_large
    a_shortage_is_told_of_the_first_page
    a_device_that_cannot_be_counted_is_an_error
    new_tables_of_user_memory_are_filled_wholly
}

fn memory_grows_and_shrinks_by_whole_pages<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let urw = kept::<F>(Perm::URW);
    // A page that was dirty comes as zeros.
    for frame in take_all(&mut pmap) {
        let pa = pmap.pages().page2pa(frame);
        pmap.machine().store(pa, u64::MAX);
        pmap.pages_mut().page_free(frame);
    }
    assert_eq!(space.uvmalloc(&mut pmap, 0, 1, Perm::W), Ok(1));
    assert_eq!(user_pages(&pmap, &space), [(0, urw)]);
    assert_eq!(pmap.machine_mut().user_load(ZERO), Ok(0));
    // To the end of the page there is nothing to do, nor where the size is not larger.
    let before = state(&pmap, &roots([&space]));
    assert_eq!(space.uvmalloc(&mut pmap, 1, PGSIZE, Perm::W), Ok(PGSIZE));
    assert_eq!(space.uvmalloc(&mut pmap, PGSIZE, 5, Perm::W), Ok(PGSIZE));
    assert_eq!(state(&pmap, &roots([&space])), before);
    assert_eq!(space.uvmalloc(&mut pmap, PGSIZE, PGSIZE + 1, Perm::X), Ok(PGSIZE + 1));
    let urx = kept::<F>(Perm::UR | Perm::X);
    assert_eq!(user_pages(&pmap, &space), [(0, urw), (1, urx)]);

    // Down: 2 pages and a byte to a page and a byte, of 3 pages 2 stay.
    space.uvmalloc(&mut pmap, PGSIZE + 1, 2 * PGSIZE + 1, Perm::W).unwrap();
    let mut shrink = |from: u64, to: u64| {
        let nfree = pmap.pages().nfree();
        let sz = space.uvmdealloc(&mut pmap, from, to).unwrap();
        (sz, pmap.pages().nfree() - nfree, user_pages(&pmap, &space).len())
    };
    assert_eq!(shrink(2 * PGSIZE + 1, PGSIZE + 1), (PGSIZE + 1, 1, 2));
    assert_eq!(shrink(PGSIZE + 1, 2 * PGSIZE), (PGSIZE + 1, 0, 2), "not smaller");
    assert_eq!(shrink(2 * PGSIZE, PGSIZE + 1), (PGSIZE + 1, 0, 2), "the same pages");
    assert_eq!(shrink(PGSIZE + 1, 0), (0, 2, 0));
    assert_eq!(shrink(9 * PGSIZE, 0), (0, 0, 0), "holes are passed over");
}

fn growth_fails_whole<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    // Over the boundary of two tables, with none there yet but one below the root.
    let boundary = F::page_size(1);
    let start = VirtAddr::new(boundary - 2 * PGSIZE);
    let error = UvmError::NoMemory { va: start };
    let (sz, n) = with_each_shortage(&mut pmap, &roots([&space]), error, |vm| {
        space.uvmalloc(vm, start.as_u64() - 7, boundary + PGSIZE, Perm::W)
    });
    assert_eq!((sz, n), (boundary + PGSIZE, 3 + F::LEVELS as usize));
    // A page in the way, and a large one.
    let large = VirtAddr::new(2 * boundary);
    let pa = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    pmap.map_range(space.pgdir_mut(), large, boundary, pa, Perm::URW, Largest).unwrap();
    let before = state(&pmap, &roots([&space]));
    for (oldsz, error) in [
        (boundary - 4 * PGSIZE, MapError::AlreadyMapped { va: start }),
        (2 * boundary, MapError::large_page(large, boundary)),
    ] {
        let grown = space.uvmalloc(&mut pmap, oldsz, oldsz + 4 * PGSIZE, Perm::W);
        assert_eq!(grown, Err(UvmError::Map(error)));
        assert_eq!(state(&pmap, &roots([&space])), before);
    }
}

fn sizes_have_limits<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let mut other = new_space(&mut pmap);
    let before = state(&pmap, &roots([&space]));
    let limit = |va| UvmError::Limit { va: VirtAddr::new(va) };
    for sz in [L::USTACKTOP + 1, L::UTOP, L::KERNBASE, u64::MAX] {
        assert_eq!(space.uvmalloc(&mut pmap, 0, sz, Perm::W), Err(limit(sz)));
        assert_eq!(space.uvmalloc(&mut pmap, sz, sz, Perm::W), Err(limit(sz)), "nothing to do");
    }
    for sz in [L::UTOP + 1, u64::MAX] {
        assert_eq!(space.uvmdealloc(&mut pmap, sz, 0).unwrap_err(), limit(sz));
        assert_eq!(space.uvmcopy(&mut pmap, &mut other, sz), Err(limit(sz)));
        assert_eq!(space.uvmcow(&mut pmap, &mut other, sz).unwrap_err(), limit(sz));
    }
    // All that there is room for is not all that there is memory for: and that is said at once.
    let all = space.uvmalloc(&mut pmap, 0, L::USTACKTOP, Perm::W);
    assert_eq!(all, Err(UvmError::NoMemory { va: ZERO }));
    assert_eq!(state(&pmap, &roots([&space])), before);
    // The last page below the guard page can be had. Perm::R is implied, and may be given.
    let sz = space.uvmalloc(&mut pmap, L::USTACKTOP - PGSIZE, L::USTACKTOP, Perm::W | Perm::R);
    assert_eq!(sz, Ok(L::USTACKTOP));
    let last = VirtAddr::new(L::USTACKTOP - PGSIZE);
    assert_eq!(user_leaves(&pmap, &space)[0].perm, kept::<F>(Perm::URW));
    assert_eq!(pmap.machine_mut().user_load(last), Ok(0));
}

fn shrunk_memory_is_flushed<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    space.uvmalloc(&mut pmap, 0, 2 * PGSIZE, Perm::W).unwrap();
    let va = VirtAddr::new(PGSIZE);
    pmap.machine_mut().user_store(va, 7).unwrap();
    let nfree = pmap.pages().nfree();
    assert_eq!(space.uvmdealloc(&mut pmap, 2 * PGSIZE, PGSIZE), Ok(PGSIZE));
    assert!(pmap.machine_mut().user_load(va).is_err());
    assert_eq!(pmap.pages().nfree(), nfree + 1);
}

pub(crate) fn sbrk_moves_the_end<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    let mut sbrk = |n: i64| {
        let moved = space.sbrk(&mut pmap, n).map(VirtAddr::as_u64);
        (moved, space.sz(), user_pages(&pmap, &space).len())
    };
    let page = PGSIZE.cast_signed();
    assert_eq!(sbrk(0), (Ok(0), 0, 0));
    assert_eq!(sbrk(10), (Ok(0), 10, 1));
    assert_eq!(sbrk(page), (Ok(10), PGSIZE + 10, 2));
    assert_eq!(sbrk(-11), (Ok(PGSIZE + 10), PGSIZE - 1, 1));
    let limit = |va| Err(UvmError::Limit { va: VirtAddr::new(va) });
    assert_eq!(sbrk(-page), (limit(PGSIZE - 1), PGSIZE - 1, 1));
    assert_eq!(sbrk(i64::MIN), (limit(PGSIZE - 1), PGSIZE - 1, 1));
    let most = L::USTACKTOP - (PGSIZE - 1);
    assert_eq!(sbrk(most.cast_signed() + 1), (limit(L::USTACKTOP + 1), PGSIZE - 1, 1));
    let short = UvmError::NoMemory { va: VirtAddr::new(PGSIZE) };
    assert_eq!(sbrk(most.cast_signed()), (Err(short), PGSIZE - 1, 1));
    assert_eq!(sbrk(-(page - 1)), (Ok(PGSIZE - 1), 0, 0));

    // Where the user's stack is in the way, growth stops.
    let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let stack = VirtAddr::new(3 * PGSIZE);
    pmap.page_insert(space.pgdir_mut(), frame, stack, Perm::URW).unwrap();
    let moved = space.sbrk(&mut pmap, 4 * page).unwrap_err();
    assert_eq!(moved, UvmError::Map(MapError::AlreadyMapped { va: stack }));
    assert_eq!(space.sz(), 0);
}

fn a_copy_is_a_copy<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, &mut old);
    // A device is mapped, not copied; a guard page stays one; what lies beyond the size stays.
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let device_va = VirtAddr::new(4 * PGSIZE);
    pmap.map_range(old.pgdir_mut(), device_va, PGSIZE, device, Perm::URW, Smallest).unwrap();
    old.uvmalloc(&mut pmap, 5 * PGSIZE, 7 * PGSIZE, Perm::W).unwrap();
    old.clearpteu(&mut pmap, VirtAddr::new(5 * PGSIZE)).unwrap();
    let mut new = new_space(&mut pmap);
    assert_eq!(sz, 4 * PGSIZE);
    old.uvmcopy(&mut pmap, &mut new, 5 * PGSIZE + 1).unwrap();
    let mut expected = user_pages(&pmap, &old);
    assert_eq!(expected.pop(), Some((6, kept::<F>(Perm::URW))));
    assert_eq!(user_pages(&pmap, &new), expected);
    assert_eq!(three_words(&pmap, &new), [1, 2, 3]);
    assert_eq!(pmap.va2pa(new.pgdir(), device_va), Some(device));
    for va in [0, PGSIZE, 3 * PGSIZE, 5 * PGSIZE].map(VirtAddr::new) {
        let (a, b) = (
            pmap.page_lookup(old.pgdir(), va).unwrap().0,
            pmap.page_lookup(new.pgdir(), va).unwrap().0,
        );
        assert!(a != b && pmap.pages().pp_ref(a) == 1 && pmap.pages().pp_ref(b) == 1);
    }
    pmap.machine_mut().user_store(ZERO, 9).unwrap();
    assert_eq!((three_words(&pmap, &old)[0], three_words(&pmap, &new)[0]), (9, 1));
    // The whole page was copied.
    let word = |space: &AddressSpace, offset| {
        let pa = pmap.va2pa(space.pgdir(), VirtAddr::new(PGSIZE + offset)).unwrap();
        pmap.machine().load::<u64>(pa)
    };
    assert!((0..PGSIZE).step_by(8).all(|offset| word(&old, offset) == word(&new, offset)));
    for space in [new, old] {
        free_space(&mut pmap, space);
    }
    pmap.checks().check_page_free_list();
}

fn a_copy_fails_whole<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, &mut old);
    // A fourth page under a table of its own.
    let boundary = F::page_size(1);
    old.uvmalloc(&mut pmap, boundary, boundary + 1, Perm::W).unwrap();
    // A device beside it, which takes no page.
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let device_va = VirtAddr::new(boundary + PGSIZE);
    pmap.map_range(old.pgdir_mut(), device_va, PGSIZE, device, Perm::URW, Smallest).unwrap();
    let mut new = new_space(&mut pmap);
    let error = UvmError::NoMemory { va: ZERO };
    let both = roots([&old, &new]);
    let copy = |vm: &mut SimVm<L, F>| old.uvmcopy(vm, &mut new, boundary + 2 * PGSIZE);
    let ((), n) = with_each_shortage(&mut pmap, &both, error, copy);
    assert_eq!(n, 4 + F::LEVELS as usize);
    // Something in the way.
    let before = state(&pmap, &roots([&old, &new]));
    let error = MapError::AlreadyMapped { va: ZERO };
    assert_eq!(old.uvmcopy(&mut pmap, &mut new, sz), Err(UvmError::Map(error)));
    assert_eq!(old.uvmcow(&mut pmap, &mut new, sz).unwrap_err(), UvmError::Map(error));
    assert_eq!(state(&pmap, &roots([&old, &new])), before);
}

fn a_guard_page_is_the_kernels<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    space.uvmalloc(&mut pmap, 0, 3 * PGSIZE, Perm::W).unwrap();
    let va = VirtAddr::new(PGSIZE);
    pmap.machine_mut().user_store(va, 5).unwrap();
    space.clearpteu(&mut pmap, va + 17).unwrap();
    assert_eq!(pmap.machine_mut().user_load(va), Err(Fault { va, present: true, write: false }));
    // The kernel keeps its access (but for SMAP, and RISC-V's SUM, a U page would be refused).
    assert_eq!(pmap.machine_mut().probe_load(va), Ok(5));
    assert!(pmap.machine_mut().user_load(VirtAddr::new(2 * PGSIZE)).is_ok());
    let mut byte = [0];
    let refused = Err(UvmError::NoAccess { va });
    assert_eq!(space.copyin(&pmap, &mut byte, va), refused);
    assert_eq!(space.copyout(&mut pmap, va, &byte), refused);
    let expected = [Perm::URW, Perm::KRW, Perm::URW].map(kept::<F>);
    let perms: Vec<Perm> = user_leaves(&pmap, &space).iter().map(|leaf| leaf.perm).collect();
    assert_eq!(perms, expected);
    for va in [3 * PGSIZE, L::UTOP, L::UPAGES, u64::MAX].map(VirtAddr::new) {
        assert_eq!(space.clearpteu(&mut pmap, va).unwrap_err(), UvmError::NoAccess { va });
    }
}

/// Memory that is no RAM is neither copied nor split: a copy of the space maps it by large pages, as far as
/// the processor has them and they fit.
fn large_pages_of_devices_stay_large<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let (large, device) = (F::page_size(1), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    // A page of RAM, two large pages with other permissions than the third, a fourth that lies
    // elsewhere; behind them, small pages of the device and RAM by turns.
    old.uvmalloc(&mut pmap, 2 * large - PGSIZE, 2 * large, Perm::W).unwrap();
    let at = |n: u64| VirtAddr::new(n * large);
    pmap.map_range(old.pgdir_mut(), at(2), 2 * large, device, Perm::URW, Largest).unwrap();
    pmap.map_range(old.pgdir_mut(), at(4), large, device + 2 * large, Perm::UR, Largest).unwrap();
    pmap.map_range(old.pgdir_mut(), at(5), large, device, Perm::UR, Largest).unwrap();
    for i in 0..6 {
        let va = at(6) + i * PGSIZE;
        match i % 2 {
            0 => pmap.map_range(old.pgdir_mut(), va, PGSIZE, device, Perm::URW, Smallest).unwrap(),
            _ => assert!(old.uvmalloc(&mut pmap, va.as_u64(), va.as_u64() + 1, Perm::W).is_ok()),
        }
    }
    // And small ones that could be a large one, which nobody has asked for.
    pmap.map_range(old.pgdir_mut(), at(7), large, device, Perm::URW, Smallest).unwrap();
    let sz = 8 * large;
    let shape = |vm: &SimVm<L, F>, space: &AddressSpace| {
        let leaves = user_leaves(vm, space).into_iter();
        leaves.map(|leaf| (leaf.va, leaf.size, leaf.perm)).collect::<Vec<_>>()
    };
    let (mut copy, mut shared) = (new_space(&mut pmap), new_space(&mut pmap));
    let error = UvmError::NoMemory { va: VirtAddr::new(2 * large - PGSIZE) };
    let all = roots([&old, &copy, &shared]);
    let ((), n) = with_each_shortage(&mut pmap, &all, error, |vm| old.uvmcopy(vm, &mut copy, sz));
    assert_eq!(n, 4 + 3 + F::LEVELS as usize - 2, "4 copies, 3 page tables, those above");
    assert_eq!(shape(&pmap, &copy), shape(&pmap, &old));
    for (leaf, copied) in user_leaves(&pmap, &old).iter().zip(user_leaves(&pmap, &copy)) {
        let is_ram = pmap.pages().pa2page(leaf.pa).is_some();
        assert_eq!(copied.pa == leaf.pa, !is_ram, "{leaf:?}");
    }
    let ((), n) = with_each_shortage(&mut pmap, &all, error, |vm| old.uvmcow(vm, &mut shared, sz));
    assert_eq!(n, 3 + F::LEVELS as usize - 2, "tables alone");
    assert_eq!(user_leaves(&pmap, &shared), user_leaves(&pmap, &old));

    // The end of the memory may cut one, and the processor may have none.
    let mut cut = new_space(&mut pmap);
    old.uvmcopy(&mut pmap, &mut cut, 2 * large + 3 * PGSIZE).unwrap();
    let sizes: Vec<u64> = user_leaves(&pmap, &cut).iter().map(|leaf| leaf.size).collect();
    assert_eq!(sizes, [PGSIZE; 4]);
    let mut small = new_space(&mut pmap);
    pmap.machine_mut().processor.leaf_levels = 1;
    old.uvmcow(&mut pmap, &mut small, 5 * large).unwrap();
    assert!(user_leaves(&pmap, &small).iter().all(|leaf| leaf.size == PGSIZE));
    assert_eq!(user_leaves(&pmap, &small).len() as u64, 1 + 3 * large / PGSIZE);
    for space in [copy, shared, cut, small] {
        free_space(&mut pmap, space);
    }
}

fn a_shortage_is_told_of_the_first_page<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let va = VirtAddr::new(L::UTEXT);
    old.uvmalloc(&mut pmap, L::UTEXT, L::UTEXT + PGSIZE, Perm::W).unwrap();
    let mut new = new_space(&mut pmap);
    let sz = L::UTEXT + 2 * PGSIZE;
    let _taken = take_all(&mut pmap);
    assert_eq!(old.uvmcopy(&mut pmap, &mut new, sz), Err(UvmError::NoMemory { va }));
    assert_eq!(old.uvmcow(&mut pmap, &mut new, sz).unwrap_err(), UvmError::NoMemory { va });
    let end = VirtAddr::new(L::UTEXT + PGSIZE);
    let grown = old.uvmalloc(&mut pmap, end.as_u64(), end.as_u64() + 1, Perm::W);
    assert_eq!(grown, Err(UvmError::NoMemory { va: end }));
    // Nothing is short where there is nothing, just below the page.
    assert_eq!(old.uvmcopy(&mut pmap, &mut new, L::UTEXT), Ok(()));
    assert_eq!(old.uvmcopy(&mut pmap, &mut new, 0), Ok(()));
    old.uvmcow(&mut pmap, &mut new, L::UTEXT).unwrap();
    assert!(user_leaves(&pmap, &new).is_empty());
}

/// A device whose page `pages` describes, since RAM lies on both sides of it: on a PC, below 1 MB.
fn a_device_that_cannot_be_counted_is_an_error<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut old) = with_space::<L, F>();
    let pa = PhysAddr::new(L::IOPHYSMEM);
    let Some(frame) = pmap.pages().pa2page(pa).filter(|_| L::IOPHYSMEM < L::EXTPHYSMEM) else {
        return; // RISC-V's lie below RAM.
    };
    old.uvmalloc(&mut pmap, 0, PGSIZE, Perm::W).unwrap();
    pmap.map_range(old.pgdir_mut(), VirtAddr::new(PGSIZE), PGSIZE, pa, Perm::URW, Smallest)
        .unwrap();
    let mut new = new_space(&mut pmap);
    let info = pmap.boot_memory().pages.start + (frame.index() * size_of::<PageInfo>()) as u64;
    pmap.machine().store(info + 4, u32::MAX);
    let before = state(&pmap, &roots([&old, &new]));
    let error = UvmError::Map(MapError::Overflow { pa });
    assert_eq!(old.uvmcopy(&mut pmap, &mut new, 2 * PGSIZE), Err(error));
    assert_eq!(state(&pmap, &roots([&old, &new])), before);
    // Nothing is counted for the page of RAM but its copy.
    pmap.machine().store(info + 4, u32::MAX - 1);
    let (ram, _) = pmap.page_lookup(old.pgdir(), ZERO).unwrap();
    let its_info = pmap.boot_memory().pages.start + (ram.index() * size_of::<PageInfo>()) as u64;
    pmap.machine().store(its_info + 4, u32::MAX);
    old.uvmcopy(&mut pmap, &mut new, 2 * PGSIZE).unwrap();
    assert_eq!(pmap.pages().pp_ref(frame), u32::MAX);
}

/// Whatever was in the frames that become tables.
fn new_tables_of_user_memory_are_filled_wholly<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut space) = with_space::<L, F>();
    for frame in take_all(&mut pmap).into_iter().rev() {
        let pa = pmap.pages().page2pa(frame);
        for offset in (0..PGSIZE).step_by(8) {
            pmap.machine().store(pa + offset, 0x0000_1067_0000_1067_u64);
        }
        pmap.pages_mut().page_free(frame);
    }
    let boundary = F::page_size(1);
    let (start, end) = (boundary - 3 * PGSIZE, boundary + 2 * PGSIZE);
    space.uvmalloc(&mut pmap, start, end, Perm::W).unwrap();
    let mut new = new_space(&mut pmap);
    space.uvmcopy(&mut pmap, &mut new, end).unwrap();
    let pages: Vec<u64> = (start / PGSIZE..end / PGSIZE).collect();
    for space in [space, new] {
        let found = user_pages(&pmap, &space).into_iter().map(|(page, _)| page);
        assert_eq!(found.collect::<Vec<_>>(), pages);
    }
}

#[test]
fn errors_in_words() {
    let va = VirtAddr::new(0x5000);
    for (error, says) in [
        (UvmError::NoMemory { va }, "not enough free pages"),
        (UvmError::Limit { va }, "ends at 0x5000 is out of bounds"),
        (UvmError::NoAccess { va }, "not the user's to access"),
        (UvmError::TooLong { va }, "too long"),
        (UvmError::Map(MapError::NotMapped { va }), "not mapped"),
    ] {
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("0x5000"), "{text}");
    }
}
