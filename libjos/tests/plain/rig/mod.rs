//! A simulated machine and the model side by side: each operation is done to both, and both must
//! agree on its result and on everything after it.
//!
//! The operations on address spaces and their users' memory are in `uvm`.

mod uvm;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
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
use libjos::removal::Removal;
use libjos::sim::{SimMachine, mmu::Mmu};
use libjos::word::Word;

use super::census::Census;
use super::memory::Memory;
use super::ops::{Op, Place, Span, Step, Target};
use super::{KERNEL, Plain, Space, page_size};

/// Frames that come and go.
const POOL: u64 = 22;

/// Of these, those that are free at the start: few, so that they run out. Two are page directories.
const FREE: u64 = POOL - 2;

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
    /// The page directories, where there are any.
    pgdirs: [Option<PhysAddr>; 2],
    /// The user memory's sizes, as `sbrk` has them.
    sizes: [u64; 2],
    /// Which of the address spaces is in use, or [`KERNEL`].
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
        // The first address space makes tables for the kernel's half.
        let first = pmap.uvmcreate().unwrap();
        pmap.uvmfree(first).flush(&mut pmap.machine).free(&mut pmap.pages);

        // All but a pool of neighbours is held.
        let mut frames: Vec<Frame> =
            std::iter::from_fn(|| pmap.page_alloc(AllocFlags::empty())).collect();
        frames.sort();
        let held = frames.split_off(POOL as usize);
        frames.iter().for_each(|frame| pmap.pages.page_free(*frame));
        for frame in &held {
            pmap.pages.page_incref(*frame).unwrap();
            pmap.machine.zero_frame(pmap.pages.page2pa(*frame));
        }
        let first = L::PHYS_BASE / PGSIZE;
        let pfn = |frame: &Frame| first + frame.index() as u64;
        let pool = pfn(&frames[0])..pfn(&frames[0]) + POOL;
        assert_eq!(pfn(&frames[POOL as usize - 1]), pool.end - 1, "not neighbours");
        let held: BTreeSet<u64> = held.iter().map(pfn).collect();
        assert!(
            (0..large / PGSIZE + 1).all(|i| held.contains(&((L::PHYS_BASE + large) / PGSIZE + i)))
        );
        let pgdirs = [(); 2].map(|()| pmap.uvmcreate().unwrap());
        pmap.switchuvm(pgdirs[0]);

        if !large_pages {
            pmap.machine.leaf_levels = 1;
        }
        let kernel = Census::new(&pmap.machine, pmap.kern_pgdir(), true);
        let kernel = Space { leaves: BTreeMap::new(), tables: kernel.tables.into_keys().collect() };
        let reserved = (first..).zip(pmap.pages.infos());
        let reserved = reserved.filter(|(_, info)| info.pp_link == PageInfo::RESERVED);
        let plain = Plain {
            spaces: [Space::default(), Space::default(), kernel],
            memory: Memory::default(),
            in_use: held.iter().map(|pfn| (*pfn, 1)).collect(),
            table_frames: pgdirs.iter().map(|pgdir| pgdir.as_u64() / PGSIZE).collect(),
            pool,
            ram: first..first + pmap.pages.npages() as u64,
            nfree: FREE as usize,
            leaf_levels: pmap.machine.leaf_levels,
            types: PhantomData,
        };
        let reserved = reserved.map(|(pfn, info)| (pfn, *info)).collect();
        let pgdirs = pgdirs.map(Some);
        Self { pmap, plain, pgdirs, sizes: [0; 2], loaded: 0, held, reserved, stamp: 1 }
    }

    /// The page directory of an address space that there is.
    fn pgdir(&self, space: usize) -> PhysAddr {
        self.pgdirs[space].expect("an address space")
    }

    fn frame(&self, pfn: u64) -> Frame {
        self.pmap.pages.pa2page(PhysAddr::new(pfn * PGSIZE)).expect("a frame")
    }

    /// Does `op` to both. Before and after, the pages around it are used, so that the TLB knows
    /// what they were.
    pub(crate) fn step(&mut self, step: &Step) {
        let mut around = self.around(&step.op);
        let mut bits = (0..16).cycle().map(|bit| step.touch & 1 << bit != 0);
        around.retain(|_| bits.next() == Some(true));
        around.iter().for_each(|va| self.touch(*va));
        self.apply(&step.op);
        self.compare();
        around.iter().for_each(|va| self.touch(*va));
    }

    /// The pages at the ends of what `op` is about, within it and outside.
    fn around(&self, op: &Op) -> Vec<u64> {
        let below = |sz: u64| (sz.saturating_sub(3 * PGSIZE), 4 * PGSIZE);
        let (va, size) = match *op {
            Op::Map { span, .. } | Op::Unmap { span, .. } | Op::Protect { span, .. } => {
                span.range::<L, F>()
            }
            Op::Insert { place, .. }
            | Op::Remove { place, .. }
            | Op::Prune { place, .. }
            | Op::CowFault { place, .. }
            | Op::Clearpteu { place, .. }
            | Op::Walk { place, .. } => (place.va::<L, F>(), PGSIZE),
            Op::Merge { place, .. } => (place.va::<L, F>(), page_size::<F>(1)),
            Op::Uvmalloc { old, new, .. } | Op::Uvmdealloc { old, new, .. } => {
                let (old, new) = (old.bytes::<L, F>(), new.bytes::<L, F>());
                (old.min(new), old.abs_diff(new) + PGSIZE)
            }
            Op::Sbrk { space, .. } => below(self.sizes[space]),
            Op::Uvmcopy { size, .. } | Op::Uvmcow { size, .. } => below(size.bytes::<L, F>()),
            Op::Copyin { bytes, .. } | Op::Copyout { bytes, .. } => {
                (bytes.va::<L, F>(), bytes.len + PGSIZE)
            }
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

    /// Whether there is memory at `pa`, as there is for all RAM and one device.
    fn has_memory(pa: u64) -> bool {
        (L::PHYS_BASE..Self::device().1).contains(&pa)
    }

    /// The addresses of the kernel's that the model has: the part for devices, and where there are
    /// no halves what lies between UTOP and UPAGES.
    fn modelled(va: u64) -> bool {
        (L::MMIOBASE..L::MMIOLIM).contains(&va) || !L::HALVES && (L::UTOP..L::UPAGES).contains(&va)
    }

    /// Reads and writes at `va` as the kernel and as the user: each access must do what the
    /// model says.
    fn touch(&mut self, va: u64) {
        if va >= L::UENVS && !Self::modelled(va) {
            return;
        }
        let found = self.plain.translate(self.loaded, va);
        let backed = found.is_some_and(|(pa, _)| Self::has_memory(pa.as_u64()));
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
            let load = |machine: &mut SimMachine<L, F>| match user {
                true => machine.user_load(va),
                false => machine.probe_load(va),
            };
            let done = match (user, write) {
                (_, false) => load(machine).map(Some),
                (false, true) => machine.probe_store(va, stamp).map(|()| None),
                (true, true) => machine.user_store(va, stamp).map(|()| None),
            };
            let what = (user, write);
            match (allowed, done, found) {
                (true, Ok(Some(value)), Some((pa, _))) => {
                    let expected = self.plain.memory.word(pa.as_u64());
                    assert_eq!(value, expected, "read at {va} {what:?}");
                    // There may be the same elsewhere, but not what is written now.
                    machine.store(pa, stamp);
                    assert_eq!(load(machine), Ok(stamp), "read again at {va} {what:?}");
                    self.plain.memory.write(pa.as_u64(), stamp);
                }
                (true, Ok(None), Some((pa, _))) => {
                    assert_eq!(machine.load::<u64>(pa), stamp, "a write to {va} went astray");
                    self.plain.memory.write(pa.as_u64(), stamp);
                }
                (_, done, _) => {
                    let fault = Fault { va, present: found.is_some(), write };
                    assert_eq!((allowed, done), (false, Err(fault)), "(user, write) is {what:?}");
                }
            }
        }
        let writable = found.is_some_and(|(_, perm)| perm.contains(Perm::W));
        self.plain.touch(self.loaded, va.as_u64(), backed && writable);
    }

    /// Does `op` to both and compares the results. What there is too little memory for is left out.
    fn apply(&mut self, op: &Op) {
        if !op.spaces().into_iter().all(|space| self.make_space(space)) {
            return;
        }
        let pgdirs = self.pgdirs.map(|pgdir| pgdir.unwrap_or_default());
        let Self { pmap, plain, .. } = self;
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
                    n if n < FREE - 4 => plain.pool.start + n,
                    n if n.is_multiple_of(2) => plain.ram.start,
                    _ => plain.pool.end,
                };
                let expected = plain.page_free_run(pfn..pfn + 1);
                let frame = self.frame(pfn);
                assert_eq!(self.pmap.pages.try_page_free(frame), expected);
            }
            Op::Insert { space, place, frame, perm } => {
                let (va, perm) = Self::page(place, perm);
                let pfn = plain.pool.start + Self::pool_offset(va + PGSIZE) + frame;
                if plain.table_frames.contains(&pfn) {
                    return;
                }
                let expected = plain.page_insert(space, pfn, va, perm);
                let frame = self.frame(pfn);
                let result =
                    self.pmap.page_insert(pgdirs[space], frame, VirtAddr::new(va + 8), perm);
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
                let expected = plain.unmap_range(space, va, size);
                self.unmapped(before, result, expected);
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
            Op::CowFault { space, place } => {
                let va = place.va::<L, F>();
                let result = pmap.cow_fault(pgdirs[space], VirtAddr::new(va));
                let expected = plain.cow_fault(space, va);
                assert_eq!(result.err(), expected.as_ref().err().copied());
                self.adopt_pages(space, expected.into_iter().flatten());
            }
            Op::Switch { space } => {
                pmap.switchuvm(pgdirs[space]);
                self.loaded = space;
            }
            Op::Walk { space, place, create } => {
                let va = place.va::<L, F>() + 8;
                let result = pmap.pgdir_walk(pgdirs[space], VirtAddr::new(va), create);
                let expected = plain.pgdir_walk(space, va, create);
                assert_eq!(result.map(|pte| pte.is_some()), expected);
                if let Ok(Some(pte)) = result {
                    self.is_entry_of(space, va, pte.pa);
                }
            }
            Op::AllocRun { order } => self.alloc_run(order),
            Op::FreeRun { frame, order } => {
                let first = plain.pool.start + frame;
                let expected = plain.page_free_run(first..first + (1 << order));
                let frame = self.frame(first);
                assert_eq!(self.pmap.pages.try_page_free_run(frame, order), expected);
            }
            _ => self.apply_to_users(op),
        }
    }

    /// What a removal of pages must say, of which the model has told the frames that are free by it:
    /// they are free behind the flush. `before` were free before it.
    fn unmapped<E: PartialEq + Debug>(
        &mut self,
        before: usize,
        result: Result<Removal, E>,
        expected: Result<usize, E>,
    ) {
        assert_eq!(result.as_ref().err(), expected.as_ref().err());
        if let (Ok(removal), Ok(freed)) = (result, expected) {
            let pages = &mut self.pmap.pages;
            let tables = before - pages.nfree();
            assert_eq!(self.plain.nfree, before - tables + freed, "free before the flush");
            assert_eq!(removal.flush(&mut self.pmap.machine).free(pages), freed);
        }
    }

    /// The last table on the way to `va` has an entry at `at`, and that one is for `va`.
    fn is_entry_of(&self, space: usize, va: u64, at: PhysAddr) {
        let census = Census::new(&self.pmap.machine, self.pgdir(space), va >= L::UENVS);
        let table = census.tables[&(1, va / page_size::<F>(1))];
        let index = va / PGSIZE % (1 << F::INDEX_BITS);
        assert_eq!(at, table + index * F::Word::BYTES, "the entry of {va:#x}");
    }

    fn page(place: Place, perm: Perm) -> (u64, Perm) {
        // Only what is the same in all address spaces is global.
        let global = if let Place::Mmio(_) = place { Perm::G } else { Perm::empty() };
        (place.va::<L, F>(), perm | global)
    }

    /// In the kernel's half no use is counted, so only held frames may be mapped there: those
    /// behind the pool.
    fn pool_offset(end: u64) -> u64 {
        if end <= L::LOWER_END { 0 } else { POOL }
    }

    /// The frame that libjos took must have been free.
    fn adopt(&mut self, pfn: u64) {
        let free = self.plain.pool.contains(&pfn) && !self.plain.table_frames.contains(&pfn);
        assert!(free && self.plain.in_use.insert(pfn, 0).is_none(), "{pfn:#x} was in use");
        self.plain.nfree -= 1;
    }

    /// All that is in a frame is as the model has it.
    fn compare_contents(&self, pfn: u64) {
        for pa in (pfn * PGSIZE..(pfn + 1) * PGSIZE).step_by(8) {
            let word: u64 = self.pmap.machine.load(PhysAddr::new(pa));
            assert_eq!(word, self.plain.memory.word(pa), "in memory at {pa:#x}");
        }
    }

    fn alloc(&mut self) {
        let frame = self.pmap.page_alloc(ALLOC_ZERO);
        assert_eq!(frame.is_some(), self.plain.nfree > 0);
        if let Some(frame) = frame {
            self.adopt_zeros(frame, 1);
        }
    }

    fn alloc_run(&mut self, order: u32) {
        let first = self.pmap.page_alloc_run(ALLOC_ZERO, order);
        assert_eq!(first.is_some(), self.plain.has_free_run(order), "a run of order {order}");
        if let Some(first) = first {
            self.adopt_zeros(first, 1 << order);
        }
    }

    /// libjos took `count` frames that are neighbours.
    fn adopt_zeros(&mut self, first: Frame, count: u64) {
        let first = self.pmap.pages.page2pa(first);
        assert!(first.is_aligned(count * PGSIZE), "a run at {first}");
        for pfn in (first.as_u64() / PGSIZE..).take(count as usize) {
            self.adopt(pfn);
            self.plain.memory.zero_frame(pfn);
            self.compare_contents(pfn);
        }
    }

    fn free_unused(&mut self) {
        let unused = self.plain.in_use.iter().filter(|(_, count)| **count == 0);
        let unused: Vec<u64> = unused.map(|(pfn, _)| *pfn).collect();
        for pfn in unused {
            let frame = self.frame(pfn);
            let expected = self.plain.page_free_run(pfn..pfn + 1);
            assert_eq!(self.pmap.pages.try_page_free(frame), expected);
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
                (self.plain.pool.start + Self::pool_offset(va + size) + n) * PGSIZE
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
        let (pgdir, va, pa) = (self.pgdir(space), VirtAddr::new(va), PhysAddr::new(pa));
        let sizes = if largest { Largest } else { Smallest };
        assert_eq!(self.pmap.map_range(pgdir, va, size, pa, perm, sizes), expected);
    }

    /// Everything that is mapped, every table and every frame is as the model says.
    fn compare(&mut self) {
        let machine = &self.pmap.machine;
        let half = |pgdir| Census::new(machine, pgdir, false);
        let [first, second] = self.pgdirs.map(|pgdir| pgdir.map(half).unwrap_or_default());
        let mut kernel = Census::new(machine, self.pmap.kern_pgdir(), true);
        kernel.leaves.retain(|va, _| Self::modelled(*va));
        let mut refs: BTreeMap<u64, u32> = self.held.iter().map(|pfn| (*pfn, 1)).collect();
        let pgdirs: Vec<u64> =
            self.pgdirs.iter().flatten().map(|pgdir| pgdir.as_u64() / PGSIZE).collect();
        refs.extend(pgdirs.iter().map(|pfn| (*pfn, 1)));
        // The kernel's half hangs from all directories.
        let kernel_links = 1 + pgdirs.len() as u32;
        self.plain.table_frames = pgdirs.into_iter().collect();
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
                let links = if i == KERNEL && level == F::LEVELS - 1 { kernel_links } else { 1 };
                assert_eq!(refs.insert(pfn, links), None, "table {pa} is in use elsewhere");
                self.plain.table_frames.insert(pfn);
            }
            // As the tables have it, page by page.
            for (va, (level, leaf)) in census.leaves {
                let first = leaf.pa.as_u64() / PGSIZE;
                for i in 0..page_size::<F>(level) / PGSIZE {
                    if va + i * PGSIZE < L::LOWER_END && self.plain.ram.contains(&(first + i)) {
                        *refs.entry(first + i).or_default() += 1;
                    }
                }
            }
        }
        self.compare_frames(&refs);
        for (pa, word) in self.plain.memory.written() {
            // What is in a frame that was freed is nobody's.
            let pfn = pa / PGSIZE;
            if !self.plain.ram.contains(&pfn) || self.plain.in_use.contains_key(&pfn) {
                let found: u64 = self.pmap.machine.load(PhysAddr::new(pa));
                assert_eq!(found, word, "in memory at {pa:#x}");
            }
        }
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
        for pfn in self.plain.pool.clone().filter(|pfn| self.plain.in_use.contains_key(pfn)) {
            self.compare_contents(pfn);
        }
        for space in 0..2 {
            if self.pgdirs[space].is_some() {
                self.apply(&Op::Switch { space });
                for half in [space, KERNEL] {
                    self.read_again(half);
                }
            }
        }
        let (pmap, mmio) = (&mut self.pmap, L::MMIOLIM - L::MMIOBASE);
        let kern_pgdir = pmap.kern_pgdir();
        let removal = pmap.unmap_range(kern_pgdir, VirtAddr::new(L::MMIOBASE), mmio).unwrap();
        assert_eq!(removal.flush(&mut pmap.machine).free(&mut pmap.pages), 0);
        assert_eq!(self.plain.unmap_range(0, L::MMIOBASE, mmio), Ok(0));
        self.compare();
        for space in 0..2 {
            if self.pgdirs[space].is_some() {
                self.apply(&Op::Uvmfree { space });
                self.compare();
            }
        }
        for va in (L::MMIOBASE..L::MMIOLIM).step_by(page_size::<F>(1) as usize) {
            self.pmap.prune(kern_pgdir, VirtAddr::new(va));
            self.plain.prune(KERNEL, va);
        }
        self.compare();
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
        let mmio = (L::MMIOBASE, L::MMIOLIM);
        let ranges = match half {
            KERNEL if L::HALVES => vec![mmio],
            KERNEL => vec![(L::UTOP, L::UPAGES), mmio],
            _ => vec![(0, L::LOWER_END)],
        };
        let pgdir = self.pgdir(self.loaded);
        let mut found = vec![];
        for (start, end) in ranges {
            let (first, last) = (VirtAddr::new(start), VirtAddr::new(end - 1));
            let leaves = leaves::<F, _>(&self.pmap.machine, pgdir, first, last);
            found.extend(leaves.map(|leaf| (leaf.va.as_u64(), leaf.size, leaf.pa, leaf.perm)));
        }
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
