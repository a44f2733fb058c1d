//! The `x86_64` crate's `OffsetPageTable` as a second opinion on four levels: it must translate
//! what libjos maps as libjos does, and libjos must read the tables that it makes.

// The crate has page tables on hosts of 64 bits alone.
#![cfg(target_pointer_width = "64")]

mod cases;

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;

use layout::{GB, Jos64, MB, MemLayout, PGSIZE};
use libjos::machine::{CpuSet, Machine};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Entry, Perm};
use libjos::paging::mappings::{leaves, steps};
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::space::AddressSpace;
use proptest::prelude::*;
use x86_64::structures::paging::mapper::{MapToError, MappedFrame, TranslateResult};
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PageSize, PageTableFlags, PhysFrame, Size1GiB,
    Size2MiB, Size4KiB, Translate,
};

type Sim = Pmap<SimMachine<Jos64, X86_64>>;

/// The sizes of pages.
const SIZES: [u64; 3] = [PGSIZE, 2 * MB, GB];

fn booted() -> Sim {
    let (machine, boot) = SimMachine::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap
}

/// Lets the other crate work on the tables of `pgdir`.
fn with_oracle<T>(
    pmap: &mut Sim,
    pgdir: PhysAddr,
    work: impl FnOnce(&mut OffsetPageTable<'_>) -> T,
) -> T {
    // RAM begins at physical address 0 and is one block, so where that lies on the host is the
    // offset of everything in it.
    let ram = pmap.machine().memory().host_address(PhysAddr::new(0)).as_ptr();
    let offset = ram.expose_provenance() as u64;
    let root = std::ptr::with_exposed_provenance_mut((offset + pgdir.as_u64()) as usize);
    // SAFETY: `root` is a frame of the machine's RAM, so it is aligned, valid for reads and
    // writes, and initialized, and as a table may hold any value. libjos links only tables that
    // lie in RAM, which is mapped at `offset` as a whole. `pmap` is borrowed mutably until the
    // oracle is gone, and `work` does not have it, so no other access happens meanwhile.
    let mut oracle = unsafe { OffsetPageTable::new(&mut *root, x86_64::VirtAddr::new(offset)) };
    work(&mut oracle)
}

/// The flags by which the other crate shows a page that libjos maps with `perm`.
fn flags(perm: Perm, size: u64) -> PageTableFlags {
    let mut flags = PageTableFlags::PRESENT;
    flags.set(PageTableFlags::WRITABLE, perm.contains(Perm::W));
    flags.set(PageTableFlags::USER_ACCESSIBLE, perm.contains(Perm::U));
    flags.set(PageTableFlags::NO_EXECUTE, !perm.contains(Perm::X));
    flags.set(PageTableFlags::GLOBAL, perm.contains(Perm::G));
    flags.set(PageTableFlags::BIT_52, perm.contains(Perm::COW));
    flags.set(PageTableFlags::HUGE_PAGE, size > PGSIZE);
    flags
}

/// A page that the other crate found: its address, its size, and what its entry says.
type Found = (u64, u64, PageTableFlags);

fn translate(oracle: &OffsetPageTable<'_>, va: VirtAddr) -> Option<Found> {
    match oracle.translate(x86_64::VirtAddr::new(va.as_u64())) {
        TranslateResult::Mapped { frame, offset, flags } => {
            let size = match frame {
                MappedFrame::Size4KiB(_) => PGSIZE,
                MappedFrame::Size2MiB(_) => 2 * MB,
                MappedFrame::Size1GiB(_) => GB,
            };
            Some((frame.start_address().as_u64() + offset, size, flags))
        }
        TranslateResult::NotMapped => None,
        TranslateResult::InvalidFrameAddress(pa) => panic!("{va} leads to {pa:?}"),
    }
}

/// The page at `va` as libjos's own walk finds it.
fn translate_here(pmap: &Sim, pgdir: PhysAddr, va: VirtAddr) -> Option<Found> {
    let step = steps::<X86_64, _>(pmap.machine(), pgdir, va).last()?;
    let Entry::Leaf(leaf) = step.entry else { return None };
    let size = SIZES[step.level as usize];
    let mut flags = flags(leaf.perm, size);
    flags.set(PageTableFlags::ACCESSED, leaf.accessed);
    flags.set(PageTableFlags::DIRTY, leaf.dirty);
    Some((leaf.pa.as_u64() + va.as_u64() % size, size, flags))
}

/// All that both could see differently.
fn assert_same_view(pmap: &mut Sim, space: &AddressSpace) {
    let pgdir = space.pgdir().address();
    let (bottom, top) = (VirtAddr::new(0), VirtAddr::new(u64::MAX));
    let mapped: Vec<_> = leaves::<X86_64, _>(pmap.machine(), pgdir, bottom, top).collect();
    let mut addresses =
        vec![bottom, VirtAddr::new(Jos64::LOWER_END - 1), VirtAddr::new(Jos64::UPPER_START)];
    for leaf in &mapped {
        let (first, last) = (leaf.va.as_u64(), leaf.last().as_u64());
        let around = [first.wrapping_sub(1), first, first + leaf.size / 2 + 5, last];
        addresses.extend(around.map(VirtAddr::new));
        let after = last.wrapping_add(1);
        if after != Jos64::LOWER_END {
            addresses.push(VirtAddr::new(after));
        }
    }
    addresses.retain(|va| va.as_u64() != Jos64::UPPER_START - 1);
    let here: Vec<_> = addresses.iter().map(|va| translate_here(pmap, pgdir, *va)).collect();
    let there: Vec<_> = with_oracle(pmap, pgdir, |oracle| {
        addresses.iter().map(|va| translate(oracle, *va)).collect()
    });
    for ((va, here), there) in addresses.iter().zip(here).zip(there) {
        assert_eq!(here, there, "{va}");
        assert_eq!(
            pmap.va2pa(space.pgdir(), *va).map(PhysAddr::as_u64),
            there.map(|(pa, ..)| pa),
            "{va}"
        );
    }
    // The listed pages are the pages that are there.
    let listed =
        mapped.iter().map(|leaf| (leaf.pa.as_u64(), leaf.size, flags(leaf.perm, leaf.size)));
    let marks = PageTableFlags::ACCESSED | PageTableFlags::DIRTY;
    let there: Vec<_> = with_oracle(pmap, pgdir, |oracle| {
        mapped.iter().filter_map(|leaf| translate(oracle, leaf.va)).collect()
    });
    assert!(listed.eq(there.into_iter().map(|(pa, size, flags)| (pa, size, flags - marks))));
}

fn perm() -> impl Strategy<Value = Perm> {
    let others = [Perm::W, Perm::X, Perm::U, Perm::G, Perm::COW];
    prop::collection::vec(any::<bool>(), others.len()).prop_map(move |wanted| {
        let chosen = others.into_iter().zip(wanted).filter(|(_, wanted)| *wanted);
        chosen.fold(Perm::R, |perm, (other, _)| perm | other)
    })
}

/// A large region that begins on a page of any size, near the start or the end of user memory.
fn region() -> impl Strategy<Value = u64> {
    let base = prop_oneof![
        Just(0),
        Just(GB),
        Just(511 * GB),
        Just(512 * GB),
        Just(Jos64::LOWER_END - 4 * GB)
    ];
    (base, 0_u64..3, 0_u64..3, 0_u64..4)
        .prop_map(|(base, giga, mega, pages)| base + giga * GB + mega * 2 * MB + pages * PGSIZE)
}

fn size() -> impl Strategy<Value = u64> {
    (0_u64..2, 0_u64..3, 0_u64..4)
        .prop_map(|(giga, mega, pages)| giga * GB + mega * 2 * MB + pages * PGSIZE)
}

proptest! {
    #![proptest_config(cases::config(24))]

    /// Some of the operations fail; the rest leaves tables worth looking at.
    #[test]
    fn libjos_maps_and_x86_64_reads(
        maps in prop::collection::vec((region(), size(), perm(), any::<bool>(), 0_u64..3), 1..8),
        changes in prop::collection::vec((region(), size(), prop::option::of(perm())), 0..6),
        touched in prop::collection::vec(region(), 0..4),
    ) {
        let mut pmap = booted();
        let mut space = ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
        space.switchuvm(&mut pmap);
        for (va, size, perm, is_ram, skew) in maps {
            if is_ram {
                let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
                if pmap.page_insert(space.pgdir_mut(), frame, VirtAddr::new(va), perm - Perm::G).is_err() {
                    pmap.pages_mut().page_free(frame);
                }
            } else {
                // By large pages where the addresses agree.
                let pa = PhysAddr::new(8 * GB + va % GB + skew / 2 * PGSIZE);
                let sizes = if size < 4 * MB { Smallest } else { Largest };
                let _ = pmap.map_range(space.pgdir_mut(), VirtAddr::new(va), size, pa, perm - Perm::G, sizes);
            }
        }
        for va in touched {
            // Sets A and D in RAM; a device has no memory here.
            let va = VirtAddr::new(va);
            if pmap.va2pa(space.pgdir(), va).is_some_and(|pa| pa.as_u64() < 5 * MB) {
                let _ = pmap.machine_mut().probe_store(va, 7);
            }
        }
        for (va, size, perm) in changes {
            let va = VirtAddr::new(va);
            match perm {
                Some(perm) => drop(pmap.protect_range(space.pgdir_mut(), va, size, perm - Perm::G)),
                None => drop(pmap.unmap_range(space.pgdir_mut(), va, size)),
            }
        }
        assert_same_view(&mut pmap, &space);
    }

    #[test]
    fn x86_64_maps_and_libjos_reads(
        maps in prop::collection::vec((region(), 0_usize..3, 0_u64..8, perm()), 1..16),
    ) {
        let mut pmap = booted();
        let space = ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
        let pgdir = space.pgdir().address();
        let tables = (0..64).map(|_| {
            let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
            pmap.pages().page2pa(frame)
        });
        let mut tables = Tables(tables.collect());
        let mut expected = BTreeMap::<u64, (u64, u64, Perm)>::new();
        with_oracle(&mut pmap, pgdir, |oracle| {
            for (va, level, frame, perm) in maps {
                let size = SIZES[level];
                let (va, pa) = (va / size * size, 8 * GB + frame * size);
                let flags = flags(perm, PGSIZE);
                // In a large page `map_to` fails, but gives that page the permissions first.
                let above = expected.range(..=va).next_back();
                if above.is_some_and(|(start, (_, size, _))| va - start < *size) {
                    continue;
                }
                let mapped = match level {
                    0 => map::<Size4KiB>(oracle, va, pa, flags, &mut tables),
                    1 => map::<Size2MiB>(oracle, va, pa, flags, &mut tables),
                    _ => map::<Size1GiB>(oracle, va, pa, flags, &mut tables),
                };
                if mapped {
                    expected.insert(va, (pa, size, perm));
                }
            }
        });
        let last = VirtAddr::new(Jos64::LOWER_END - 1);
        let found = leaves::<X86_64, _>(pmap.machine(), pgdir, VirtAddr::new(0), last);
        let found = found.map(|leaf| (leaf.va.as_u64(), (leaf.pa.as_u64(), leaf.size, leaf.perm)));
        prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
        assert_same_view(&mut pmap, &space);
    }
}

/// Frames for the other crate's tables.
struct Tables(Vec<PhysAddr>);

// SAFETY: each frame came from `page_alloc` and is given away once, so nothing else uses it.
unsafe impl FrameAllocator<Size4KiB> for Tables {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        let pa = x86_64::PhysAddr::new(self.0.pop()?.as_u64());
        Some(PhysFrame::containing_address(pa))
    }
}

/// Maps one page; `false` where another is in the way.
fn map<S: PageSize + std::fmt::Debug>(
    oracle: &mut OffsetPageTable<'_>,
    va: u64,
    pa: u64,
    flags: PageTableFlags,
    tables: &mut Tables,
) -> bool
where
    for<'a> OffsetPageTable<'a>: Mapper<S>,
{
    let page = Page::<S>::containing_address(x86_64::VirtAddr::new(va));
    let frame = PhysFrame::containing_address(x86_64::PhysAddr::new(pa));
    // SAFETY: the simulated machine alone walks these tables, so no mapping in them can break
    // memory of the host.
    match unsafe { oracle.map_to(page, frame, flags, tables) } {
        Ok(flush) => {
            flush.ignore();
            true
        }
        Err(MapToError::PageAlreadyMapped(_) | MapToError::ParentEntryHugePage) => false,
        Err(error) => panic!("{va:#x}: {error:?}"),
    }
}

#[test]
fn tables_that_withhold_permissions_are_read_alike() {
    let mut pmap = booted();
    let mut space = ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
    let pgdir = space.pgdir().address();
    space.switchuvm(&mut pmap);
    let va = VirtAddr::new(GB);
    let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
    pmap.page_insert(space.pgdir_mut(), frame, va, Perm::URW | Perm::X).unwrap();
    let page = Page::<Size4KiB>::containing_address(x86_64::VirtAddr::new(va.as_u64()));
    let seen = |pmap: &Sim| leaves::<X86_64, _>(pmap.machine(), pgdir, va, va).next().unwrap().perm;
    let restrict = |pmap: &mut Sim, flags: PageTableFlags| {
        with_oracle(pmap, pgdir, |oracle| {
            // SAFETY: as in `map`.
            unsafe { oracle.set_flags_p2_entry(page, PageTableFlags::PRESENT | flags) }
                .unwrap()
                .ignore();
        });
        pmap.machine_mut().flush_tlb(CpuSet::ALL);
    };
    assert_eq!(pmap.machine_mut().user_store(va, 1), Ok(()));
    restrict(&mut pmap, PageTableFlags::USER_ACCESSIBLE);
    assert_eq!(seen(&pmap), Perm::UR | Perm::X);
    assert!(pmap.machine_mut().user_store(va, 1).is_err());
    restrict(&mut pmap, PageTableFlags::WRITABLE | PageTableFlags::NO_EXECUTE);
    assert_eq!(seen(&pmap), Perm::KRW);
    assert!(pmap.machine_mut().user_load(va).is_err());
    assert_eq!(pmap.machine_mut().probe_store(va, 2), Ok(()));
}
