//! Ranges mapped: the tables that takes, counted before; errors that change nothing.

use super::*;

on_every_format! {
    a_failed_map_changes_nothing
    a_map_takes_as_many_free_pages_as_it_needs_tables
    a_free_page_is_mapped_nowhere
    bad_ranges_are_refused
    tables_below_others_are_counted_before
}

on_every_format! { new_tables_map_what_they_should_and_nothing_else }

fn a_failed_map_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    // Three tables of the last level, and what is above them, of which none exists.
    let (va, size) = (VirtAddr::new(large - PGSIZE), large + 2 * PGSIZE);
    let mut taken = take_all(vm);
    let error = MapError::NoMemory { va };
    let mut needed = 0;
    loop {
        let before = state(vm);
        match vm.map_range(pgdir, va, size, device::<L>(), Perm::URW, Smallest) {
            Ok(()) => break,
            Err(found) => assert_eq!(found, error),
        }
        assert_eq!(state(vm), before);
        vm.pages_mut().page_free(taken.pop().expect("a page"));
        needed += 1;
    }
    assert_eq!((needed, vm.pages().nfree()), (3 + F::LEVELS as usize - 2, 0));

    // A page that is mapped already is left alone, whatever its size; so is all before it.
    vm.unmap_range(pgdir, VirtAddr::new(large), large).unwrap();
    vm.prune(pgdir, VirtAddr::new(large));
    let pa = device::<L>();
    vm.map_range(pgdir, VirtAddr::new(large), large, pa, Perm::URW, Largest).unwrap();
    let before = state(vm);
    let mapped = VirtAddr::new(large - PGSIZE);
    let error = vm.map_range(
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
        let error = MapError::large_page(va, large);
        assert_eq!(vm.map_range(pgdir, va, size, pa, Perm::UR, sizes), Err(error));
    }
    assert_eq!(state(vm), before);
}

fn a_map_takes_as_many_free_pages_as_it_needs_tables<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let pa = device::<L>();
    let (vm, pgdir) = pmap.split();
    let mut taken = take_all(vm);
    let levels = F::LEVELS.min(3);
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
            while let Err(error) = vm.map_range(pgdir, va, size, pa, Perm::URW, Largest) {
                assert_eq!((error, vm.pages().nfree()), (MapError::NoMemory { va }, freed));
                vm.pages_mut().page_free(taken.pop().expect("a page"));
                freed += 1;
            }
            assert_eq!(vm.pages().nfree(), 0, "level {level}: {size:#x} bytes at {va}");
            vm.unmap_range(pgdir, va, size).unwrap();
            for at in (start..start + size)
                .step_by(F::page_size(1) as usize)
                .chain([start + size - PGSIZE])
            {
                vm.prune(pgdir, VirtAddr::new(at));
            }
            assert_eq!(vm.pages().nfree(), freed, "the tables are free again");
            taken.extend(take_all(vm));
        }
    }
}

/// Above UTOP too, where nothing is counted.
fn a_free_page_is_mapped_nowhere<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let frame = pmap.pages().page_free_list().next().unwrap();
    let (vm, pgdir) = pmap.split();
    let error = MapError::FreePage { pa: vm.pages().page2pa(frame) };
    let before = state(vm);
    for va in [0, L::MMIOBASE].map(VirtAddr::new) {
        assert_eq!(vm.page_insert(pgdir, frame, va, Perm::KR), Err(error));
        assert_eq!(vm.va2pa(pgdir, va), None);
    }
    assert_eq!(state(vm), before);
}

fn bad_ranges_are_refused<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (vm, pgdir) = pmap.split();
    let before = state(vm);
    let mut refused = |va: u64, size: u64, error: fn(VirtAddr) -> MapError| {
        let va = VirtAddr::new(va);
        let error = error(va);
        let pa = device::<L>();
        assert_eq!(vm.map_range(pgdir, va, size, pa, Perm::UR, Largest), Err(error));
        assert_eq!(vm.unmap_range(pgdir, va, size).unwrap_err(), error);
        assert_eq!(vm.protect_range(pgdir, va, size, Perm::UR).unwrap_err(), error);
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
        assert_eq!(vm.map_range(pgdir, va, size, pa, Perm::UR, Largest), beyond(pa));
    }
    let misaligned = vm.map_range(pgdir, va, PGSIZE, pa + 8, Perm::UR, Largest);
    assert_eq!(misaligned, Err(MapError::MisalignedPa { pa: pa + 8 }));
    assert_eq!(state(vm), before);
}

/// The tables that a range needs below one that is there: with one too few, nothing is mapped.
fn tables_below_others_are_counted_before<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let (va, pa) = (VirtAddr::new(L::UTEXT), device::<L>());
    let (vm, pgdir) = pmap.split();
    vm.map_range(pgdir, va, PGSIZE, pa, Perm::UR, Smallest).unwrap();
    let far = va + F::page_size(F::ROOT - 1);
    let mut taken = take_all(vm);
    for _ in 1..F::ROOT {
        let before = state(vm);
        let mapped = vm.map_range(pgdir, far, PGSIZE, pa, Perm::UR, Smallest);
        assert!(matches!(mapped, Err(MapError::NoMemory { .. })), "{mapped:?}");
        assert_eq!(state(vm), before);
        vm.pages_mut().page_free(taken.pop().unwrap());
    }
    vm.map_range(pgdir, far, PGSIZE, pa, Perm::UR, Smallest).unwrap();
}

/// Whatever was in the frames that become tables, and however much of a table is used.
fn new_tables_map_what_they_should_and_nothing_else<L: MemLayout, F: Format + Mmu>() {
    use libjos::machine::PhysMem;
    let mut pmap = booted::<L, F>();
    let large = F::page_size(1);
    let (vm, pgdir) = pmap.split();
    // All free pages look like tables full of entries.
    let frames: Vec<Frame> = take_all(vm);
    for frame in frames.iter().rev() {
        let pa = vm.pages().page2pa(*frame);
        for offset in (0..PGSIZE).step_by(8) {
            vm.machine().store(pa + offset, 0x0000_1067_0000_1067_u64);
        }
        vm.pages_mut().page_free(*frame);
    }
    // The span of the second table from below, if there is one that is not the root.
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
        vm.map_range(pgdir, va, size, pa, Perm::URW, sizes).unwrap();
        let runs = runs::<F, _>(
            vm.machine(),
            pgdir.address(),
            VirtAddr::new(0),
            VirtAddr::new(L::UTOP - 1),
        );
        let found: Vec<_> = runs.map(|run| (run.va, run.pa, run.size)).collect();
        assert_eq!(found, [(va, pa, size)]);
        vm.unmap_range(pgdir, va, size).unwrap();
        for at in (start..start + size).step_by(large as usize).chain([start + size - PGSIZE]) {
            vm.prune(pgdir, VirtAddr::new(at));
        }
        assert_eq!(vm.pages().nfree(), frames.len(), "the tables are free again");
    }
}
