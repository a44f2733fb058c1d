//! The whole kernel, from `kernel_main` to the end of the machine, on the simulated PC.

use alloc::string::String;
use alloc::vec::Vec;

use libjos::app::process::ExitCode;
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages::{AllocFlags, PageAllocator};

use crate::arch::cpu;
use crate::arch::host::pc;
use crate::arch::host::process::{alone, each_alone};
use crate::clock;
use crate::pmap;
use crate::rig;

/// The lines up to the application's first on a PC with [`rig::RAM`].
const CHECKS: [&str; 7] = [
    "Physical memory: 7804K available, base = 636K, extended = 7168K",
    "check_page_free_list() succeeded!",
    "check_page_alloc() succeeded!",
    "check_page() succeeded!",
    "check_kern_pgdir() succeeded!",
    "check_page_free_list() succeeded!",
    "check_page_installed_pgdir() succeeded!",
];

#[test]
fn from_the_entry_to_the_end() {
    alone(|| {
        rig::boot("-- some words", || {
            let mut pmap = pmap::lock();
            assert_eq!(cpu::pgdir_in_use(), pmap.kern_root());
            let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
            assert!(pmap.pages().page2pa(page) < PhysAddr::new(0x80_0000));
            // The application begins at the top of the kernel stack, behind a return address.
            assert_eq!(cpu::stack_pointer().as_u64(), 0xFFFF_FFFF_EFFF_FFF8);
            assert!(cpu::is_protected());
            println!("Hello, {}", crate::cmdline::application());
            ExitCode::SUCCESS
        })
    })
    .assert_printed(33, &[&CHECKS[..], &["Hello, some words"]].concat());
}

/// Time runs from the kernel's first lines on.
#[test]
fn time_since_the_entry() {
    alone(|| {
        pc().processor.counter = 5_000;
        pc().processor.step = 10;
        rig::boot("", || {
            let (now, since_start) = clock::counts();
            println!("the clock started at {}", now - since_start);
            ExitCode::SUCCESS
        })
    })
    .assert_tail(33, &["the clock started at 5010"]);
}

/// The options, the application, the lines behind the checks, and the exit status.
type Case = (&'static str, fn() -> ExitCode, &'static [&'static str], i32);

/// Options change the lines behind the checks, and the exit status.
#[test]
fn options() {
    let cases: [Case; 8] = [
        ("", || ExitCode::SUCCESS, &[], 33),
        ("", || ExitCode::from(7), &["Exit code 7"], 35),
        ("leakcheck", || ExitCode::SUCCESS, &["leakcheck: every page went back"], 33),
        (
            "leakcheck",
            || ExitCode::from(1),
            &["Exit code 1", "leakcheck: every page went back"],
            35,
        ),
        ("leakcheck", leak_one, &[LEAKED_ONE], 35),
        ("leakcheck", leak_two, &[LEAKED_TWO], 35),
        ("", leak_two, &[], 33),
        ("pages=poison", || ExitCode::SUCCESS, &["pages=poison: filling 1678 free pages"], 33),
    ];
    let ended = each_alone(&cases, |(options, application, _, _)| rig::boot(options, *application));
    for (ended, (_, _, lines, status)) in ended.iter().zip(cases) {
        ended.assert_printed(status, &[&CHECKS[..], lines].concat());
    }
}

const LEAKED_ONE: &str = "leakcheck: 1 page did not go back; 0 bytes of the heap are in use";
const LEAKED_TWO: &str = "leakcheck: 2 pages did not go back; 0 bytes of the heap are in use";

fn leak_one() -> ExitCode {
    pmap::lock().page_alloc(AllocFlags::empty()).expect("a free page");
    ExitCode::SUCCESS
}

fn leak_two() -> ExitCode {
    leak_one();
    leak_one()
}

#[test]
fn a_limit() {
    let limited = alone(|| rig::boot("mem=5M", || ExitCode::SUCCESS));
    let mut lines: Vec<String> = CHECKS.map(String::from).into();
    lines.insert(1, String::from("Unused: 3072K of RAM, all that lies above 5120K"));
    limited.assert_printed(33, &lines.iter().map(|line| &line[..]).collect::<Vec<_>>());
}

/// Boot information that cannot be used ends in a panic.
#[test]
fn no_start() {
    let cases = [
        (
            0x1234_5678,
            rig::START_INFO,
            "the entry code passed on a loader that it does not know (0x12345678)",
        ),
        (
            0x36D7_6289,
            0x10_0000,
            "JOS64 cannot start: the boot information at 0x100000 (8 bytes) lies in memory that the kernel",
        ),
        (0x336E_C578, 0x5000, "JOS64 cannot start: the boot information at 0x5000"),
    ];
    let ended = each_alone(&cases, |(magic, info, _)| {
        rig::kernel_panics();
        crate::kernel_main(*magic, *info)
    });
    for (ended, (_, _, message)) in ended.iter().zip(cases) {
        let start = "kernel panic at kernel/src/boot_info.rs:";
        assert!(ended.printed.starts_with(start), "{}", ended.printed);
        assert!(ended.printed.contains(message), "{}", ended.printed);
        assert_eq!(ended.status, 35);
    }
}
