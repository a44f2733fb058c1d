//! The library tells the processor when entries become valid: RISC-V remembers that they were not. On
//! every format, each page is used before it is mapped, and then right after.

use core::mem::ManuallyDrop;

use layout::{MB, MemLayout, PGSIZE};
use libjos::app::area::Access;
use libjos::app::memory::Memory;
use libjos::machine::{Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, Frame, PageAllocator};
use libjos::paging::directory::Pgdir;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::steps;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::paging::vm::Vm;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

on_every_format! {
    pages_are_seen_at_once
    tables_are_seen_at_once
}

type Sim<L, F> = Pmap<SimMachine<L, F>>;

/// Two address spaces.
struct Spaces {
    space: ManuallyDrop<AddressSpace>,
    other: ManuallyDrop<AddressSpace>,
}

/// A way to map a page at an address.
type Map<L, F> = fn(&mut Sim<L, F>, &mut Spaces, VirtAddr);

/// A machine whose first space is in use.
fn booted<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, Spaces) {
    let (machine, boot) = SimMachine::new(16 * MB);
    let mut pmap = mem_init(machine, boot);
    let mut new = || ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
    let mut spaces = Spaces { space: new(), other: new() };
    spaces.space.switchuvm(&mut pmap);
    (pmap, spaces)
}

/// A frame that stays.
fn frame<M: Machine>(vm: &mut Vm<M>) -> Frame {
    let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
    vm.pages_mut().page_incref(frame).unwrap();
    frame
}

fn insert<M: Machine>(vm: &mut Vm<M>, pgdir: &mut Pgdir, va: VirtAddr) {
    let frame = frame(vm);
    vm.page_insert(pgdir, frame, va, Perm::URW).unwrap();
}

/// All that maps pages below UTOP.
fn ways<L: MemLayout, F: Format + Mmu>() -> [(&'static str, Map<L, F>); 7] {
    [
        ("page_insert", |pmap, Spaces { space, .. }, va| insert(pmap, space.pgdir_mut(), va)),
        ("map_range, small", |pmap, Spaces { space, .. }, va| {
            let frame = frame(pmap);
            let pa = pmap.pages().page2pa(frame);
            pmap.map_range(space.pgdir_mut(), va, PGSIZE, pa, Perm::URW, Smallest).unwrap();
        }),
        ("uvmalloc", |pmap, Spaces { space, .. }, va| {
            space.uvmalloc(pmap, va.as_u64(), va.as_u64() + PGSIZE, Perm::W).unwrap();
        }),
        ("uvmcopy", |pmap, Spaces { space, other }, va| {
            insert(pmap, other.pgdir_mut(), va);
            other.uvmcopy(pmap, space, va.as_u64() + PGSIZE).unwrap();
        }),
        ("uvmcow", |pmap, Spaces { space, other }, va| {
            insert(pmap, other.pgdir_mut(), va);
            other.uvmcow(pmap, space, va.as_u64() + PGSIZE).unwrap();
        }),
        ("map_range, a large page", |pmap, Spaces { space, .. }, va| {
            let (pgdir, large) = (space.pgdir_mut(), F::page_size(1));
            let va = VirtAddr::new(layout::round_down(va.as_u64(), large));
            pmap.prune(pgdir, va);
            let run = pmap.page_alloc_run(ALLOC_ZERO, F::INDEX_BITS).unwrap();
            let pa = pmap.pages().page2pa(run);
            assert!(pmap.machine_mut().user_load(va).is_err());
            pmap.map_range(pgdir, va, large, pa, Perm::URW, Largest).unwrap();
        }),
        ("cow_fault, of a page that is there", |pmap, Spaces { space, other }, va| {
            insert(pmap, space.pgdir_mut(), va);
            space.uvmcow(pmap, other, va.as_u64() + PGSIZE).unwrap();
            assert!(pmap.machine_mut().user_store(va, 1).is_err());
            space.cow_fault(pmap, va).unwrap();
            pmap.machine_mut().user_store(va, 1).unwrap();
        }),
    ]
}

/// A page is there at once, be it in a table that was there or with all its tables.
pub(super) fn pages_are_seen_at_once<L: MemLayout, F: Format + Mmu>() {
    let seen = |pmap: &mut Sim<L, F>, va| pmap.machine_mut().user_load(va).is_ok();
    for (way, map) in ways::<L, F>() {
        for with_table in [true, false] {
            let (mut pmap, mut spaces) = booted::<L, F>();
            let near = VirtAddr::new(4 * F::page_size(1) + 3 * PGSIZE);
            let va = near + PGSIZE;
            if with_table {
                insert(&mut pmap, spaces.space.pgdir_mut(), near);
                pmap.page_remove(spaces.space.pgdir_mut(), near).unwrap();
            }
            assert!(!seen(&mut pmap, va));
            map(&mut pmap, &mut spaces, va);
            assert!(seen(&mut pmap, va), "{}: {way}, {with_table}", F::NAME);
        }
    }

    // In the kernel's half, by the directory in use and by the kernel's.
    let (mut pmap, mut spaces) = booted::<L, F>();
    let mut va = VirtAddr::new(L::MMIOBASE);
    for by_kern_pgdir in [false, false, true] {
        assert!(!seen(&mut pmap, va));
        let (vm, kern_pgdir) = pmap.split();
        let pgdir = if by_kern_pgdir { kern_pgdir } else { spaces.space.pgdir_mut() };
        insert(vm, pgdir, va);
        assert!(seen(&mut pmap, va), "{}: {va} in the kernel's half", F::NAME);
        va = va + PGSIZE;
    }

    // An application's.
    let (mut pmap, _) = booted::<L, F>();
    pmap.switchkvm();
    let seen = |pmap: &mut Sim<L, F>, va| pmap.machine_mut().probe_load(va).is_ok();
    let [first, second] = [0, 1].map(|i| VirtAddr::new(F::page_size(1) + i * PGSIZE));
    assert!(!seen(&mut pmap, first));
    pmap.map(first, 1, Access::ReadWrite).unwrap();
    assert!(seen(&mut pmap, first), "{}: Memory::map", F::NAME);
    assert!(!seen(&mut pmap, second));
    pmap.alias(first, second, Access::Read).unwrap();
    assert!(seen(&mut pmap, second), "{}: Memory::alias", F::NAME);
}

/// A table that a root entry is to lead to is there at once, in `kern_pgdir` and in the directory in
/// use.
pub(super) fn tables_are_seen_at_once<L: MemLayout, F: Format + Mmu>() {
    // Mapping by `kern_pgdir` at an address for which the directory in use has no table.
    let (mut pmap, _) = booted::<L, F>();
    let va = VirtAddr::new(L::UENVS);
    let (vm, kern_pgdir) = pmap.split();
    vm.prune(kern_pgdir, va);
    assert!(vm.machine_mut().user_load(va).is_err());
    insert(vm, kern_pgdir, va);
    assert!(vm.machine_mut().user_load(va).is_ok(), "{}: by kern_pgdir", F::NAME);

    // An empty table from `uvmcreate`. An entry is written there by hand, so that nothing else is told,
    // and the processor looks ahead elsewhere, so that it has not seen that one.
    let (mut pmap, _) = booted::<L, F>();
    pmap.switchkvm();
    let (vm, kern_pgdir) = pmap.split();
    vm.prune(kern_pgdir, va);
    for va in [va, VirtAddr::new(0)] {
        assert!(vm.machine_mut().user_load(va).is_err());
    }
    let _space = ManuallyDrop::new(AddressSpace::uvmcreate(vm).unwrap());
    let last = steps::<F, _>(vm.machine(), kern_pgdir.address(), va).last().unwrap();
    assert_eq!(last.level, F::ROOT - 1, "{}: the root has a table", F::NAME);
    if F::LEAF_LEVELS >> last.level & 1 != 0 {
        let page = F::leaf(last.level, PhysAddr::new(L::PHYS_BASE), Perm::UR);
        vm.machine().store(last.at, page);
        assert!(vm.machine_mut().user_load(va).is_ok(), "{}: uvmcreate", F::NAME);
    }
}
