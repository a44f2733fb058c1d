//! Range operations on every format: large pages used, split and merged; errors that change
//! nothing; frames freed only after the flush.

mod layouts;

use layout::{Jos32, Jos64, JosSv39, MB, MemLayout, PGSIZE};
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageError};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::{Mapping, leaves, runs, steps};
use libjos::paging::pgdir::MapError;
use libjos::paging::range::PageSizes::{Largest, Smallest};
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};

use layouts::{Jos57, JosSv48};

type Sim<L, F> = Pmap<SimMachine<L, F>>;

fn booted<L: MemLayout, F: Format + Mmu>() -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(if cfg!(miri) { 5 * MB } else { 32 * MB });
    let mut pmap = mem_init(machine, boot);
    pmap.machine.move_to_kernel_stack();
    pmap
}

/// All that is mapped below UTOP, page by page.
fn user_leaves<L: MemLayout, F: Format + Mmu>(pmap: &Sim<L, F>) -> Vec<Mapping> {
    let last = VirtAddr::new(L::UTOP - 1);
    leaves::<F, _>(&pmap.machine, pmap.kern_pgdir(), VirtAddr::new(0), last).collect()
}

/// What must not change when an operation fails.
fn state<L: MemLayout, F: Format + Mmu>(pmap: &Sim<L, F>) -> (Vec<Mapping>, usize, Vec<u32>) {
    let refs = pmap.pages.infos().map(|info| info.pp_ref()).collect();
    (user_leaves(pmap), pmap.pages.nfree(), refs)
}

/// Device memory behind the window, which `pages` does not describe, aligned to the largest page.
fn device<L: MemLayout>() -> PhysAddr {
    PhysAddr::new(L::PHYS_BASE + 1024 * MB)
}

/// Runs `$name` for every format.
macro_rules! on_every_format {
    ($($name:ident)*) => { $(mod $name {
        use super::*;
        #[test]
        fn jos64() { super::$name::<Jos64, X86_64>(); }
        #[test]
        #[cfg_attr(miri, ignore = "the same unsafe code, half a minute more")]
        fn jos32() { super::$name::<Jos32, I386>(); }
        #[test]
        #[cfg_attr(miri, ignore = "the same unsafe code, half a minute more")]
        fn jossv39() { super::$name::<JosSv39, Sv39>(); }
        #[test]
        #[cfg_attr(miri, ignore = "as four levels")]
        fn five_levels() { super::$name::<Jos57, La57>(); }
        #[test]
        #[cfg_attr(miri, ignore = "as Sv39")]
        fn sv48() { super::$name::<JosSv48, Sv48>(); }
    })* };
}

on_every_format! {
    the_largest_pages_that_fit
    a_part_of_a_large_page_changes
    pieces_merge_again
    a_failed_split_changes_nothing
    a_failed_map_changes_nothing
    a_map_takes_as_many_free_pages_as_it_needs_tables
    protection_keeps_marks_and_finds_holes
    a_page_that_is_mapped_again_keeps_its_marks
    a_free_page_is_mapped_nowhere
    frames_wait_for_the_flush
    pages_of_ram_are_counted_one_by_one
    a_large_page_up_to_the_end_of_the_lower_half
    bad_ranges_are_refused
    uvpt_changes_with_what_it_shows_alone
    tables_below_others_are_counted_before
    the_first_frame_does_not_follow_the_last
}

// All of RAM is written to, which takes Miri long and is not unsafe.
#[cfg(not(miri))]
on_every_format! { new_tables_map_what_they_should_and_nothing_else }

fn the_largest_pages_that_fit<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let nfree = pmap.pages.nfree();
    // One small page, two large ones, one small page.
    let va = VirtAddr::new(4 * large - PGSIZE);
    let (pa, size) = (device::<L>() + (large - PGSIZE), 2 * large + 2 * PGSIZE);
    pmap.map_range(pgdir, va, size, pa, Perm::URW, Largest).unwrap();
    let sizes: Vec<u64> = user_leaves(&pmap).iter().map(|leaf| leaf.size).collect();
    assert_eq!(sizes, [PGSIZE, large, large, PGSIZE]);
    let whole: Vec<Mapping> =
        runs::<F, _>(&pmap.machine, pgdir, VirtAddr::new(0), VirtAddr::new(L::UTOP - 1)).collect();
    let perm = F::effective(Perm::URW);
    assert_eq!(whole, [Mapping { va, pa, size, perm, smallest: PGSIZE, largest: large }]);
    pmap.unmap_range(pgdir, va, size).unwrap();
    for piece in [va, va + (size - PGSIZE)] {
        pmap.prune(pgdir, piece);
    }
    assert!(user_leaves(&pmap).is_empty());
    assert_eq!(pmap.pages.nfree(), nfree);

    // Only small ones when asked, or when the processor has no others.
    pmap.map_range(pgdir, VirtAddr::new(0), large, pa + PGSIZE, Perm::UR, Smallest).unwrap();
    pmap.machine.leaf_levels = 1;
    let va = VirtAddr::new(large);
    pmap.map_range(pgdir, va, large, pa + PGSIZE, Perm::UR, Largest).unwrap();
    assert!(user_leaves(&pmap).iter().all(|leaf| leaf.size == PGSIZE));
}

fn a_part_of_a_large_page_changes<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    pmap.map_range(pgdir, va, 2 * large, pa, Perm::URW, Largest).unwrap();
    let hole = va + (large - PGSIZE);
    pmap.unmap_range(pgdir, hole, 2 * PGSIZE).unwrap();
    let left: Vec<_> =
        runs::<F, _>(&pmap.machine, pgdir, VirtAddr::new(0), VirtAddr::new(L::UTOP - 1))
            .map(|run| (run.va, run.pa, run.size))
            .collect();
    let size = large - PGSIZE;
    assert_eq!(left, [(va, pa, size), (hole + 2 * PGSIZE, pa + large + PGSIZE, size)]);
}

fn pieces_merge_again<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    pmap.map_range(pgdir, va, large, pa, Perm::URW, Largest).unwrap();
    let before = state(&pmap);
    let page = va + 3 * PGSIZE;
    pmap.protect_range(pgdir, page, PGSIZE, Perm::UR).unwrap();
    let failed = MapError::NotUniform { va };
    assert_eq!(pmap.merge(pgdir, va, 1).unwrap_err(), failed);
    assert_eq!(
        pmap.merge(pgdir, VirtAddr::new(0), 1).unwrap_err(),
        MapError::NotUniform { va: VirtAddr::new(0) }
    );
    pmap.protect_range(pgdir, page, PGSIZE, Perm::URW).unwrap();
    // Nor do pages make one of a size that there is not.
    for level in [0, F::LEVELS, F::LEVELS + 1, 6, 7, 31, 32, 64, u32::MAX] {
        let failed = MapError::NotUniform { va: page };
        assert_eq!(pmap.merge(pgdir, page, level).unwrap_err(), failed, "level {level}");
    }
    pmap.merge(pgdir, page, 1).unwrap();
    assert_eq!(state(&pmap), before, "the table is free again");
}

fn a_failed_split_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let (va, pa) = (VirtAddr::new(large), device::<L>());
    pmap.map_range(pgdir, va, 2 * large, pa, Perm::URW, Largest).unwrap();
    let mut taken = take_all(&mut pmap);
    // Each end takes a table. With none and with one free page nothing happens.
    let (start, size) = (va + PGSIZE, 2 * large - 2 * PGSIZE);
    for _ in 0..2 {
        let before = state(&pmap);
        let error = MapError::NoMemory { va: start };
        assert_eq!(pmap.unmap_range(pgdir, start, size).unwrap_err(), error);
        assert_eq!(pmap.protect_range(pgdir, start, size, Perm::UR).unwrap_err(), error);
        assert_eq!(state(&pmap), before);
        pmap.pages.page_free(taken.pop().expect("a page"));
    }
    pmap.unmap_range(pgdir, start, size).unwrap();
    assert_eq!(user_leaves(&pmap).len(), 2);
    assert_eq!(pmap.pages.nfree(), 0);
}

fn a_failed_map_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    // Three tables of the last level, and what is above them, of which none exists.
    let (va, size) = (VirtAddr::new(large - PGSIZE), large + 2 * PGSIZE);
    let mut taken = take_all(&mut pmap);
    let error = MapError::NoMemory { va };
    let mut needed = 0;
    loop {
        let before = state(&pmap);
        match pmap.map_range(pgdir, va, size, device::<L>(), Perm::URW, Smallest) {
            Ok(()) => break,
            Err(found) => assert_eq!(found, error),
        }
        assert_eq!(state(&pmap), before);
        pmap.pages.page_free(taken.pop().expect("a page"));
        needed += 1;
    }
    assert_eq!((needed, pmap.pages.nfree()), (3 + F::LEVELS as usize - 2, 0));

    // What is mapped already is left alone, whatever its size; so is all before it.
    pmap.unmap_range(pgdir, VirtAddr::new(large), large).unwrap();
    pmap.prune(pgdir, VirtAddr::new(large));
    let pa = device::<L>();
    pmap.map_range(pgdir, VirtAddr::new(large), large, pa, Perm::URW, Largest).unwrap();
    let before = state(&pmap);
    let mapped = VirtAddr::new(large - PGSIZE);
    let error = pmap.map_range(
        pgdir,
        VirtAddr::new(large - 3 * PGSIZE),
        4 * PGSIZE,
        device::<L>(),
        Perm::UR,
        Largest,
    );
    assert_eq!(error, Err(MapError::AlreadyMapped { va: mapped }));
    // A large page is called so, whether one of its size was to be mapped or a small one.
    for (offset, size, sizes) in [
        (0, large, Largest),
        (0, 2 * large, Largest),
        (0, large, Smallest),
        (0, PGSIZE, Largest),
        (3 * PGSIZE, large, Largest),
    ] {
        let va = VirtAddr::new(large + offset);
        let error = MapError::LargePage { va, size: large };
        assert_eq!(pmap.map_range(pgdir, va, size, pa, Perm::UR, sizes), Err(error));
    }
    assert_eq!(state(&pmap), before);
}

fn a_map_takes_as_many_free_pages_as_it_needs_tables<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, pa) = (pmap.kern_pgdir(), device::<L>());
    let mut taken = take_all(&mut pmap);
    let levels = F::LEVELS.min(if cfg!(miri) { 2 } else { 3 });
    for level in 1..levels {
        let large = F::page_size(level);
        // With pages of this level: none, at a beginning, at both ends, between two boundaries.
        for (start, size, shift) in [
            (large - PGSIZE, 2 * PGSIZE, 0),
            (large, large + PGSIZE, 0),
            (large - PGSIZE, 2 * large + 2 * PGSIZE, 0),
            (large + PGSIZE, large - 2 * PGSIZE, 0),
            (large - PGSIZE, 2 * large, PGSIZE),
        ] {
            let va = VirtAddr::new(start);
            let pa = pa + (start % large + shift);
            let mut freed = 0;
            while let Err(error) = pmap.map_range(pgdir, va, size, pa, Perm::URW, Largest) {
                assert_eq!((error, pmap.pages.nfree()), (MapError::NoMemory { va }, freed));
                pmap.pages.page_free(taken.pop().expect("a page"));
                freed += 1;
            }
            assert_eq!(pmap.pages.nfree(), 0, "level {level}: {size:#x} bytes at {va}");
            pmap.unmap_range(pgdir, va, size).unwrap();
            for at in (start..start + size)
                .step_by(F::page_size(1) as usize)
                .chain([start + size - PGSIZE])
            {
                pmap.prune(pgdir, VirtAddr::new(at));
            }
            assert_eq!(pmap.pages.nfree(), freed, "the tables are free again");
            taken.extend(take_all(&mut pmap));
        }
    }
}

fn protection_keeps_marks_and_finds_holes<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    let va = VirtAddr::new(large);
    let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
    pmap.page_insert(pgdir, frame, va, Perm::KRW).unwrap();
    pmap.machine.probe_store(va, 7).unwrap();
    pmap.protect_range(pgdir, va, PGSIZE, Perm::KR).unwrap();
    let step = steps::<F, _>(&pmap.machine, pgdir, va).last().unwrap();
    let libjos::paging::format::Entry::Leaf(leaf) = step.entry else { panic!("{step:?}") };
    assert!(leaf.accessed && leaf.dirty, "{leaf:?}");
    assert_eq!(pmap.machine.probe_load(va), Ok(7));
    assert!(pmap.machine.probe_store(va, 8).is_err(), "a stale TLB lets the write through");

    let refused = |pmap: &mut Sim<L, F>, va, size, hole| {
        let before = state(pmap);
        let error = pmap.protect_range(pgdir, va, size, Perm::KRW).unwrap_err();
        assert_eq!(error, MapError::NotMapped { va: hole });
        assert_eq!(state(pmap), before);
    };
    refused(&mut pmap, va, 2 * PGSIZE, va + PGSIZE);
    let below = VirtAddr::new(large - PGSIZE);
    refused(&mut pmap, below, 2 * PGSIZE, below);
    // A hole between two pages, and one behind a large page that the range begins in.
    pmap.map_range(pgdir, va + 2 * PGSIZE, PGSIZE, device::<L>(), Perm::KR, Smallest).unwrap();
    refused(&mut pmap, va, 3 * PGSIZE, va + PGSIZE);
    let next = va + large;
    pmap.map_range(pgdir, next, large, device::<L>(), Perm::KR, Largest).unwrap();
    refused(&mut pmap, next + PGSIZE, large, next + large);
    // No pages are all mapped, wherever.
    let before = state(&pmap);
    for va in [va + PGSIZE, next + PGSIZE] {
        pmap.protect_range(pgdir, va, 0, Perm::KRW).unwrap();
    }
    assert_eq!(state(&pmap), before);
}

/// The same frame with other permissions; another frame is one that nobody has used.
fn a_page_that_is_mapped_again_keeps_its_marks<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UTEXT));
    let frames = [(); 2].map(|()| pmap.page_alloc(ALLOC_ZERO).unwrap());
    let leaf =
        |pmap: &Sim<L, F>| match steps::<F, _>(&pmap.machine, pgdir, va).last().unwrap().entry {
            libjos::paging::format::Entry::Leaf(leaf) => leaf,
            entry => panic!("{entry:?}"),
        };
    pmap.page_insert(pgdir, frames[0], va, Perm::KRW).unwrap();
    pmap.machine.probe_store(va, 7).unwrap();
    pmap.page_insert(pgdir, frames[0], va, Perm::KR).unwrap();
    let again = leaf(&pmap);
    assert_eq!((again.perm, again.accessed, again.dirty), (F::effective(Perm::KR), true, true));
    pmap.page_insert(pgdir, frames[1], va, Perm::KR).unwrap();
    let fresh = F::decode(0, F::leaf(0, pmap.pages.page2pa(frames[1]), Perm::KR));
    assert_eq!(libjos::paging::format::Entry::Leaf(leaf(&pmap)), fresh);
}

/// Above UTOP too, where nothing is counted.
fn a_free_page_is_mapped_nowhere<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, frame) = (pmap.kern_pgdir(), pmap.pages.page_free_list().next().unwrap());
    let error = PageError::Free { pa: pmap.pages.page2pa(frame) };
    let before = state(&pmap);
    for va in [0, L::MMIOBASE].map(VirtAddr::new) {
        assert_eq!(pmap.page_insert(pgdir, frame, va, Perm::KR), Err(MapError::Page(error)));
        assert_eq!(pmap.va2pa(pgdir, va), None);
    }
    assert_eq!(state(&pmap), before);
}

fn frames_wait_for_the_flush<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.kern_pgdir();
    // More pages than are flushed one by one.
    let count = 40;
    let at = |i: u64| VirtAddr::new(0x10_0000 + i * PGSIZE);
    for i in 0..count {
        let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
        pmap.page_insert(pgdir, frame, at(i), Perm::KRW).unwrap();
        pmap.machine.probe_store(at(i), i).unwrap();
    }
    let nfree = pmap.pages.nfree();
    for (first, n) in [(0, 3), (3, count - 3)] {
        let mut unmapping = pmap.unmap_range(pgdir, at(first), n * PGSIZE).unwrap();
        unmapping.meanwhile(|pmap| {
            assert_eq!(pmap.pages.nfree(), nfree + first as usize, "not free before the flush");
            assert_eq!(pmap.va2pa(pgdir, at(first)), None);
            // The processor still has the translation: this is why.
            assert_eq!(pmap.machine.probe_load(at(first)), Ok(first));
        });
        assert_eq!(unmapping.finish(), n as usize);
        assert!(pmap.machine.probe_load(at(first)).is_err());
        assert_eq!(pmap.pages.nfree(), nfree + (first + n) as usize);
    }
    pmap.prune(pgdir, at(0));
    pmap.check_page_free_list();
}

fn pages_of_ram_are_counted_one_by_one<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.kern_pgdir();
    // Four neighbours, from among a few.
    let mut frames: Vec<Frame> =
        (0..64).map(|_| pmap.page_alloc(AllocFlags::empty()).unwrap()).collect();
    frames.sort();
    let neighbours = |w: &&[Frame]| w[0].index() + 3 == w[3].index();
    let frames = frames.windows(4).find(neighbours).expect("four neighbours").to_vec();
    let pa = pmap.pages.page2pa(frames[0]);
    let va = VirtAddr::new(0x10_0000);
    pmap.map_range(pgdir, va, 4 * PGSIZE, pa, Perm::UR, Largest).unwrap();
    pmap.page_insert(pgdir, frames[2], va + 8 * PGSIZE, Perm::UR).unwrap();
    let refs = |pmap: &Sim<L, F>| frames.iter().map(|f| pmap.pages.pp_ref(*f)).collect::<Vec<_>>();
    assert_eq!(refs(&pmap), [1, 1, 2, 1]);
    assert_eq!(pmap.unmap_range(pgdir, va, 4 * PGSIZE).unwrap().finish(), 3);
    assert_eq!(refs(&pmap), [0, 0, 1, 0]);

    // A free page among them: none is counted.
    let before = state(&pmap);
    let error = pmap.map_range(pgdir, va, 4 * PGSIZE, pa, Perm::UR, Largest).unwrap_err();
    assert_eq!(error, MapError::Page(PageError::Free { pa }));
    assert_eq!(state(&pmap), before);
}

fn a_large_page_up_to_the_end_of_the_lower_half<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    // RAM that stays in use whatever happens here: the kernel's, around 1 MB.
    let (va, pa) = (VirtAddr::new(L::LOWER_END - large), PhysAddr::new(L::PHYS_BASE));
    let before = state(&pmap);
    let mapped = pmap.map_range(pgdir, va, large, pa, Perm::UR, Largest);
    // Some of it is free, and free pages cannot be mapped: nothing may have changed.
    assert!(matches!(mapped, Err(MapError::Page(_))), "{mapped:?}");
    assert_eq!(state(&pmap), before);
    let taken = take_all(&mut pmap);
    let before = state(&pmap);
    for frame in taken.iter().rev().take(F::LEVELS as usize) {
        pmap.pages.page_free(*frame);
    }
    pmap.map_range(pgdir, va, large, pa, Perm::UR, Largest).unwrap();
    pmap.unmap_range(pgdir, va, large).unwrap();
    pmap.prune(pgdir, va);
    take_all(&mut pmap);
    assert_eq!(state(&pmap), before);
}

fn bad_ranges_are_refused<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.kern_pgdir();
    let before = state(&pmap);
    let mut refused = |va: u64, size: u64, error: fn(VirtAddr) -> MapError| {
        let va = VirtAddr::new(va);
        let error = error(va);
        let pa = device::<L>();
        assert_eq!(pmap.map_range(pgdir, va, size, pa, Perm::UR, Largest), Err(error));
        assert_eq!(pmap.unmap_range(pgdir, va, size).unwrap_err(), error);
        assert_eq!(pmap.protect_range(pgdir, va, size, Perm::UR).unwrap_err(), error);
    };
    refused(1, PGSIZE, |va| MapError::Misaligned { va });
    refused(0, 5, |va| MapError::Misaligned { va });
    if L::HALVES {
        let past_lower = |_| MapError::PastEnd { last: VirtAddr::new(L::LOWER_END - 1) };
        refused(L::LOWER_END - PGSIZE, 2 * PGSIZE, past_lower);
        refused(L::LOWER_END, PGSIZE, |va| MapError::NonCanonical { va });
        // Both ends are addresses, the middle is not.
        let size = (L::UPPER_START - L::LOWER_END) + 2 * PGSIZE;
        refused(L::LOWER_END - PGSIZE, size, past_lower);
    } else {
        refused(L::VA_LAST + 1, PGSIZE, |va| MapError::NonCanonical { va });
    }
    let past_end = |_| MapError::PastEnd { last: VirtAddr::new(L::VA_LAST) };
    refused(L::VA_LAST - (PGSIZE - 1), 2 * PGSIZE, past_end);
    refused(L::VA_LAST - (PGSIZE - 1), 0_u64.wrapping_sub(PGSIZE), past_end);
    let pa = PhysAddr::new(F::PA_END - PGSIZE);
    let va = VirtAddr::new(0);
    let beyond = |pa| Err(MapError::BeyondPhysical { pa });
    for (pa, size) in
        [(pa, 2 * PGSIZE), (pa + PGSIZE, PGSIZE), (PhysAddr::new(u64::MAX - (PGSIZE - 1)), PGSIZE)]
    {
        assert_eq!(pmap.map_range(pgdir, va, size, pa, Perm::UR, Largest), beyond(pa));
    }
    let misaligned = pmap.map_range(pgdir, va, PGSIZE, pa + 8, Perm::UR, Largest);
    assert_eq!(misaligned, Err(MapError::MisalignedPa { pa: pa + 8 }));
    assert_eq!(state(&pmap), before);
}

/// There a mapping would be an entry of a table, and its count nobody's.
fn uvpt_changes_with_what_it_shows_alone<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.uvmcreate().unwrap();
    pmap.uvmalloc(pgdir, 0, PGSIZE, Perm::W).unwrap();
    let (frame, user) = (pmap.page_alloc(ALLOC_ZERO).unwrap(), pmap.va2pa(pgdir, VirtAddr::new(0)));
    let pa = pmap.pages.page2pa(frame);
    let (uvpt, below) = (VirtAddr::new(L::UVPT), VirtAddr::new(L::UVPT - PGSIZE));
    let before = state(&pmap);
    for va in [uvpt, uvpt + 2 * PGSIZE, VirtAddr::new(L::ULIM - PGSIZE)] {
        for pgdir in [pgdir, pmap.kern_pgdir()] {
            let error = MapError::Uvpt { va };
            assert_eq!(pmap.page_insert(pgdir, frame, va, Perm::UR), Err(error));
            assert_eq!(pmap.page_remove(pgdir, va), Err(error));
            assert_eq!(pmap.pgdir_walk(pgdir, va, true), Err(error));
            for level in 0..F::LEVELS {
                assert_eq!(pmap.merge(pgdir, va, level).unwrap_err(), error);
            }
            pmap.prune(pgdir, va);
        }
    }
    // With a part of UVPT in the range, the error names where it begins.
    for (va, size, first) in [
        (uvpt, PGSIZE, uvpt),
        (below, 2 * PGSIZE, uvpt),
        (below, L::PTSIZE + 2 * PGSIZE, uvpt),
        (uvpt + (L::PTSIZE - PGSIZE), 2 * PGSIZE, uvpt + (L::PTSIZE - PGSIZE)),
    ] {
        let error = MapError::Uvpt { va: first };
        assert_eq!(pmap.map_range(pgdir, va, size, pa, Perm::UR, Largest), Err(error));
        assert_eq!(pmap.unmap_range(pgdir, va, size).unwrap_err(), error);
        assert_eq!(pmap.protect_range(pgdir, va, size, Perm::UR).unwrap_err(), error);
    }
    for va in [below, uvpt + L::PTSIZE] {
        pmap.unmap_range(pgdir, va, PGSIZE).unwrap();
    }
    assert_eq!(state(&pmap), before);
    assert_eq!(pmap.va2pa(pgdir, VirtAddr::new(0)), user);
    pmap.pages.page_free(frame);
    pmap.uvmfree(pgdir);
    pmap.check_page_free_list();
}

/// The tables that a range needs below one that is there: with one too few, nothing is mapped.
fn tables_below_others_are_counted_before<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, va, pa) = (pmap.kern_pgdir(), VirtAddr::new(L::UTEXT), device::<L>());
    pmap.map_range(pgdir, va, PGSIZE, pa, Perm::UR, Smallest).unwrap();
    let far = va + F::page_size(F::ROOT - 1);
    let mut taken = take_all(&mut pmap);
    for _ in 1..F::ROOT {
        let before = state(&pmap);
        let mapped = pmap.map_range(pgdir, far, PGSIZE, pa, Perm::UR, Smallest);
        assert!(matches!(mapped, Err(MapError::NoMemory { .. })), "{mapped:?}");
        assert_eq!(state(&pmap), before);
        pmap.pages.page_free(taken.pop().unwrap());
    }
    pmap.map_range(pgdir, far, PGSIZE, pa, Perm::UR, Smallest).unwrap();
}

/// Whatever was in the frames that become tables, and however much of a table is used.
#[cfg(not(miri))]
fn new_tables_map_what_they_should_and_nothing_else<L: MemLayout, F: Format + Mmu>() {
    use libjos::machine::PhysMem;
    let mut pmap = booted::<L, F>();
    let (pgdir, large) = (pmap.kern_pgdir(), F::page_size(1));
    // All free pages look like tables full of entries.
    let frames: Vec<Frame> = take_all(&mut pmap);
    for frame in frames.iter().rev() {
        let pa = pmap.pages.page2pa(*frame);
        for offset in (0..PGSIZE).step_by(8) {
            pmap.machine.store(pa + offset, 0x0000_1067_0000_1067_u64);
        }
        pmap.pages.page_free(*frame);
    }
    // What the second table from below maps, where there is one that is not the root.
    let next = if F::LEVELS > 2 { F::page_size(2) } else { 8 * large };
    for (start, size, sizes) in [
        // Wholly by large pages, by tables, by large pages between small ones.
        (next, next, Largest),
        (next, 4 * large, Smallest),
        (next + 3 * large - PGSIZE, 2 * large + 2 * PGSIZE, Largest),
        // From the first entry on, up to the last, over the boundary of two tables.
        (next, 2 * large, Largest),
        (2 * next - 2 * large, 2 * large, Largest),
        (2 * next - large, 2 * large, Largest),
        (2 * next - PGSIZE, 2 * PGSIZE, Smallest),
    ] {
        let (va, pa) = (VirtAddr::new(start), device::<L>() + start % large);
        pmap.map_range(pgdir, va, size, pa, Perm::URW, sizes).unwrap();
        let runs = runs::<F, _>(&pmap.machine, pgdir, VirtAddr::new(0), VirtAddr::new(L::UTOP - 1));
        let found: Vec<_> = runs.map(|run| (run.va, run.pa, run.size)).collect();
        assert_eq!(found, [(va, pa, size)]);
        pmap.unmap_range(pgdir, va, size).unwrap();
        for at in (start..start + size).step_by(large as usize).chain([start + size - PGSIZE]) {
            pmap.prune(pgdir, VirtAddr::new(at));
        }
        assert_eq!(pmap.pages.nfree(), frames.len(), "the tables are free again");
    }
}

/// What `pages` describes begins in the middle of a run of small pages, or of one large page.
#[test]
#[cfg_attr(miri, ignore = "nothing here is unsafe")]
fn a_run_that_begins_below_ram_is_released_as_it_was_counted() {
    begins_below_ram::<JosSv39, Sv39>(JosSv39::PHYS_BASE - PGSIZE, 2 * PGSIZE);
    begins_below_ram::<JosSv48, Sv48>(JosSv48::PHYS_BASE - 40 * PGSIZE, 41 * PGSIZE);
    // It ends behind what `pages` describes, too.
    begins_below_ram::<JosSv48, Sv48>(0, Sv48::page_size(Sv48::ROOT));
}

/// Maps and unmaps `size` bytes from `pa` on.
fn begins_below_ram<L: MemLayout, F: Format + Mmu>(pa: u64, size: u64) {
    let mut pmap = booted::<L, F>();
    let (pgdir, va, pa) = (pmap.uvmcreate().unwrap(), VirtAddr::new(size), PhysAddr::new(pa));
    if F::page_size(F::ROOT) == size {
        // Free pages cannot be mapped, and no table is needed.
        for frame in take_all(&mut pmap) {
            pmap.pages.page_incref(frame).unwrap();
        }
    }
    let refs = |pmap: &Sim<L, F>| state(pmap).2;
    let before = refs(&pmap);
    pmap.map_range(pgdir, va, size, pa, Perm::UR, Largest).unwrap();
    let inside = (pa + size - PhysAddr::new(L::PHYS_BASE)) / PGSIZE;
    let mapped = refs(&pmap);
    for (i, (before, mapped)) in before.iter().zip(&mapped).enumerate().take(inside as usize) {
        assert_eq!(*mapped, before + 1, "page {i} of RAM");
    }
    assert_eq!(pmap.unmap_range(pgdir, va, size).unwrap().finish(), 0);
    pmap.prune(pgdir, va);
    assert_eq!(refs(&pmap), before);
}

/// Though on i386 the one's entry and a page more make the other's.
fn the_first_frame_does_not_follow_the_last<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::UTEXT));
    let before = state(&pmap);
    for (va, pa) in [(va, F::PA_END - PGSIZE), (va + PGSIZE, 0)] {
        pmap.map_range(pgdir, va, PGSIZE, PhysAddr::new(pa), Perm::UR, Smallest).unwrap();
    }
    assert_eq!(pmap.unmap_range(pgdir, va, 2 * PGSIZE).unwrap().finish(), 0);
    pmap.prune(pgdir, va);
    assert_eq!(state(&pmap), before);
}

/// Takes all free pages.
fn take_all<M: Machine>(pmap: &mut Pmap<M>) -> Vec<Frame> {
    std::iter::from_fn(|| pmap.page_alloc(AllocFlags::empty())).collect()
}
