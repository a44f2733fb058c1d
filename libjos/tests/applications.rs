//! Applications on the host: the logic of two of `kernel/examples` on a simulated machine, where it
//! must print what it prints in QEMU (`tools/grade/apptests.py`), and what their calls promise. Nothing here is unsafe,
//! so that Miri is spared it.
#![cfg(not(miri))]

#[path = "../../kernel/examples/pages/demo.rs"]
mod demo;
#[path = "../../kernel/examples/sieve/primes.rs"]
mod primes;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use layout::{Jos64, MB, MemLayout};
use libjos::app::area::area_addresses;
use libjos::mem::addr::VirtAddr;
use libjos::paging::error::MapError;
use libjos::prelude::*;
use libjos::println;
use libjos::sim::SimPlatform;

/// Runs what must succeed and keep no page.
fn run<T: libjos::app::process::Termination>(main: impl FnOnce() -> T) -> String {
    let run = SimPlatform::new().run(main);
    assert!(run.code.is_success(), "{run:?}");
    assert_eq!(run.pages_kept, 0, "{run:?}");
    run.output
}

#[test]
fn pages_prints_what_it_prints_in_the_machine() {
    let expected = "\
alias: 42 at the other address; same frame: true, pp_ref 2
alias: 42 when the first is gone, pp_ref 1
guard: byte 0 is 0
guard: byte 4096 faults, present: false
guard: byte 8192 is 0
protect: write faults, present: true; still \"kept\"
lazy: [9, 1000000, 1002001, 2621439897600001] with 3 of 100000 pages
snapshot: was [1, 2, 3, 4], is [1, 2, 33, 4], 1 page copied
sparse: 100 of 1073741824 pages, the sum of what they hold 4950
";
    assert_eq!(run(demo::main), expected);
}

#[test]
fn a_write_to_a_guard_page_is_a_panic_with_its_address() {
    let overrun = || SimPlatform::new().command_line("overrun").run(demo::main);
    let panic = catch_unwind(overrun).expect_err("the page is not there");
    let message = panic.downcast_ref::<String>().expect("it has values in it");
    assert!(message.starts_with("page fault: write to 0x400000001000"), "{message}");
}

#[test]
fn sieve_counts_primes_and_names_what_is_no_number() {
    let sieve = |words| SimPlatform::new().command_line(words).run(primes::main);
    assert_eq!(sieve("100").output, "25 primes up to 100\nthe last is 97, their sum 1060\n");
    assert_eq!(sieve("1").output, "0 primes up to 1\n");
    let run = sieve("many");
    assert_eq!(run.output, "Error: \"many\": invalid digit found in string\n");
    assert_eq!(run.code, ExitCode::FAILURE);
}

#[test]
fn areas_lie_apart_and_their_addresses_are_used_again() {
    run(|| {
        let (a, b, c) = (VmArea::reserve(3)?, VmArea::reserve(2)?, VmArea::reserve(1)?);
        assert_eq!(a.base().as_u64(), area_addresses::<Jos64>().start);
        assert_eq!((a.npages(), a.size()), (3, 3 * PGSIZE));
        // A page between two, which belongs to neither.
        assert_eq!(b.base() - a.base(), 4 * PGSIZE);
        assert_eq!(c.base() - b.base(), 3 * PGSIZE);
        let middle = b.base();
        drop(b);
        // Too large for the hole, and then one that fits.
        let (large, small) = (VmArea::reserve(3)?, VmArea::reserve(2)?);
        assert!(large.base() > c.base());
        assert_eq!(small.base(), middle);
        Ok::<_, VmError>(())
    });
}

#[test]
fn a_handler_that_the_application_leaks_gives_back_what_it_owns() {
    run(|| {
        let (leaked, owned) = (VmArea::reserve(1)?, VmArea::allocate(1)?);
        leaked.on_fault(move |_, _| owned.load(0) == 1);
        std::mem::forget(leaked);
        Ok::<_, VmError>(())
    });
}

#[test]
fn what_cannot_be_had_is_an_error_and_changes_nothing() {
    run(|| {
        let free = memory_use().free_pages;
        let asked = free + 1;
        assert_eq!(VmArea::allocate(asked).err(), Some(VmError::OutOfMemory { asked, free }));
        // Enough for the pages, but not for their tables.
        assert!(matches!(VmArea::allocate(free), Err(VmError::OutOfMemory { .. })));
        assert_eq!(memory_use().free_pages, free);
        let all = Jos64::USTACKTOP / PGSIZE;
        for asked in [usize::try_from(all).unwrap_or(usize::MAX), usize::MAX] {
            // On a host with 32 bits the addresses are enough for some areas, however large.
            let mut areas = vec![];
            let error = loop {
                match VmArea::reserve(asked) {
                    Ok(area) => areas.push(area),
                    Err(error) => break error,
                }
                assert!(areas.len() as u64 * (asked as u64) < all, "more than there are");
            };
            assert_eq!(error, VmError::OutOfAddresses { asked });
        }

        let area = VmArea::reserve(2)?;
        area.map(1..2, Access::Read)?;
        assert!(matches!(area.map(0..2, Access::Read), Err(VmError::Map(_))), "one is mapped");
        assert_eq!(area.translate(0), None);
        assert!(matches!(area.protect(0..2, Access::ReadWrite), Err(VmError::Map(_))), "a hole");
        assert_eq!(area.translate(1).map(|page| page.access), Some(Access::Read));
        assert!(matches!(area.alias(1, &area, 0, Access::Read), Err(VmError::Map(_))));
        let long = VmArea::reserve(5)?;
        long.map(4..5, Access::Read)?;
        assert!(matches!(long.map(0..5, Access::Read), Err(VmError::Map(_))), "its last is mapped");
        assert!(matches!(area.make_private(0), Err(VmError::Map(_))));
        Ok::<_, VmError>(())
    });
}

#[test]
fn areas_in_words() {
    assert_eq!([Access::Read, Access::ReadWrite].map(|access| access.to_string()), ["r-", "rw"]);
    let va = VirtAddr::new(0x5000);
    let errors = [
        VmError::OutOfMemory { asked: 3, free: 2 },
        VmError::OutOfAddresses { asked: 7 },
        VmError::Map(MapError::NotMapped { va }),
    ];
    assert_eq!(
        errors.map(|error| error.to_string()),
        [
            "out of memory: 3 pages asked for, 2 are free".into(),
            "out of addresses: 7 pages in a row asked for".into(),
            MapError::NotMapped { va }.to_string(),
        ]
    );
}

#[test]
fn accesses_outside_of_an_area_panic() {
    let outside = |access: fn(&VmArea)| {
        let main = move || VmArea::allocate(2).map(|area| access(&area));
        assert!(catch_unwind(|| SimPlatform::new().run(main)).is_err());
    };
    outside(|area| area.store(2 * PGSIZE - 7, 0));
    outside(|area| area.read(u64::MAX, &mut [0; 2]));
    outside(|area| assert_eq!(area.translate(2), None));
    outside(|area| assert_eq!(area.unmap(1..3), Ok(())));
    outside(|area| assert_eq!(area.alias(2, area, 0, Access::Read), Ok(())));
    outside(|area| assert!(area.make_private(2).is_err(), "and it must not return"));
    outside(|area| assert!(area.try_read(2 * PGSIZE).is_err()));
}

#[test]
fn a_handler_that_resolves_nothing_is_not_asked_again() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    run(|| {
        let area = VmArea::reserve(1)?;
        // It says that the access can be tried again, but it cannot.
        area.on_fault(|_, _| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            true
        });
        let fault = area.try_read(17).expect_err("nothing is mapped");
        assert_eq!((fault.va, fault.present, fault.write), (area.base() + 17, false, false));
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        // Mapped, but not for writing.
        area.on_fault(|area, fault| area.map(fault.page..fault.page + 1, Access::Read).is_ok());
        let fault = area.try_write(17, 1).expect_err("the page is read-only");
        assert!(fault.write && area.try_read(17) == Ok(0));
        Ok::<_, VmError>(())
    });
}

#[test]
fn a_fault_within_a_handler_is_not_handled_again() {
    run(|| {
        let area = VmArea::reserve(2)?;
        area.on_fault(|area, fault| {
            assert!(area.try_read(0).is_err() && area.try_read(PGSIZE).is_err());
            area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok()
        });
        assert_eq!(area.load(8), 0);
        Ok::<_, VmError>(())
    });
}

#[test]
fn handlers_may_own_areas_and_go_with_theirs() {
    run(|| {
        let (area, store) = (VmArea::reserve(4)?, VmArea::allocate(4)?);
        (0..4).for_each(|page| store.store(page * PGSIZE, page + 10));
        // Pages come out of the other area.
        area.on_fault(move |area, fault| {
            area.alias(fault.page, &store, fault.page, Access::Read).is_ok()
        });
        assert_eq!(area.load(3 * PGSIZE), 13);
        assert_eq!(area.translate(3).map(|page| page.pp_ref), Some(2));
        Ok::<_, VmError>(())
    });
}

#[test]
fn a_handler_that_owns_areas_may_put_another_in_its_place() {
    run(|| {
        let (area, store) = (VmArea::reserve(2)?, VmArea::allocate(1)?);
        area.on_fault(move |area, fault| {
            area.on_fault(|area, fault| {
                area.map(fault.page..fault.page + 1, Access::ReadWrite).is_ok()
            });
            area.alias(fault.page, &store, 0, Access::Read).is_ok()
        });
        assert_eq!(area.load(0), 0);
        // With the first handler its area went, so the frame has one use left.
        assert_eq!(area.translate(0).map(|page| page.pp_ref), Some(1));
        area.store(PGSIZE, 1);
        Ok::<_, VmError>(())
    });
}

#[test]
fn a_private_page_is_copied_only_where_it_is_shared() {
    run(|| {
        let (one, other) = (VmArea::allocate(1)?, VmArea::reserve(1)?);
        one.write(0, b"before and after");
        other.alias(0, &one, 0, Access::Read)?;
        one.protect(0..1, Access::Read)?;
        let frame = |area: &VmArea| area.translate(0).map(|page| page.pa);
        let shared = frame(&one);
        one.make_private(0)?;
        assert!(frame(&one) != shared && frame(&other) == shared);
        one.write(0, b"after!");
        let read = |area: &VmArea| {
            let mut bytes = [0; 16];
            area.read(0, &mut bytes);
            bytes
        };
        assert_eq!((&read(&one), &read(&other)), (b"after! and after", b"before and after"));
        // It is alone now, and stays where it is.
        other.make_private(0)?;
        assert_eq!(frame(&other), shared);
        other.write(0, b"mine");
        Ok::<_, VmError>(())
    });
}

#[test]
fn pages_that_are_kept_are_counted() {
    let run = SimPlatform::new().run(|| VmArea::allocate(3).map(std::mem::forget));
    assert!(run.pages_kept > 3, "three pages and their tables: {run:?}");
    // As `exit` drops nothing.
    let run = SimPlatform::new().run(|| {
        let _area = VmArea::allocate(1);
        println!("so far");
        if memory_use().free_pages > 0 {
            exit(9);
        }
    });
    assert_eq!((run.code, run.output.as_str()), (ExitCode::from(9), "so far\n"));
    assert!(run.pages_kept > 1);
}

#[test]
fn upages_agrees_with_the_allocator() {
    // `pages` ends within a page.
    let machine = SimPlatform::new().ram(8 * MB + PGSIZE);
    let run = machine.run(|| {
        let now = memory_use();
        let free = |index: &usize| tables::page_info(*index).is_some_and(|info| info.is_free());
        assert_eq!((0..now.total_pages).filter(free).count(), now.free_pages);
        assert!(tables::page_info(now.total_pages - 1).is_some());
        // The page that the array ends in is shown to its end.
        for beyond in [now.total_pages, now.total_pages + 1, usize::MAX / 8, usize::MAX] {
            assert_eq!(tables::page_info(beyond), None, "{beyond} of {}", now.total_pages);
        }
    });
    assert!(run.code.is_success(), "{run:?}");
}
