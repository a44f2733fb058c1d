//! The whole of `mem_init`, with every check, on each map and each format, over simulated memory.

use layout::{GB, Jos32, Jos64, JosSv39, KB, MB, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::kaddr::kaddr;
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::mem::reservations::Reservations;
use libjos::paging::format::Format;
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::paging::vmprint::vmprint_folded;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};

use crate::layouts::{Jos57, JosSv48};

const CHECKS: &str = "\
check_page_free_list() succeeded!
check_page_alloc() succeeded!
check_page() succeeded!
check_kern_pgdir() succeeded!
check_page_free_list() succeeded!
check_page_installed_pgdir() succeeded!
";

fn boot<L: MemLayout, F: Format + Mmu>(ram: u64) -> Pmap<SimMachine<L, F>> {
    let (machine, boot) = SimMachine::new(ram);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap.checks().check_page_installed_pgdir();
    pmap
}

/// Sizes of RAM to try. Under Miri the smallest alone: it is a thousand times slower.
fn sizes() -> &'static [u64] {
    if cfg!(miri) {
        &[5 * MB]
    } else {
        &[5 * MB, 8 * MB, 16 * MB, 127 * MB, 256 * MB, 1024 * MB, 5 * GB]
    }
}

fn runs_whole<L: MemLayout, F: Format + Mmu>() {
    for &ram in sizes() {
        let pmap = boot::<L, F>(ram);
        let (first, checks) = pmap.machine().log.split_once('\n').expect("lines were printed");
        assert!(first.starts_with("Physical memory: "), "{first}");
        let checks = match checks.split_once("Unused: ") {
            Some((_, rest)) => rest.split_once('\n').expect("a line").1,
            None => checks,
        };
        assert_eq!(checks, CHECKS, "{} with {} MB", L::NAME, ram / MB);
    }
}

#[test]
fn jos64() {
    runs_whole::<Jos64, X86_64>();
}

#[test]
fn jos32() {
    runs_whole::<Jos32, I386>();
}

#[test]
fn jossv39() {
    runs_whole::<JosSv39, Sv39>();
}

#[test]
#[cfg_attr(miri, ignore = "as four levels")]
fn five_levels() {
    runs_whole::<Jos57, La57>();
}

#[test]
#[cfg_attr(miri, ignore = "as Sv39")]
fn sv48() {
    runs_whole::<JosSv48, Sv48>();
}

/// The room of `boot_alloc` sets a limit to the RAM in use: `pages` must lie in the window.
#[test]
#[cfg_attr(miri, ignore = "too much RAM")]
fn all_of_64_gb_is_used_and_what_pages_has_no_room_for_is_said() {
    let pmap = boot::<Jos64, X86_64>(64 * GB);
    let ram = 64 * GB;
    let free = pmap.pages().nfree() as u64 * PGSIZE;
    assert!(free > ram - 140 * MB && free < ram - 130 * MB, "{} MB are free", free / MB);
    assert!(!pmap.machine().log.contains("Unused"), "{}", pmap.machine().log);
    let last = PhysAddr::new(65 * GB - PGSIZE);
    assert!(pmap.pages().pa2page(last).is_some());
    let seen = kaddr::<Jos64>(last, PGSIZE).expect("PHYSMAP shows it");
    assert_eq!(pmap.va2pa(pmap.kern_pgdir(), seen), Some(last));

    let pmap = boot::<Jos64, X86_64>(200 * GB);
    assert!(pmap.machine().log.contains("\nUnused: "), "{}", pmap.machine().log);
    assert!(pmap.boot_memory().pages.size() < Jos64::WINDOW_SIZE);
}

/// Or a check would look at each page of it.
#[test]
#[cfg_attr(miri, ignore = "minutes, for no unsafe code that jos64 does not run")]
fn a_reservation_far_beyond_all_ram_does_no_harm() {
    let (machine, mut info) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let range = PhysRange::from_size(PhysAddr::new(6 * MB), u64::MAX / 2);
    let reserved = info.reserved.runs().to_vec().into_iter().chain([range]);
    info.reserved = Reservations::new(reserved, &info.memory);
    let pmap = mem_init(machine, info);
    assert!(pmap.machine().log.ends_with("check_page_free_list() succeeded!\n"));
    assert!(
        pmap.pages().pa2page(range.start).is_some_and(|frame| !pmap.pages().info(frame).is_free())
    );
}

#[test]
#[cfg_attr(miri, ignore = "64 K entries that are checked one by one")]
fn a_processor_without_large_pages_will_do() {
    let (mut machine, info) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    machine.processor.leaf_levels = 1;
    let pmap = mem_init(machine, info);
    let text = vmprint_folded::<X86_64, _>(pmap.machine(), pmap.kern_root()).to_string();
    assert!(text.contains("of 4 KB pages") && !text.contains("2 MB pages"), "{text}");
}

#[test]
fn pages_of_a_finished_system() {
    let mut pmap = boot::<Jos64, X86_64>(5 * MB);
    // The table of runs follows `pages`.
    let (pages, runs) = (pmap.boot_memory().pages, pmap.boot_memory().runs);
    assert!(!runs.is_empty() && runs.start >= pages.end_exclusive, "{pages} {runs}");
    let run = pmap.page_alloc_run(AllocFlags::empty(), 4).expect("sixteen pages");
    let pa = pmap.pages().page2pa(run);
    assert!(pa.is_aligned(16 * PGSIZE), "{pa}");
}

/// 636 KB below the hole, 3 MB above it.
#[test]
#[should_panic(
    expected = "too little RAM: 3708 KB within the 256 MB from 0x0 on, at least 4096 KB"
)]
fn a_machine_of_4_mb_is_too_small() {
    let _ = boot::<Jos64, X86_64>(4 * MB);
}

/// 388 KB more in place of the hole.
#[test]
fn four_mb_of_ram_are_enough() {
    let pmap = boot::<Jos64, X86_64>(4 * MB + 388 * KB);
    let total = "Physical memory: 4096K available";
    assert!(pmap.machine().log.contains(total), "{}", pmap.machine().log);
}

#[test]
#[should_panic(expected = "too little RAM: 4092 KB within")]
fn a_page_less_is_too_little() {
    let _ = boot::<Jos64, X86_64>(4 * MB + 384 * KB);
}

#[test]
#[should_panic(expected = "boot_alloc")]
fn boot_alloc_is_closed() {
    boot::<Jos64, X86_64>(5 * MB).boot_alloc(PGSIZE);
}

#[test]
#[cfg_attr(miri, ignore = "too much RAM")]
fn a_limit_leaves_ram_unused_as_on_jos() {
    let (machine, mut info) = SimMachine::<Jos64, X86_64>::new(300 * MB);
    info.memory.limit(PhysAddr::new(256 * MB));
    let pmap = mem_init(machine, info);
    assert_eq!(pmap.pages().npages() as u64 * PGSIZE, 256 * MB);
    let unused = "Unused: 45056K of RAM, all that lies above 262144K\n";
    assert!(pmap.machine().log.contains(unused), "{}", pmap.machine().log);
}
