//! Accessed and dirty bits that a second processor sets while an entry changes, on every format.
//!
//! The processor writes to a page just after its entry was read, for the first time, the second, and so
//! on. Each operation that leaves the page present must leave it dirty.

use layout::{MB, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::{Entry, Format, Leaf, Perm};
use libjos::paging::mappings::{leaves, steps};
use libjos::paging::range::PageSizes::{self, Largest, Smallest};
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};

use super::busy::Busy;
use crate::places::{Spaces, block, device, huge, page};

type Sim<L, F> = Pmap<Busy<L, F>>;

on_every_format! {
    no_mark_is_lost
    nor_a_second_one
}

/// An operation on a page.
struct Case<L: MemLayout, F: Format + Mmu> {
    name: &'static str,
    /// An address in the page.
    va: VirtAddr,
    /// Maps the page.
    prepare: fn(&mut Sim<L, F>, &mut Spaces),
    run: fn(&mut Sim<L, F>, &mut Spaces),
    /// The pages that must be dirty then: `size` bytes from the address on.
    size: u64,
}

fn booted<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, Spaces) {
    let (sim, boot) = SimMachine::new(16 * MB);
    let mut pmap: Sim<L, F> = mem_init(Busy::new(sim), boot);
    let mut spaces = Spaces::new(&mut pmap);
    spaces.space.switchuvm(&mut pmap);
    (pmap, spaces)
}

/// The level of the page at `va`, and what its entry says.
fn page_at<L: MemLayout, F: Format + Mmu>(
    machine: &Busy<L, F>,
    root: PhysAddr,
    va: VirtAddr,
) -> (u32, Leaf) {
    let last = steps::<F, _>(machine, root, va).last().expect("a walk has a step");
    match last.entry {
        Entry::Leaf(leaf) => (last.level, leaf),
        other => panic!("{}: at {va} is no page: {other:?}", F::NAME),
    }
}

/// Three small pages, from 0 on.
fn three_pages<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    spaces.space.uvmalloc(pmap, 0, 3 * PGSIZE, Perm::W).unwrap();
}

/// These, copy-on-write, and nobody else has them any more.
fn three_cow_pages<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    three_pages(pmap, spaces);
    let Spaces { space, other } = spaces;
    space.uvmcow(pmap, other, 3 * PGSIZE).unwrap();
    other.uvmdealloc(pmap, 3 * PGSIZE, 0).unwrap();
}

/// Maps a device at the second largest page's place.
fn map_device<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    spaces: &mut Spaces,
    size: u64,
    sizes: PageSizes,
) {
    let (va, pa) = (page(huge::<F>(), 0), device::<L, F>());
    pmap.map_range(spaces.space.pgdir_mut(), va, size, pa, Perm::URW, sizes).unwrap();
}

fn one_huge<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, spaces: &mut Spaces) {
    map_device(pmap, spaces, huge::<F>(), Largest);
}

fn cases<L: MemLayout, F: Format + Mmu>() -> [Case<L, F>; 9] {
    let (second, in_huge) = (page(0, 1), page(huge::<F>(), 0));
    [
        Case {
            name: "protect_range, one page",
            va: second,
            prepare: three_pages,
            run: |pmap, spaces| {
                pmap.protect_range(spaces.space.pgdir_mut(), page(0, 1), PGSIZE, Perm::UR).unwrap();
            },
            size: PGSIZE,
        },
        Case {
            name: "protect_range, a run",
            va: second,
            prepare: three_pages,
            run: |pmap, spaces| {
                pmap.protect_range(spaces.space.pgdir_mut(), page(0, 0), 3 * PGSIZE, Perm::UR)
                    .unwrap();
            },
            size: PGSIZE,
        },
        Case {
            name: "protect_range, a large page",
            va: in_huge,
            prepare: one_huge,
            run: |pmap, spaces| {
                let (va, size) = (page(huge::<F>(), 0), huge::<F>());
                pmap.protect_range(spaces.space.pgdir_mut(), va, size, Perm::UR).unwrap();
            },
            size: huge::<F>(),
        },
        Case {
            name: "page_insert, of the same page",
            va: second,
            prepare: three_pages,
            run: |pmap, Spaces { space, .. }| {
                let (frame, _) = pmap.page_lookup(space.pgdir(), page(0, 1)).unwrap();
                pmap.page_insert(space.pgdir_mut(), frame, page(0, 1), Perm::UR).unwrap();
            },
            size: PGSIZE,
        },
        Case {
            name: "uvmcow",
            va: second,
            prepare: three_pages,
            run: |pmap, Spaces { space, other }| {
                space.uvmcow(pmap, other, 3 * PGSIZE).unwrap();
            },
            size: PGSIZE,
        },
        Case {
            name: "uvmcow, of a large page",
            va: in_huge,
            prepare: one_huge,
            run: |pmap, Spaces { space, other }| {
                space.uvmcow(pmap, other, 2 * huge::<F>()).unwrap();
            },
            size: huge::<F>(),
        },
        Case {
            name: "cow_fault, of the last user",
            va: second,
            prepare: three_cow_pages,
            run: |pmap, spaces| spaces.space.cow_fault(pmap, page(0, 1)).unwrap(),
            size: PGSIZE,
        },
        Case {
            name: "split",
            va: in_huge,
            prepare: one_huge,
            run: |pmap, spaces| {
                let last = page(2 * huge::<F>() - PGSIZE, 0);
                pmap.unmap_range(spaces.space.pgdir_mut(), last, PGSIZE).unwrap();
            },
            size: huge::<F>() - PGSIZE,
        },
        Case {
            name: "merge",
            va: page(huge::<F>(), 3),
            prepare: |pmap, spaces| map_device(pmap, spaces, block::<F>(), Smallest),
            run: |pmap, spaces| {
                pmap.merge(spaces.space.pgdir_mut(), page(huge::<F>(), 0), 1).unwrap();
            },
            size: PGSIZE,
        },
    ]
}

impl<L: MemLayout, F: Format + Mmu> Case<L, F> {
    /// Runs it with a write of the second processor after the entry was read `reads` times. Tells
    /// whether that came, and how many exchanges failed.
    fn check(&self, reads: usize) -> (bool, usize) {
        let (mut pmap, mut spaces) = booted::<L, F>();
        (self.prepare)(&mut pmap, &mut spaces);
        let root = spaces.space.pgdir().address();
        let (level, _) = page_at(pmap.machine(), root, self.va);
        pmap.machine_mut().use_after(root, self.va, level, reads, true);
        (self.run)(&mut pmap, &mut spaces);
        let (done, failed) = (pmap.machine().is_used(), pmap.machine().failed.get());
        let last = self.va + (self.size - 1);
        let machine = pmap.machine();
        let mut mapped = 0;
        for leaf in leaves::<F, _>(machine, root, self.va, last) {
            let (_, found) = page_at(machine, root, leaf.va);
            let Self { name, .. } = self;
            let is_marked = found.accessed && found.dirty;
            assert!(!done || is_marked, "{}: {name}, read {reads}: {leaf:x?}", F::NAME);
            mapped += leaf.within(self.va, last).size;
        }
        assert_eq!(mapped, self.size, "all is mapped still");
        (done, failed)
    }
}

fn no_mark_is_lost<L: MemLayout, F: Format + Mmu>() {
    for case in cases::<L, F>() {
        let (mut reads, mut failures) = (0, 0);
        loop {
            let (done, failed) = case.check(reads + 1);
            failures += failed;
            if !done {
                break;
            }
            reads += 1;
        }
        assert!(reads > 0, "{}: {}: nothing was read", F::NAME, case.name);
        // To merge is to store, and then to look once more.
        assert_eq!(failures > 0, case.name != "merge", "{}: {}", F::NAME, case.name);
    }
}

/// A part of a page to be merged is read late, and while the mark of that goes to the large page, that
/// is written to. (On RISC-V every page is marked as read from the start.)
fn nor_a_second_one<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, mut spaces) = booted::<L, F>();
    let (pgdir, va, pa) = (spaces.space.pgdir_mut(), page(huge::<F>(), 0), device::<L, F>());
    pmap.map_range(pgdir, va, block::<F>(), pa, Perm::UR, Smallest).unwrap();
    let root = pgdir.address();
    pmap.machine_mut().use_after(root, va + PGSIZE, 0, 1, false);
    pmap.machine_mut().use_after(root, va, 1, 2, true);
    pmap.merge(pgdir, va, 1).unwrap();
    let (level, Leaf { accessed, dirty, .. }) = page_at(pmap.machine(), root, va);
    let x86 = F::KIND.is_x86();
    assert_eq!((level, accessed, dirty), (1, true, x86), "{}", F::NAME);
    assert_eq!(pmap.machine().failed.get(), usize::from(x86));
}
