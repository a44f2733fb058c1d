//! A second processor watches an operation while it is under way, on every format.
//!
//! It walks at every store, and finds each page as it was before or as it will be after, never
//! anything else: not half a table, not another page, not a page without its contents. A page that
//! is as after stays so, and no entry that a processor can come to is written twice. No operation has
//! a third state, such as a page that is absent in between. Until the processor is told to forget a
//! page, or a table on the way there, neither is free.
//!
//! The operations are in [`cases`]. Each runs three times, since all machines do the same: so the
//! state before, the state after, and the addresses at which something begins or ends are known.
//!
//! Another processor, in [`busy`], uses pages instead: see [`marks`].

mod busy;
mod cases;
mod marks;
mod watched;

use std::cell::RefCell;
use std::collections::BTreeSet;

use layout::{MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator};
use libjos::paging::format::{Format, Perm};
use libjos::paging::mappings::runs;
use libjos::paging::word::Word;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};

use crate::places::Spaces;
use watched::{Linked, Place, Watched, Watcher};

/// The RAM of all machines.
const RAM: u64 = 8 * MB;

type Sim<L, F> = Pmap<Watched<L, F>>;

on_every_format! { pages_are_as_before_or_as_after }

/// An operation, and what is expected of the tables that it makes.
struct Case<L: MemLayout, F: Format + Mmu> {
    name: &'static str,
    linked: Linked,
    /// Makes what the operation is done to.
    prepare: fn(&mut Sim<L, F>, &mut Spaces),
    run: fn(&mut Sim<L, F>, &mut Spaces),
}

/// A machine with two address spaces. The pages that are free next, more than anything here takes,
/// are full of what looks like entries.
fn booted<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, Spaces) {
    let (sim, boot) = SimMachine::new(RAM);
    let mut pmap: Sim<L, F> = mem_init(Watched { sim, watcher: RefCell::new(None) }, boot);
    pmap.machine_mut().sim.move_to_kernel_stack();
    let mut spaces = Spaces::new(&mut pmap);
    spaces.space.switchuvm(&mut pmap);
    let dirt = F::leaf(0, PhysAddr::new(L::PHYS_BASE + 2 * MB), Perm::URW);
    let next: Vec<Frame> = (0..64).filter_map(|_| pmap.page_alloc(AllocFlags::empty())).collect();
    for frame in next.into_iter().rev() {
        let pa = pmap.pages().page2pa(frame);
        pmap.machine().store_run(pa, dirt, F::Word::ZERO, 1 << F::INDEX_BITS);
        pmap.pages_mut().page_free(frame);
    }
    (pmap, spaces)
}

/// The simulated machine of `pmap`.
fn machine_of<L: MemLayout, F: Format + Mmu>(mut pmap: Sim<L, F>) -> SimMachine<L, F> {
    core::mem::replace(&mut pmap.machine_mut().sim, SimMachine::new(RAM).0)
}

/// Where something begins or ends that is mapped, the pages on both sides of it.
fn boundaries<L: MemLayout, F: Format + Mmu>(
    machine: &SimMachine<L, F>,
    pgdirs: [PhysAddr; 3],
) -> BTreeSet<Place> {
    // The user's part, and one of the kernel's that the operations map in.
    let parts = [(0, L::UTOP), (L::MMIOBASE, L::MMIOLIM)];
    let mut places = BTreeSet::new();
    for pgdir in pgdirs {
        for (start, end) in parts {
            let [first, last] = [start, end - 1].map(VirtAddr::new);
            for run in runs::<F, _>(machine, pgdir, first, last) {
                let (va, end) = (run.va.as_u64(), run.va.as_u64() + run.size);
                for va in [va.saturating_sub(PGSIZE), va, end - PGSIZE, end] {
                    places.insert(Place { pgdir, va: VirtAddr::new(va) });
                }
            }
        }
    }
    places
}

impl<L: MemLayout, F: Format + Mmu> Case<L, F> {
    /// A machine on which all is prepared.
    fn prepared(&self) -> (Sim<L, F>, Spaces) {
        let (mut pmap, mut spaces) = booted();
        (self.prepare)(&mut pmap, &mut spaces);
        (pmap, spaces)
    }

    fn check(&self) {
        let (before, _) = self.prepared();
        let (mut after, mut spaces) = self.prepared();
        (self.run)(&mut after, &mut spaces);
        let (mut pmap, mut spaces) = self.prepared();

        let pgdirs =
            [spaces.space.pgdir().address(), spaces.other.pgdir().address(), pmap.kern_root()];
        let machines = [before, after].map(machine_of);
        let places = machines.iter().flat_map(|machine| boundaries(machine, pgdirs)).collect();
        let ram = PhysRange::from_size(PhysAddr::new(L::PHYS_BASE), RAM);
        let watcher =
            Watcher::new(machines, self.linked, ram, pmap.boot_memory().pages.start, places);
        pmap.machine().watcher.replace(Some(watcher));
        (self.run)(&mut pmap, &mut spaces);
        let watcher = pmap.machine().watcher.take().expect("it has watched");
        let changed = watcher.finish(&pmap.machine().sim);
        assert!(changed > 0, "there was nothing to be seen");
    }
}

fn pages_are_as_before_or_as_after<L: MemLayout, F: Format + Mmu>() {
    for case in cases::cases::<L, F>() {
        eprintln!("{}", case.name);
        case.check();
    }
}
