//! The library makes the processor forget tables that are gone, on every format.

use core::mem::ManuallyDrop;

use layout::{Jos32, Jos64, MB, MemLayout, PGSIZE};
use libjos::machine::{CpuSet, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::directory::Pgdir;
use libjos::paging::format::i386::I386;
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::steps;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::paging::vm::Vm;
use libjos::paging::word::Word;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;

use crate::layouts::Jos57;

on_every_format! {
    tables_that_are_pruned
    tables_that_are_merged
    tables_that_the_kernels_take_the_place_of
    small_pages_one_by_one
}

/// A machine with an address space in use.
fn booted<L: MemLayout, F: Format + Mmu>() -> (Pmap<SimMachine<L, F>>, ManuallyDrop<Pgdir>) {
    let (machine, boot) = SimMachine::new(16 * MB);
    let mut pmap = mem_init(machine, boot);
    let mut pgdir = ManuallyDrop::new(pmap.pgdir_create().unwrap());
    pmap.switch(&mut pgdir);
    (pmap, pgdir)
}

/// Where the entry of the last level for `va` is.
fn last_entry<L: MemLayout, F: Format + Mmu>(
    vm: &Vm<SimMachine<L, F>>,
    pgdir: &Pgdir,
    va: VirtAddr,
) -> PhysAddr {
    let last = steps::<F, _>(vm.machine(), pgdir.address(), va).last().expect("a walk has a step");
    assert_eq!(last.level, 0);
    last.at
}

/// The last table on the way to `va`.
fn last_table<L: MemLayout, F: Format + Mmu>(
    vm: &Vm<SimMachine<L, F>>,
    pgdir: &Pgdir,
    va: VirtAddr,
) -> PhysAddr {
    PhysAddr::new(layout::round_down(last_entry(vm, pgdir, va).as_u64(), PGSIZE))
}

/// A table that `prune` has freed has another use. The processor sees the page that is mapped there next,
/// and not the present contents of the old table's frame.
pub(super) fn tables_that_are_pruned<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut pgdir) = booted::<L, F>();
    let va = VirtAddr::new(2 * F::page_size(1));
    let pages = [1_u64, 2, 3].map(|value| {
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        pmap.pages_mut().page_incref(frame).unwrap();
        pmap.machine().store(pmap.pages().page2pa(frame), value);
        frame
    });
    for (page, i) in pages.into_iter().zip(0..2) {
        pmap.page_insert(&mut pgdir, page, va + i * PGSIZE, Perm::URW).unwrap();
        assert_eq!(pmap.machine_mut().user_load(va + i * PGSIZE), Ok(i + 1));
    }
    for i in 0..2 {
        pmap.page_remove(&mut pgdir, va + i * PGSIZE).unwrap();
    }
    let table = last_table(&pmap, &pgdir, va);
    pmap.prune(&mut pgdir, va);
    // The frame is somebody's now, who writes what looks like entries.
    let frame = pmap.pages().pa2page(table).unwrap();
    let mut taken = Vec::new();
    while !taken.contains(&frame) {
        taken.push(pmap.page_alloc(ALLOC_ZERO).unwrap());
    }
    let secret = F::leaf(0, pmap.pages().page2pa(pages[2]), Perm::URW);
    for index in 0..F::ENTRIES as u64 {
        pmap.machine().store(table + index * F::Word::BYTES, secret);
    }
    for i in 0..2 {
        let seen = pmap.machine_mut().user_load(va + i * PGSIZE);
        assert!(seen.is_err(), "{}: unmapped, but {seen:?}", F::NAME);
    }
    // And tables that others use again are not those that the processor knew.
    pmap.page_insert(&mut pgdir, pages[0], va, Perm::URW).unwrap();
    assert_ne!(last_table(&pmap, &pgdir, va), table);
    assert_eq!(pmap.machine_mut().user_load(va), Ok(1), "{}", F::NAME);
}

/// A table whose pages have been merged has another use, and is not walked any more.
pub(super) fn tables_that_are_merged<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut pgdir) = booted::<L, F>();
    let (large, va) = (F::page_size(1), VirtAddr::new(2 * F::page_size(1)));
    let run = pmap.page_alloc_run(ALLOC_ZERO, F::INDEX_BITS).unwrap();
    let pa = pmap.pages().page2pa(run);
    pmap.map_range(&mut pgdir, va, large, pa, Perm::URW, Smallest).unwrap();
    assert_eq!(pmap.machine_mut().user_load(va), Ok(0));
    let table = last_table(&pmap, &pgdir, va);
    pmap.merge(&mut pgdir, va, 1).unwrap();
    for index in 0..F::ENTRIES as u64 {
        pmap.machine().store(table + index * F::Word::BYTES, F::Word::ZERO);
    }
    let seen = pmap.machine_mut().user_load(va + PGSIZE);
    assert_eq!(seen, Ok(0), "{}: the table is walked still", F::NAME);
}

/// Where UVPT shows the entry of level 0 or 1 that maps `va`: the last table there, or what stands
/// in its place.
fn in_uvpt<L: MemLayout, F: Format>(va: VirtAddr) -> VirtAddr {
    let va = va.as_u64() & (u64::MAX >> (64 - F::VA_BITS));
    VirtAddr::new(L::UVPT + va / F::page_size(1) * PGSIZE)
}

/// The first entry of those in 8 bytes.
fn first_word<F: Format>(bytes: u64) -> F::Word {
    F::Word::from_u64(bytes & (u64::MAX >> (64 - 8 * F::Word::BYTES)))
}

/// A table that `prune` has freed is not to be seen in UVPT any more.
pub(super) fn pruned_tables_in_uvpt<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut pgdir) = booted::<L, F>();
    let (va, frame) = (VirtAddr::new(2 * F::page_size(1)), pmap.page_alloc(ALLOC_ZERO).unwrap());
    pmap.page_insert(&mut pgdir, frame, va, Perm::UR).unwrap();
    let entry = pmap.machine().load::<F::Word>(last_table(&pmap, &pgdir, va));
    let seen = pmap.machine_mut().user_load(in_uvpt::<L, F>(va)).unwrap();
    assert_eq!(first_word::<F>(seen), entry, "{}", F::NAME);
    pmap.page_remove(&mut pgdir, va).unwrap();
    assert!(pmap.machine_mut().user_load(in_uvpt::<L, F>(va)).is_ok());
    pmap.prune(&mut pgdir, va);
    let seen = pmap.machine_mut().user_load(in_uvpt::<L, F>(va));
    assert!(seen.is_err(), "{}: the table is gone, but {seen:?}", F::NAME);
}

/// A large page is to be seen in UVPT too, in its table's place: its first 4 KB. This alias must end
/// with the page.
pub(super) fn large_pages_in_uvpt<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut pgdir) = booted::<L, F>();
    let large = F::page_size(1);
    let run = pmap.page_alloc_run(ALLOC_ZERO, F::INDEX_BITS).unwrap();
    let pa = pmap.pages().page2pa(run);
    pmap.machine().store(pa, 42_u64);
    let va = VirtAddr::new(2 * large);
    let map =
        |vm: &mut Vm<_>, pgdir: &mut Pgdir| vm.map_range(pgdir, va, large, pa, Perm::URW, Largest);
    // Used once more, so that it stays.
    pmap.map_range(&mut pgdir, va + 4 * large, large, pa, Perm::URW, Largest).unwrap();

    map(&mut pmap, &mut pgdir).unwrap();
    assert_eq!(pmap.machine_mut().user_load(in_uvpt::<L, F>(va)), Ok(42));
    pmap.unmap_range(&mut pgdir, va, large).unwrap();
    let seen = pmap.machine_mut().user_load(in_uvpt::<L, F>(va));
    assert!(seen.is_err(), "{}: unmapped, but {seen:?}", F::NAME);

    map(&mut pmap, &mut pgdir).unwrap();
    assert_eq!(pmap.machine_mut().user_load(in_uvpt::<L, F>(va)), Ok(42));
    pmap.protect_range(&mut pgdir, va, large, Perm::KRW).unwrap();
    let seen = pmap.machine_mut().user_load(in_uvpt::<L, F>(va));
    assert!(seen.is_err(), "{}: the kernel's, but {seen:?}", F::NAME);
    pmap.protect_range(&mut pgdir, va, large, Perm::UR).unwrap();
    assert_eq!(pmap.machine_mut().user_load(in_uvpt::<L, F>(va)), Ok(42));

    // Split: now it is a table, and the page's frame is on its own.
    pmap.unmap_range(&mut pgdir, va, PGSIZE).unwrap();
    let seen = pmap.machine_mut().user_load(in_uvpt::<L, F>(va + PGSIZE)).unwrap();
    assert_eq!(first_word::<F>(seen), F::Word::ZERO, "{}", F::NAME);
}

/// Nor is one that is split: if the kernel's directory has it, but another one is in use, that one
/// must have the table before the flush. The small page that is flushed then is another one.
#[test]
pub(super) fn a_large_page_of_the_root_that_is_split_in_uvpt() {
    let (mut pmap, _) = booted::<Jos32, I386>();
    let va = VirtAddr::new(Jos32::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    let (large, pa) = (I386::page_size(1), PhysAddr::new(I386::page_size(1)));
    vm.machine().store(pa, 42_u64);
    vm.prune(kern_pgdir, va);
    vm.map_range(kern_pgdir, va, large, pa, Perm::UR, Largest).unwrap();
    let uvpt = in_uvpt::<Jos32, I386>(va);
    assert_eq!(vm.machine_mut().user_load(uvpt), Ok(42));
    vm.unmap_range(kern_pgdir, va + PGSIZE, PGSIZE).unwrap();
    let seen = vm.machine_mut().user_load(uvpt).unwrap();
    let (first, next) = (seen as u32, (seen >> 32) as u32);
    assert_eq!((first & !0x60, next), (I386::leaf(0, pa, Perm::UR), 0), "the page is seen still");
}

/// A directory in use has a table of the kernel's half to itself, which the processor came through.
/// It gets the kernel's in its place: the processor must not go on walking the other one.
pub(super) fn tables_that_the_kernels_take_the_place_of<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut pgdir) = booted::<L, F>();
    let va = VirtAddr::new(L::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    let [its, the_kernels] = [1_u64, 2].map(|value| {
        let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
        let pa = vm.pages().page2pa(frame);
        vm.machine().store(pa, value);
        pa
    });
    vm.prune(kern_pgdir, va);
    let nfree = vm.pages().nfree();
    vm.map_range(&mut pgdir, va, PGSIZE, its, Perm::UR, Largest).unwrap();
    assert_eq!(vm.machine_mut().user_load(va), Ok(1));
    let tables = nfree - vm.pages().nfree();
    vm.map_range(kern_pgdir, va, PGSIZE, the_kernels, Perm::UR, Largest).unwrap();
    assert_eq!(vm.machine_mut().user_load(va), Ok(2), "{}", F::NAME);
    assert_eq!(nfree - vm.pages().nfree(), tables, "{}: its own are free", F::NAME);
}

/// A few small pages are flushed and no others, in both halves: here the entries of all are gone,
/// and the processor is told of one.
pub(super) fn small_pages_one_by_one<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut pgdir) = booted::<L, F>();
    let (vm, kern_pgdir) = pmap.split();
    let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
    let pa = vm.pages().page2pa(frame);
    for (pgdir, va) in [(&mut *pgdir, 0), (kern_pgdir, L::MMIOBASE)] {
        let pages = [0, 1, 2].map(|i| VirtAddr::new(va + i * PGSIZE));
        for change in ["unmap", "protect"] {
            for va in pages {
                vm.map_range(pgdir, va, PGSIZE, pa, Perm::UR, Largest).unwrap();
                assert_eq!(vm.machine_mut().user_load(va), Ok(0));
            }
            for i in [0, 2] {
                let at = last_entry(vm, pgdir, pages[i]);
                vm.machine().store(at, F::Word::ZERO);
            }
            if change == "unmap" {
                vm.unmap_range(pgdir, pages[1], PGSIZE).unwrap();
            } else {
                vm.protect_range(pgdir, pages[1], PGSIZE, Perm::KR).unwrap();
            }
            let seen = pages.map(|va| vm.machine_mut().user_load(va).is_ok());
            assert_eq!(seen, [true, false, true], "{}: {change} at {}", F::NAME, pages[1]);
            vm.machine_mut().flush_tlb(CpuSet::ALL);
        }
    }
}

#[test]
fn tables_that_are_pruned_in_uvpt() {
    pruned_tables_in_uvpt::<Jos64, X86_64>();
    pruned_tables_in_uvpt::<Jos57, La57>();
    pruned_tables_in_uvpt::<Jos32, I386>();
}

#[test]
fn large_pages_that_are_gone_from_uvpt() {
    large_pages_in_uvpt::<Jos64, X86_64>();
    large_pages_in_uvpt::<Jos57, La57>();
    large_pages_in_uvpt::<Jos32, I386>();
}
