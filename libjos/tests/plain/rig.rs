//! A simulated machine and the model side by side: each operation is done to both, and both must
//! agree on its result and on everything after it.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use layout::{MB, MemLayout, PGSIZE};
use libjos::addr::{PhysAddr, VirtAddr};
use libjos::format::{Format, Leaf, Perm};
use libjos::machine::{Fault, Machine, PhysMem};
use libjos::mappings::leaves;
use libjos::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry};
use libjos::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageInfo};
use libjos::pmap::{Pmap, mem_init};
use libjos::range::PageSizes::{Largest, Smallest};
use libjos::sim::{SimMachine, mmu::Mmu};

use super::census::Census;
use super::ops::{Length, Op, Place, Span, Step, Target};
use super::{KERNEL, Plain, Space, page_size};

/// Frames that are free at the start: few, so that they run out.
const POOL: u64 = 20;

/// What maps an address: a level and a leaf.
type Mapped = (u32, Leaf);

/// The first address at which the two differ, and what they have there.
fn first_difference(
    found: &BTreeMap<u64, Mapped>,
    expected: &BTreeMap<u64, Mapped>,
) -> Option<(VirtAddr, Option<Mapped>, Option<Mapped>)> {
    if found == expected {
        return None;
    }
    let addresses: BTreeSet<&u64> = found.keys().chain(expected.keys()).collect();
    let va = addresses.into_iter().find(|va| found.get(va) != expected.get(va))?;
    Some((VirtAddr::new(*va), found.get(va).copied(), expected.get(va).copied()))
}

/// The two of them.
pub(crate) struct Rig<L: MemLayout, F: Format + Mmu> {
    pmap: Pmap<SimMachine<L, F>>,
    plain: Plain<L, F>,
    pgdirs: [PhysAddr; 2],
    /// Which of them is in use.
    loaded: usize,
    /// Frames that the test holds by one use each, so that they are never free.
    held: BTreeSet<u64>,
    /// What is never allocated, and its `pp_ref`.
    reserved: BTreeMap<u64, PageInfo>,
    /// The next value to write.
    stamp: u64,
}

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    /// Where RAM ends and a device begins that `pages` does not describe, but that has memory;
    /// and where that ends.
    fn device() -> (u64, u64) {
        let large = page_size::<F>(1);
        (L::PHYS_BASE + 4 * large, L::PHYS_BASE + 8 * large)
    }

    /// A machine with two address spaces, the first one in use. `large_pages` says whether its
    /// processor has them.
    pub(crate) fn new(large_pages: bool) -> Self {
        let large = page_size::<F>(1);
        let (_, end) = Self::device();
        let (machine, mut boot) = SimMachine::new(end - L::PHYS_BASE);
        let ram = 2 * large + MB;
        let usable = |base, length| MemoryMapEntry { base, length, kind: MemoryKind::Usable };
        // The hole of a PC, and the memory of RISC-V's firmware.
        let entries = if L::PHYS_BASE == 0 {
            [usable(0, 0x9_f000), usable(MB, ram - MB)]
        } else {
            [usable(L::PHYS_BASE + MB / 2, MB / 2), usable(L::PHYS_BASE + MB, ram - MB)]
        };
        boot.memory = MemoryMap::new(entries.into_iter()).expect("a memory map");
        let mut pmap = mem_init(machine, boot);
        pmap.machine.move_to_kernel_stack();
        let pgdirs = [pmap.uvmcreate().unwrap(), pmap.uvmcreate().unwrap()];
        pmap.switchuvm(pgdirs[0]);

        // All but a pool of neighbours is held.
        let mut frames: Vec<Frame> =
            std::iter::from_fn(|| pmap.page_alloc(AllocFlags::empty())).collect();
        frames.sort();
        let held = frames.split_off(POOL as usize);
        frames.iter().for_each(|frame| pmap.pages.page_free(*frame));
        held.iter().for_each(|frame| pmap.pages.page_incref(*frame).unwrap());
        let first = L::PHYS_BASE / PGSIZE;
        let pfn = |frame: &Frame| first + frame.index() as u64;
        let pool = pfn(&frames[0])..pfn(&frames[0]) + POOL;
        assert_eq!(pfn(&frames[POOL as usize - 1]), pool.end - 1, "not neighbours");
        let held: BTreeSet<u64> = held.iter().map(pfn).collect();
        assert!(
            (0..large / PGSIZE + 1).all(|i| held.contains(&((L::PHYS_BASE + large) / PGSIZE + i)))
        );

        if !large_pages {
            pmap.machine.leaf_levels = 1;
        }
        let kernel = Census::new(&pmap.machine, pmap.kern_pgdir(), true);
        let kernel = Space { leaves: BTreeMap::new(), tables: kernel.tables.into_keys().collect() };
        let reserved = (first..).zip(pmap.pages.infos());
        let reserved = reserved.filter(|(_, info)| info.pp_link == PageInfo::RESERVED);
        let plain = Plain {
            spaces: [Space::default(), Space::default(), kernel],
            in_use: held.iter().map(|pfn| (*pfn, 1)).collect(),
            table_frames: BTreeSet::new(),
            pool,
            ram: first..first + pmap.pages.npages() as u64,
            nfree: POOL as usize,
            leaf_levels: pmap.machine.leaf_levels,
            types: PhantomData,
        };
        let reserved = reserved.map(|(pfn, info)| (pfn, *info)).collect();
        Self { pmap, plain, pgdirs, loaded: 0, held, reserved, stamp: 1 }
    }

    fn frame(&self, pfn: u64) -> Frame {
        self.pmap.pages.pa2page(PhysAddr::new(pfn * PGSIZE)).expect("a frame")
    }

    /// Does `op` to both. Before and after, the pages around it are used, so that the TLB knows
    /// what they were.
    pub(crate) fn step(&mut self, step: &Step) {
        let mut around = Self::around(&step.op);
        let mut bits = (0..16).cycle().map(|bit| step.touch & 1 << bit != 0);
        around.retain(|_| bits.next() == Some(true));
        around.iter().for_each(|va| self.touch(*va));
        self.apply(&step.op);
        self.compare();
        around.iter().for_each(|va| self.touch(*va));
    }

    /// The pages at the ends of what `op` is about, within it and outside.
    fn around(op: &Op) -> Vec<u64> {
        let (va, size) = match *op {
            Op::Map { span, .. } | Op::Unmap { span, .. } | Op::Protect { span, .. } => {
                span.range::<L, F>()
            }
            Op::Insert { place, .. }
            | Op::Remove { place, .. }
            | Op::Prune { place, .. }
            | Op::CowFault { place, .. } => (place.va::<L, F>(), PGSIZE),
            Op::Merge { place, .. } => (place.va::<L, F>(), page_size::<F>(1)),
            _ => (page_size::<F>(1), PGSIZE),
        };
        let (va, size) = (va / PGSIZE * PGSIZE, size / PGSIZE * PGSIZE);
        let inside = (0..size.min(6 * PGSIZE)).step_by(PGSIZE as usize).map(|offset| va + offset);
        let large = page_size::<F>(1);
        let ends = [
            va.wrapping_sub(PGSIZE),
            (va + size).wrapping_sub(PGSIZE),
            va + size,
            va / large * large,
            va / large * large + (large - PGSIZE),
            va + size / 2 / PGSIZE * PGSIZE,
        ];
        let around: BTreeSet<u64> = inside.chain(ends).filter(|va| *va <= L::VA_LAST).collect();
        around.into_iter().collect()
    }

    /// Reads and writes at `va` as the kernel and as the user: each access must do what the
    /// model says.
    fn touch(&mut self, va: u64) {
        // The kernel's own pages are not in the model.
        if va >= L::UENVS && !(L::MMIOBASE..L::MMIOLIM).contains(&va) {
            return;
        }
        let found = self.plain.translate(self.loaded, va);
        let (_, memory_end) = Self::device();
        let has_memory = |pa: PhysAddr| (L::PHYS_BASE..memory_end).contains(&pa.as_u64());
        let backed = found.is_some_and(|(pa, _)| has_memory(pa));
        let va = VirtAddr::new(va);
        for (user, write) in [(false, false), (true, false), (false, true), (true, true)] {
            let allowed = found.is_some_and(|(_, perm)| {
                perm.contains(Perm::U) == user && (!write || perm.contains(Perm::W))
            });
            if found.is_some() && !backed && (allowed || write) {
                continue;
            }
            self.stamp += 1;
            let (stamp, machine) = (self.stamp, &mut self.pmap.machine);
            if let Some((pa, _)) = found.filter(|_| backed && !write) {
                machine.store(pa, stamp);
            }
            let done = match (user, write) {
                (false, false) => machine.probe_load(va).map(Some),
                (true, false) => machine.user_load(va).map(Some),
                (false, true) => machine.probe_store(va, stamp).map(|()| None),
                (true, true) => machine.user_store(va, stamp).map(|()| None),
            };
            let what = (user, write);
            match (allowed, done) {
                (true, Ok(Some(value))) => assert_eq!(value, stamp, "read at {va} {what:?}"),
                (true, Ok(None)) => {
                    let (pa, _) = found.expect("an allowed access has a page");
                    assert_eq!(machine.load::<u64>(pa), stamp, "a write to {va} went astray");
                }
                (_, done) => {
                    let fault = Fault { va, present: found.is_some(), write };
                    assert_eq!((allowed, done), (false, Err(fault)), "(user, write) is {what:?}");
                }
            }
        }
        let writable = found.is_some_and(|(_, perm)| perm.contains(Perm::W));
        self.plain.touch(self.loaded, va.as_u64(), backed && writable);
    }

    /// Does `op` to both and compares the results.
    fn apply(&mut self, op: &Op) {
        let Self { pmap, plain, pgdirs, .. } = self;
        let before = pmap.pages.nfree();
        match *op {
            Op::Alloc => self.alloc(),
            Op::Drain { leave } => {
                while self.plain.nfree > leave {
                    self.alloc();
                }
            }
            Op::FreeUnused => self.free_unused(),
            Op::Free { frame } => {
                // Behind the pool: what is never free, and what is held.
                let pfn = match frame {
                    n if n < POOL - 4 => plain.pool.start + n,
                    n if n.is_multiple_of(2) => plain.ram.start,
                    _ => plain.pool.end,
                };
                let expected = plain.page_free(pfn);
                let frame = self.frame(pfn);
                assert_eq!(self.pmap.pages.try_page_free(frame), expected);
            }
            Op::Insert { space, place, frame, perm } => {
                let (va, perm) = Self::page(place, perm);
                let pfn = plain.pool.start + Self::pool_offset(va) + frame;
                if plain.table_frames.contains(&pfn) {
                    return;
                }
                let expected = plain.page_insert(space, pfn, va, perm);
                let (pgdir, frame) = (self.pgdirs[space], self.frame(pfn));
                let result = self.pmap.page_insert(pgdir, frame, VirtAddr::new(va + 8), perm);
                assert_eq!(result, expected);
            }
            Op::Remove { space, place } => {
                let va = place.va::<L, F>() + 8;
                let result = pmap.page_remove(pgdirs[space], VirtAddr::new(va));
                assert_eq!(result, plain.page_remove(space, va));
            }
            Op::Map { space, span, target, perm, largest } => {
                self.map(space, span, target, perm, largest);
            }
            Op::Unmap { space, span } => {
                let (va, size) = span.range::<L, F>();
                let result = pmap.unmap_range(pgdirs[space], VirtAddr::new(va), size);
                let tables = before - pmap.pages.nfree();
                let expected = plain.unmap_range(space, va, size);
                assert_eq!(result.as_ref().err(), expected.as_ref().err());
                if let (Ok(removal), Ok(freed)) = (result, expected) {
                    assert_eq!(plain.nfree, before - tables + freed, "free before the flush");
                    let flushed = removal.flush(&mut pmap.machine);
                    assert_eq!(flushed.free(&mut pmap.pages), freed);
                }
            }
            Op::Protect { space, span, perm } => {
                let (va, size) = span.range::<L, F>();
                let (_, perm) = Self::page(span.place, perm);
                let result = pmap.protect_range(pgdirs[space], VirtAddr::new(va), size, perm);
                let expected = plain.protect_range(space, va, size, perm);
                assert_eq!(result.as_ref().err(), expected.as_ref().err());
                if let Ok(flush) = result {
                    flush.flush(&mut pmap.machine);
                }
            }
            Op::Merge { space, place, level } => {
                let va = place.va::<L, F>();
                // The directory of one address space alone would change.
                if va >= L::UENVS && level == F::LEVELS - 1 {
                    return;
                }
                let result = pmap.merge(pgdirs[space], VirtAddr::new(va), level);
                assert_eq!(before, pmap.pages.nfree(), "free before the flush");
                let expected = plain.merge(space, va, level);
                assert_eq!(result.as_ref().err(), expected.as_ref().err());
                if let Ok(removal) = result {
                    assert_eq!(removal.flush(&mut pmap.machine).free(&mut pmap.pages), 1);
                }
            }
            Op::Prune { space, place } => {
                let va = place.va::<L, F>();
                if va < L::LOWER_END {
                    pmap.prune(pgdirs[space], VirtAddr::new(va));
                    plain.prune(space, va);
                }
            }
            Op::CowFault { space, place } => self.cow_fault(space, place.va::<L, F>()),
            Op::Switch { space } => {
                pmap.switchuvm(pgdirs[space]);
                self.loaded = space;
            }
        }
    }

    fn page(place: Place, perm: Perm) -> (u64, Perm) {
        // Only what is the same in all address spaces is global.
        let global = if let Place::Mmio(_) = place { Perm::G } else { Perm::empty() };
        (place.va::<L, F>(), perm | global)
    }

    /// In the kernel's half no use is counted, so only held frames may be mapped: those behind
    /// the pool.
    fn pool_offset(va: u64) -> u64 {
        if va < L::UTOP { 0 } else { POOL }
    }

    /// The frame that libjos took must have been free.
    fn adopt(&mut self, pfn: u64, count: u32) {
        let free = self.plain.pool.contains(&pfn) && !self.plain.table_frames.contains(&pfn);
        assert!(free && self.plain.in_use.insert(pfn, count).is_none(), "{pfn:#x} was in use");
        self.plain.nfree -= 1;
    }

    fn alloc(&mut self) {
        let frame = self.pmap.page_alloc(ALLOC_ZERO);
        assert_eq!(frame.is_some(), self.plain.nfree > 0);
        let Some(frame) = frame else { return };
        let pa = self.pmap.pages.page2pa(frame);
        self.adopt(pa.as_u64() / PGSIZE, 0);
        assert_eq!(self.pmap.machine.load::<u64>(pa), 0, "the page was not zeroed");
    }

    fn free_unused(&mut self) {
        let unused = self.plain.in_use.iter().filter(|(_, count)| **count == 0);
        let unused: Vec<u64> = unused.map(|(pfn, _)| *pfn).collect();
        for pfn in unused {
            let frame = self.frame(pfn);
            assert_eq!(self.pmap.pages.try_page_free(frame), self.plain.page_free(pfn));
        }
    }

    fn map(&mut self, space: usize, span: Span, target: Target, perm: Perm, largest: bool) {
        let (va, mut size) = span.range::<L, F>();
        let large = page_size::<F>(1);
        let huge = page_size::<F>(2.min(F::LEVELS - 1));
        let (device, _) = Self::device();
        let pa = match target {
            Target::Pool(n) => {
                // Held frames follow, but not for ever.
                size = size.min(40 * PGSIZE + size % PGSIZE);
                (self.plain.pool.start + Self::pool_offset(va) + n) * PGSIZE
            }
            Target::Held(n) => L::PHYS_BASE + large + n * PGSIZE,
            Target::Device(n) => device + n * PGSIZE,
            Target::HugeDevice(n) => L::PHYS_BASE + huge.max(8 * large) + n * PGSIZE,
            Target::Last => F::PA_END - PGSIZE,
        };
        let frames = pa / PGSIZE..(pa + size).div_ceil(PGSIZE);
        if frames.clone().take(POOL as usize).any(|pfn| self.plain.table_frames.contains(&pfn)) {
            return;
        }
        let (_, perm) = Self::page(span.place, perm);
        let expected = self.plain.map_range(space, va, size, pa, perm, largest);
        let (pgdir, va, pa) = (self.pgdirs[space], VirtAddr::new(va), PhysAddr::new(pa));
        let sizes = if largest { Largest } else { Smallest };
        assert_eq!(self.pmap.map_range(pgdir, va, size, pa, perm, sizes), expected);
    }

    fn cow_fault(&mut self, space: usize, va: u64) {
        let shared = self.plain.translate(space, va);
        let result = self.pmap.cow_fault(self.pgdirs[space], VirtAddr::new(va));
        let expected = self.plain.cow_fault(space, va);
        assert_eq!(result.as_ref().err(), expected.as_ref().err());
        if let (Ok(true), Some((old, perm))) = (expected, shared) {
            let copy = self.pmap.va2pa(self.pgdirs[space], VirtAddr::new(va)).expect("a copy");
            let load = |pa| self.pmap.machine.load::<u64>(pa);
            assert_eq!(load(copy), load(old), "the copy differs");
            let pfn = copy.as_u64() / PGSIZE;
            self.adopt(pfn, 0);
            let perm = (perm - Perm::COW) | Perm::W;
            assert_eq!(self.plain.page_insert(space, pfn, va, perm), Ok(()));
        }
    }

    /// Everything that is mapped, every table and every frame is as the model says.
    fn compare(&mut self) {
        let machine = &self.pmap.machine;
        let [first, second] = self.pgdirs.map(|pgdir| Census::new(machine, pgdir, false));
        let mut kernel = Census::new(machine, self.pmap.kern_pgdir(), true);
        kernel.leaves.retain(|va, _| (L::MMIOBASE..L::MMIOLIM).contains(va));
        let mut refs: BTreeMap<u64, u32> = self.held.iter().map(|pfn| (*pfn, 1)).collect();
        refs.extend(self.pgdirs.map(|pgdir| (pgdir.as_u64() / PGSIZE, 1)));
        self.plain.table_frames.clear();
        for (i, census) in [first, second, kernel].into_iter().enumerate() {
            let expected = &self.plain.spaces[i];
            let differs = first_difference(&census.leaves, &expected.leaves);
            assert_eq!(differs, None, "space {i}: an address, what is mapped, what is expected");
            assert!(
                census.tables.keys().eq(&expected.tables),
                "space {i}: the tables are {:x?}, expected {:x?}",
                census.tables,
                expected.tables
            );
            for ((level, _), pa) in census.tables {
                let pfn = pa.as_u64() / PGSIZE;
                // The kernel's half hangs from all three directories.
                let links = if i == KERNEL && level == F::LEVELS - 1 { 3 } else { 1 };
                assert_eq!(refs.insert(pfn, links), None, "table {pa} is in use elsewhere");
                self.plain.table_frames.insert(pfn);
            }
            // As the tables have it, page by page.
            for (va, (level, leaf)) in census.leaves {
                let first = leaf.pa.as_u64() / PGSIZE;
                for i in 0..page_size::<F>(level) / PGSIZE {
                    if va + i * PGSIZE < L::UTOP && self.plain.ram.contains(&(first + i)) {
                        *refs.entry(first + i).or_default() += 1;
                    }
                }
            }
        }
        self.compare_frames(&refs);
    }

    /// Each frame is in use as often as `refs` counts, or free, and the free list has the free.
    fn compare_frames(&self, refs: &BTreeMap<u64, u32>) {
        let pages = &self.pmap.pages;
        let mut free = BTreeSet::new();
        for (pfn, info) in (self.plain.ram.start..).zip(pages.infos()) {
            let counted = refs.get(&pfn).copied();
            let expected = match (self.reserved.get(&pfn), counted) {
                (Some(info), used) => (info.pp_link, info.pp_ref() + used.unwrap_or(0)),
                (None, Some(pp_ref)) => (PageInfo::IN_USE, pp_ref),
                (None, None) if self.plain.in_use.contains_key(&pfn) => (PageInfo::IN_USE, 0),
                (None, None) => {
                    assert!(info.is_free(), "frame {pfn:#x} is lost: {info:?}");
                    free.insert(pfn);
                    (info.pp_link, 0)
                }
            };
            assert_eq!((info.pp_link, info.pp_ref()), expected, "frame {pfn:#x}");
        }
        for (pfn, pp_ref) in &self.plain.in_use {
            assert_eq!(pages.pp_ref(self.frame(*pfn)), *pp_ref, "frame {pfn:#x}");
        }
        let list: Vec<u64> =
            pages.page_free_list().map(|frame| pages.page2pa(frame).as_u64() / PGSIZE).collect();
        assert_eq!(
            (list.len(), list.len()),
            (pages.nfree(), self.plain.nfree),
            "the list's length"
        );
        assert_eq!(list.into_iter().collect::<BTreeSet<_>>(), free, "the free list");
    }

    /// The end of a sequence: libjos sees what the model has, everything can be taken down, and
    /// nothing is lost.
    pub(crate) fn finish(mut self) {
        for space in 0..2 {
            self.apply(&Op::Switch { space });
            for half in [space, KERNEL] {
                self.read_again(half);
            }
        }
        let mmio = Span { place: Place::Mmio(0), length: Length::Large(4, 0), skew: 0 };
        self.apply(&Op::Unmap { space: 0, span: mmio });
        let pmap = &mut self.pmap;
        for va in (L::MMIOBASE..L::MMIOLIM).step_by(page_size::<F>(1) as usize) {
            pmap.prune(pmap.kern_pgdir(), VirtAddr::new(va));
        }
        for pgdir in self.pgdirs {
            pmap.uvmfree(pgdir).flush(&mut pmap.machine).free(&mut pmap.pages);
        }
        self.free_unused();
        for pfn in std::mem::take(&mut self.held) {
            let frame = self.frame(pfn);
            self.pmap.pages.page_decref(frame);
        }
        let tables = Census::new(&self.pmap.machine, self.pmap.kern_pgdir(), true).tables.len();
        let infos = self.pmap.pages.infos();
        let in_use = infos.iter().filter(|info| info.pp_link == PageInfo::IN_USE).count();
        assert_eq!(in_use, tables, "in use at the end are the kernel's tables alone");
        self.pmap.check_page_free_list();
    }

    /// What libjos lists is what the model has, and the processor's walk leads there too.
    fn read_again(&mut self, half: usize) {
        let (first, last) = match half {
            KERNEL => (L::MMIOBASE, L::MMIOLIM - 1),
            _ => (0, L::LOWER_END - 1),
        };
        let pgdir = self.pgdirs[self.loaded];
        let (first, last) = (VirtAddr::new(first), VirtAddr::new(last));
        let found: Vec<_> = leaves::<F, _>(&self.pmap.machine, pgdir, first, last)
            .map(|leaf| (leaf.va.as_u64(), leaf.size, leaf.pa, leaf.perm))
            .collect();
        let expected: Vec<_> = self.plain.spaces[half]
            .leaves
            .iter()
            .map(|(va, (level, leaf))| (*va, page_size::<F>(*level), leaf.pa, leaf.perm))
            .collect();
        assert!(found == expected, "leaves() lists {found:x?}, expected {expected:x?}");
        // Of many, a sample.
        let every = expected.len() / 64 + 1;
        for (va, size, ..) in expected.into_iter().step_by(every) {
            [va, va + (size - PGSIZE)].iter().for_each(|va| self.touch(*va));
        }
    }
}
