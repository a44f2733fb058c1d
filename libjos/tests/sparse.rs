//! What an operation on a range costs follows from the tables that there are, not from how many
//! addresses lie between them. Words that are read are counted, and no time is measured; what costs
//! by the address would not end.

mod layouts;
#[macro_use]
mod machines;

use layout::{MB, MemLayout, PGSIZE};
use libjos::app::memory::Memory;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::leaves;
use libjos::paging::pgdir::MapError;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;

type Sim<L, F> = Pmap<SimMachine<L, F>>;

on_every_format! {
    ranges_cost_what_their_tables_do
    large_pages_are_copied_as_they_are
}

/// Pages that are mapped, as far from one another as can be.
const PAGES: u64 = 20;

const ZERO: VirtAddr = VirtAddr::new(0);

fn booted<L: MemLayout, F: Format + Mmu>() -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(8 * MB);
    let mut pmap = mem_init(machine, boot);
    pmap.machine.move_to_kernel_stack();
    pmap
}

/// Maps the pages, and returns how many tables lead to them.
fn scatter<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, pgdir: PhysAddr) -> u64 {
    let nfree = pmap.pages.nfree();
    for i in 0..PAGES {
        let va = VirtAddr::new(layout::page_round_down(L::USTACKTOP / PAGES * i));
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        pmap.page_insert(pgdir, frame, va, Perm::URW).unwrap();
    }
    (nfree - pmap.pages.nfree()) as u64 - PAGES
}

/// Does `work`, which may look at each entry of each table a few times, and at what is in each page.
fn bounded<L: MemLayout, F: Format + Mmu, T>(
    pmap: &mut Sim<L, F>,
    (what, tables): (&str, u64),
    work: impl FnOnce(&mut Sim<L, F>) -> T,
) -> T {
    pmap.machine.loads.set(0);
    let result = work(pmap);
    let (loads, most) = (pmap.machine.loads.get(), 4 * (tables + 1 + PAGES) * F::ENTRIES as u64);
    assert!(loads <= most, "{}: {what} read {loads} words, not {most}", F::NAME);
    result
}

fn ranges_cost_what_their_tables_do<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.kern_pgdir();
    let (size, npages) = (L::USTACKTOP, (L::USTACKTOP / PGSIZE) as usize);
    let free = pmap.pages.nfree();
    let tables = scatter(&mut pmap, pgdir);

    // What stops where something is mapped, or nothing.
    let pa = PhysAddr::new(L::PHYS_BASE);
    let mapped = bounded(&mut pmap, ("map_range", tables), |pmap| {
        pmap.map_range(pgdir, ZERO + PGSIZE, size - PGSIZE, pa, Perm::KR, Smallest)
    });
    let beyond = L::PHYS_BASE + size > F::PA_END;
    assert!(mapped.is_err() && (beyond || matches!(mapped, Err(MapError::AlreadyMapped { .. }))));
    let grown = bounded(&mut pmap, ("uvmalloc", tables), |pmap| {
        pmap.uvmalloc(pgdir, PGSIZE, size, Perm::W)
    });
    assert!(grown.is_err());
    let flush = bounded(&mut pmap, ("protect_range", tables), |pmap| {
        pmap.protect_range(pgdir, ZERO, size, Perm::KR)
    });
    assert_eq!(flush.err(), Some(MapError::NotMapped { va: ZERO + PGSIZE }));
    let found = bounded(&mut pmap, ("leaves", tables), |pmap| {
        leaves::<F, _>(&pmap.machine, pgdir, ZERO, ZERO + (size - 1)).count()
    });
    assert_eq!(found as u64, PAGES);

    // What goes from page to page.
    for copy in [true, false] {
        let new = pmap.uvmcreate().unwrap();
        if copy {
            bounded(&mut pmap, ("uvmcopy", 3 * tables), |pmap| pmap.uvmcopy(pgdir, new, size))
                .unwrap();
        } else {
            bounded(&mut pmap, ("uvmcow", 3 * tables), |pmap| pmap.uvmcow(pgdir, new, size))
                .unwrap();
        }
        let freed = bounded(&mut pmap, ("uvmfree", tables), |pmap| pmap.uvmfree(new));
        assert_eq!(freed as u64, tables + 1 + if copy { PAGES } else { 0 });
    }
    // An area of an application's, as it goes.
    bounded(&mut pmap, ("unmap", 3 * tables), |pmap| pmap.unmap(ZERO, npages, true));
    // All but the tables of the kernel's half that uvmcreate has made.
    let left = pmap.pages.nfree();
    assert!(
        free - left < F::ENTRIES
            && leaves::<F, _>(&pmap.machine, pgdir, ZERO, ZERO + (size - 1)).next().is_none()
    );
    assert_eq!(scatter(&mut pmap, pgdir), tables, "tables have stayed");
    let nfree = pmap.pages.nfree() as u64;
    bounded(&mut pmap, ("uvmdealloc", 2 * tables), |pmap| pmap.uvmdealloc(pgdir, size, 0)).unwrap();
    assert_eq!(pmap.pages.nfree() as u64 - nfree, PAGES);
    bounded(&mut pmap, ("prune_range", tables), |pmap| {
        pmap.prune_range(pgdir, ZERO, ZERO + (size - 1));
    });
    assert_eq!(pmap.pages.nfree(), left);
    // And where there is nothing, by the directory alone.
    bounded(&mut pmap, ("unmap, of nothing", 0), |pmap| pmap.unmap(ZERO, npages, true));
    pmap.check_page_free_list();
}

/// A device by the largest pages that there are, up to 200 times 512 GB: nobody goes through it by
/// pages of 4 KB.
fn large_pages_are_copied_as_they_are<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (old, new) = (pmap.uvmcreate().unwrap(), pmap.uvmcreate().unwrap());
    let level = (0..F::LEVELS).rev().find(|level| F::LEAF_LEVELS >> level & 1 != 0).unwrap();
    let large = F::page_size(level);
    let (va, pa) = (
        VirtAddr::new(large),
        PhysAddr::new(layout::round_down(u64::from(u32::MAX), large).max(large)),
    );
    let count = 200.min(L::USTACKTOP / large - 2).min((F::PA_END - pa.as_u64()) / large);
    pmap.map_range(old, va, count * large, pa, Perm::URW, Largest).unwrap();
    pmap.uvmcopy(old, new, L::USTACKTOP).unwrap();
    let copied = |pgdir| {
        let last = VirtAddr::new(L::USTACKTOP - 1);
        leaves::<F, _>(&pmap.machine, pgdir, ZERO, last).collect::<Vec<_>>()
    };
    assert_eq!(copied(new), copied(old));
    assert_eq!(copied(new).len() as u64, count);
}
