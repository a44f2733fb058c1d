//! The cost of an operation on a range follows from the tables that there are, not from how many
//! addresses lie between them. The tests count the words that are read, and measure no time; an operation
//! whose cost grew with the addresses would not end.

use core::mem::ManuallyDrop;

use layout::{MB, MemLayout, PGSIZE};
use libjos::app::memory::Memory;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::directory::Pgdir;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::leaves;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::paging::vm::Vm;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

type Sim<L, F> = Pmap<SimMachine<L, F>>;
type SimVm<L, F> = Vm<SimMachine<L, F>>;

on_every_format! {
    ranges_cost_what_their_tables_do
    large_pages_are_copied_as_they_are
    empty_tables_of_a_range_go
}

/// Pages that are mapped, as far from one another as can be.
const PAGES: u64 = 20;

const ZERO: VirtAddr = VirtAddr::new(0);

fn booted<L: MemLayout, F: Format + Mmu>() -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(8 * MB);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap
}

/// An address space that goes with its machine.
fn new_space<L: MemLayout, F: Format + Mmu>(vm: &mut SimVm<L, F>) -> ManuallyDrop<AddressSpace> {
    ManuallyDrop::new(AddressSpace::uvmcreate(vm).unwrap())
}

/// Maps the pages, and returns how many tables lead to them.
fn scatter<L: MemLayout, F: Format + Mmu>(vm: &mut SimVm<L, F>, pgdir: &mut Pgdir) -> u64 {
    let nfree = vm.pages().nfree();
    for i in 0..PAGES {
        let va = VirtAddr::new(layout::page_round_down(L::USTACKTOP / PAGES * i));
        let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
        vm.page_insert(pgdir, frame, va, Perm::URW).unwrap();
    }
    (nfree - vm.pages().nfree()) as u64 - PAGES
}

/// Does `work`, which may look at each entry of each table a few times, and at what is in each page.
fn bounded<L: MemLayout, F: Format + Mmu, T>(
    pmap: &mut Sim<L, F>,
    (what, tables): (&str, u64),
    work: impl FnOnce(&mut Sim<L, F>) -> T,
) -> T {
    pmap.machine().loads.set(0);
    let result = work(pmap);
    let (loads, most) = (pmap.machine().loads.get(), 4 * (tables + 1 + PAGES) * F::ENTRIES as u64);
    assert!(loads <= most, "{}: {what} read {loads} words, not {most}", F::NAME);
    result
}

/// Unmaps all that an application may map: at once, or by as many pages as the host's words can count.
fn unmap_all<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>) {
    let (mut va, mut left) = (ZERO, L::USTACKTOP / PGSIZE);
    while left > 0 {
        let npages = usize::try_from(left).unwrap_or(usize::MAX);
        pmap.unmap(va, npages, true);
        va = va + npages as u64 * PGSIZE;
        left -= npages as u64;
    }
}

fn ranges_cost_what_their_tables_do<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let mut space = new_space(&mut pmap);
    let root = space.pgdir().address();
    let size = L::USTACKTOP;
    // Each of `unmap_all`'s pieces but the first reads the root again.
    let pieces = size / PGSIZE / usize::MAX as u64;
    let tables = scatter(&mut pmap, space.pgdir_mut());

    // Operations that stop where something is mapped, or nothing.
    let pa = PhysAddr::new(L::PHYS_BASE);
    let mapped = bounded(&mut pmap, ("map_range", tables), |pmap| {
        pmap.map_range(space.pgdir_mut(), ZERO + PGSIZE, size - PGSIZE, pa, Perm::KR, Smallest)
    });
    let beyond = L::PHYS_BASE + size > F::PA_END;
    assert!(mapped.is_err() && (beyond || matches!(mapped, Err(MapError::AlreadyMapped { .. }))));
    let grown = bounded(&mut pmap, ("uvmalloc", tables), |pmap| {
        space.uvmalloc(pmap, PGSIZE, size, Perm::W)
    });
    assert!(grown.is_err());
    let flush = bounded(&mut pmap, ("protect_range", tables), |pmap| {
        pmap.protect_range(space.pgdir_mut(), ZERO, size, Perm::KR)
    });
    assert_eq!(flush.err(), Some(MapError::NotMapped { va: ZERO + PGSIZE }));
    let found = bounded(&mut pmap, ("leaves", tables), |pmap| {
        leaves::<F, _>(pmap.machine(), root, ZERO, ZERO + (size - 1)).count()
    });
    assert_eq!(found as u64, PAGES);

    // Operations that go from page to page.
    for copy in [true, false] {
        let mut new = new_space(&mut pmap);
        if copy {
            bounded(&mut pmap, ("uvmcopy", 3 * tables), |pmap| space.uvmcopy(pmap, &mut new, size))
                .unwrap();
        } else {
            bounded(&mut pmap, ("uvmcow", 3 * tables), |pmap| space.uvmcow(pmap, &mut new, size))
                .unwrap();
        }
        let freed = bounded(&mut pmap, ("uvmfree", tables), |pmap| {
            ManuallyDrop::into_inner(new).uvmfree(pmap)
        });
        assert_eq!(freed as u64, tables + 1 + if copy { PAGES } else { 0 });
    }
    // An area of an application's, as it goes.
    let left = pmap.pages().nfree() as u64;
    let (vm, kern_pgdir) = pmap.split();
    let areas_tables = scatter(vm, kern_pgdir);
    bounded(&mut pmap, ("unmap", 3 * areas_tables + pieces), |pmap| unmap_all::<L, F>(pmap));
    let (machine, root) = (pmap.machine(), pmap.kern_root());
    assert!(leaves::<F, _>(machine, root, ZERO, ZERO + (size - 1)).next().is_none());
    assert_eq!(pmap.pages().nfree() as u64, left);
    bounded(&mut pmap, ("uvmdealloc", 2 * tables), |pmap| space.uvmdealloc(pmap, size, 0)).unwrap();
    assert_eq!(pmap.pages().nfree() as u64, left + PAGES);
    bounded(&mut pmap, ("prune_range", tables), |pmap| {
        pmap.prune_range(space.pgdir_mut(), ZERO, ZERO + (size - 1));
    });
    assert_eq!(pmap.pages().nfree() as u64, left + PAGES + tables);
    // And where there is nothing, by the directory alone.
    bounded(&mut pmap, ("unmap, of nothing", pieces), |pmap| unmap_all::<L, F>(pmap));
    pmap.checks().check_page_free_list();
}

/// A device by the largest pages that there are, up to 200 times 512 GB: nobody goes through it by
/// pages of 4 KB.
fn large_pages_are_copied_as_they_are<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (mut old, mut new) = (new_space(&mut pmap), new_space(&mut pmap));
    let level = (0..F::LEVELS).rev().find(|level| F::LEAF_LEVELS >> level & 1 != 0).unwrap();
    let large = F::page_size(level);
    let (va, pa) = (
        VirtAddr::new(large),
        PhysAddr::new(layout::round_down(u64::from(u32::MAX), large).max(large)),
    );
    let count = 200.min(L::USTACKTOP / large - 2).min((F::PA_END - pa.as_u64()) / large);
    pmap.map_range(old.pgdir_mut(), va, count * large, pa, Perm::URW, Largest).unwrap();
    old.uvmcopy(&mut pmap, &mut new, L::USTACKTOP).unwrap();
    let copied = |space: &AddressSpace| {
        let last = VirtAddr::new(L::USTACKTOP - 1);
        leaves::<F, _>(pmap.machine(), space.pgdir().address(), ZERO, last).collect::<Vec<_>>()
    };
    assert_eq!(copied(&new), copied(&old));
    assert_eq!(copied(&new).len() as u64, count);
}

/// All of them and no others, though the range begins and ends within other tables.
fn empty_tables_of_a_range_go<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, pgdir) = pmap.split();
    let (small, large) = (F::page_size(1), if F::LEVELS > 2 { F::page_size(2) } else { 0 });
    let [below, first, last, above] =
        [(1, 3), (1, 5), (2, 6), (2, 9)].map(|(n, m)| VirtAddr::new(n * large + m * small));
    for va in [below, first, last, above] {
        let frame = vm.page_alloc(ALLOC_ZERO).unwrap();
        vm.page_insert(pgdir, frame, va, Perm::URW).unwrap();
        vm.page_remove(pgdir, va).unwrap();
    }
    let nfree = vm.pages().nfree();
    vm.prune_range(pgdir, first, last + (small - 1));
    assert_eq!(vm.pages().nfree(), nfree + 2, "{}", F::NAME);
    let above_all = if F::LEVELS > 2 { 1 } else { 0 };
    for va in [below, above] {
        let nfree = vm.pages().nfree();
        vm.prune(pgdir, va);
        assert!(vm.pages().nfree() > nfree + above_all, "{}: {va}", F::NAME);
    }
}
