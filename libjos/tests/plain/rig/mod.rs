//! A simulated machine and the model side by side: each operation is done to both, and both must
//! agree on its result and on everything after it.
//!
//! Here each operation is done; those on address spaces and their users' memory in `uvm`. `touch` has the
//! processor use the addresses concerned, and `compare` holds the two against each other.

mod compare;
mod touch;
mod uvm;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use layout::{MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry};
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageInfo};
use libjos::paging::directory::Pgdir;
use libjos::paging::format::{Format, Perm};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};
use libjos::space::AddressSpace;

use super::census::Census;
use super::memory::Memory;
use super::ops::{Op, Place, Span, Step, Target};
use super::{Plain, Space, page_size};

/// Frames that come and go.
const POOL: u64 = 22;

/// The frames of the pool that are free at the start: few, so that they run out. Two are page directories.
const FREE: u64 = POOL - 2;

/// The address spaces, which go with their machine if they are not given up before.
type Spaces = [Option<ManuallyDrop<AddressSpace>>; 2];

/// The two of them.
pub(crate) struct Rig<L: MemLayout, F: Format + Mmu> {
    pmap: Pmap<SimMachine<L, F>>,
    plain: Plain<L, F>,
    /// The address spaces, where there are any.
    spaces: Spaces,
    /// The user memory's sizes, as `sbrk` has them.
    sizes: [u64; 2],
    /// Which of the address spaces is in use, or [`KERNEL`](super::KERNEL).
    loaded: usize,
    /// Frames that the test holds by one use each, so that they are never free.
    held: BTreeSet<u64>,
    /// The frames that are never allocated, and their `pp_ref`.
    reserved: BTreeMap<u64, PageInfo>,
    /// The next value to write.
    stamp: u64,
}

/// The address space with this number, which must exist.
fn space_of(spaces: &mut Spaces, space: usize) -> &mut AddressSpace {
    spaces[space].as_mut().expect("an address space")
}

/// Its page directory.
fn pgdir_of(spaces: &mut Spaces, space: usize) -> &mut Pgdir {
    space_of(spaces, space).pgdir_mut()
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
        boot.memory = MemoryMap::new::<L>(entries.into_iter(), None);
        let mut pmap = mem_init(machine, boot);
        pmap.machine_mut().move_to_kernel_stack();
        // The first address space makes tables for the kernel's half.
        AddressSpace::uvmcreate(&mut pmap).unwrap().uvmfree(&mut pmap);

        // All but a pool of neighbours is held.
        let mut frames: Vec<Frame> =
            std::iter::from_fn(|| pmap.page_alloc(AllocFlags::empty())).collect();
        frames.sort();
        let held = frames.split_off(POOL as usize);
        frames.iter().for_each(|frame| pmap.pages_mut().page_free(*frame));
        for frame in &held {
            pmap.pages_mut().page_incref(*frame).unwrap();
            pmap.machine().zero_frame(pmap.pages().page2pa(*frame));
        }
        let first = L::PHYS_BASE / PGSIZE;
        let pfn = |frame: &Frame| first + frame.index() as u64;
        let pool = pfn(&frames[0])..pfn(&frames[0]) + POOL;
        assert_eq!(pfn(&frames[POOL as usize - 1]), pool.end - 1, "not neighbours");
        let held: BTreeSet<u64> = held.iter().map(pfn).collect();
        assert!(
            (0..large / PGSIZE + 1).all(|i| held.contains(&((L::PHYS_BASE + large) / PGSIZE + i)))
        );
        let mut new = || ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
        let mut spaces = [new(), new()];
        spaces[0].switchuvm(&mut pmap);

        if !large_pages {
            pmap.machine_mut().processor.leaf_levels = 1;
        }
        let kernel = Census::new(pmap.machine(), pmap.kern_root(), true);
        let kernel = Space { leaves: BTreeMap::new(), tables: kernel.tables.into_keys().collect() };
        let reserved = (first..).zip(pmap.pages().infos());
        let reserved = reserved.filter(|(_, info)| info.pp_link == PageInfo::RESERVED);
        let plain = Plain {
            spaces: [Space::default(), Space::default(), kernel],
            memory: Memory::default(),
            in_use: held.iter().map(|pfn| (*pfn, 1)).collect(),
            table_frames: spaces
                .iter()
                .map(|space| space.pgdir().address().as_u64() / PGSIZE)
                .collect(),
            pool,
            ram: first..first + pmap.pages().npages() as u64,
            nfree: FREE as usize,
            leaf_levels: pmap.machine().processor.leaf_levels,
            types: PhantomData,
        };
        let reserved = reserved.collect();
        let spaces = spaces.map(Some);
        Self { pmap, plain, spaces, sizes: [0; 2], loaded: 0, held, reserved, stamp: 1 }
    }

    /// The root of an address space, which must exist.
    fn root(&self, space: usize) -> PhysAddr {
        self.spaces[space].as_ref().expect("an address space").pgdir().address()
    }

    fn frame(&self, pfn: u64) -> Frame {
        self.pmap.pages().pa2page(PhysAddr::new(pfn * PGSIZE)).expect("a frame")
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

    /// Does `op` to both and compares the results. An operation with too little memory is left out.
    fn apply(&mut self, op: &Op) {
        if !op.spaces().into_iter().all(|space| self.make_space(space)) {
            return;
        }
        let Self { pmap, plain, spaces, .. } = self;
        let before = pmap.pages().nfree();
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
                assert_eq!(self.pmap.pages_mut().try_page_free(frame), expected);
            }
            Op::Insert { space, place, frame, perm } => {
                let (va, perm) = Self::page(place, perm);
                let pfn = plain.pool.start + Self::pool_offset(va + PGSIZE) + frame;
                if plain.table_frames.contains(&pfn) {
                    return;
                }
                let expected = plain.page_insert(space, pfn, va, perm);
                let frame = pmap.pages().pa2page(PhysAddr::new(pfn * PGSIZE)).expect("a frame");
                let result =
                    pmap.page_insert(pgdir_of(spaces, space), frame, VirtAddr::new(va + 8), perm);
                assert_eq!(result, expected);
            }
            Op::Remove { space, place } => {
                let va = place.va::<L, F>() + 8;
                let result = pmap.page_remove(pgdir_of(spaces, space), VirtAddr::new(va));
                assert_eq!(result, plain.page_remove(space, va));
            }
            Op::Map { space, span, target, perm, largest } => {
                self.map(space, span, target, perm, largest);
            }
            Op::Unmap { space, span } => {
                let (va, size) = span.range::<L, F>();
                let result = pmap.unmap_range(pgdir_of(spaces, space), VirtAddr::new(va), size);
                let expected = plain.unmap_range(space, va, size);
                let result = result.map(|mut unmapping| {
                    let nfree = unmapping.meanwhile(|vm| vm.pages().nfree());
                    let freed = unmapping.finish();
                    // Frames that no processor sees are free at once, others after the flush.
                    let early = if self.loaded == space { 0 } else { freed };
                    assert!(nfree <= before + early, "free before the flush");
                    freed
                });
                self.unmapped(before, result, expected);
            }
            Op::Protect { space, span, perm } => {
                let (va, size) = span.range::<L, F>();
                let (_, perm) = Self::page(span.place, perm);
                let result =
                    pmap.protect_range(pgdir_of(spaces, space), VirtAddr::new(va), size, perm);
                let expected = plain.protect_range(space, va, size, perm);
                assert_eq!(result, expected);
            }
            Op::Merge { space, place, level } => {
                let va = place.va::<L, F>();
                // The directory of one address space alone would change.
                if va >= L::UENVS && level == F::LEVELS - 1 {
                    return;
                }
                let result = pmap.merge(pgdir_of(spaces, space), VirtAddr::new(va), level);
                assert_eq!(result, plain.merge(space, va, level));
            }
            Op::Prune { space, place } => {
                let va = place.va::<L, F>();
                if va < L::LOWER_END {
                    pmap.prune(pgdir_of(spaces, space), VirtAddr::new(va));
                    plain.prune(space, va);
                }
            }
            Op::CowFault { space, place } => {
                let va = place.va::<L, F>();
                let result = space_of(spaces, space).cow_fault(pmap, VirtAddr::new(va));
                let expected = plain.cow_fault(space, va);
                assert_eq!(result.err(), expected.as_ref().err().copied());
                self.adopt_pages(space, expected.into_iter().flatten());
            }
            Op::Switch { space } => {
                space_of(spaces, space).switchuvm(pmap);
                self.loaded = space;
            }
            Op::Walk { space, place, create } => {
                let va = place.va::<L, F>() + 8;
                if Plain::<L, F>::is_uvpt(va) && !create {
                    return;
                }
                let result = pmap.pgdir_walk(pgdir_of(spaces, space), VirtAddr::new(va), create);
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
                assert_eq!(self.pmap.pages_mut().try_page_free_run(frame, order), expected);
            }
            _ => self.apply_to_users(op),
        }
    }

    /// Compares the result of unmapping pages with the model's, which says how many frames are free by it.
    /// `before` were free before it.
    fn unmapped<E: PartialEq + Debug>(
        &mut self,
        before: usize,
        result: Result<usize, E>,
        expected: Result<usize, E>,
    ) {
        assert_eq!(result, expected);
        if let Ok(freed) = expected {
            let tables = before + freed - self.pmap.pages().nfree();
            assert_eq!(self.plain.nfree, before - tables + freed);
        }
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
        let first = self.pmap.pages().page2pa(first);
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
            assert_eq!(self.pmap.pages_mut().try_page_free(frame), expected);
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
        let (va, pa) = (VirtAddr::new(va), PhysAddr::new(pa));
        let sizes = if largest { Largest } else { Smallest };
        let pgdir = pgdir_of(&mut self.spaces, space);
        assert_eq!(self.pmap.map_range(pgdir, va, size, pa, perm, sizes), expected);
    }
}
