//! Machines whose memory is in pieces, nearly full or nearly empty: they boot, and all checks hold.

use layout::{GB, Jos32, Jos64, JosSv39, KB, MB, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::boot::Boot;
use libjos::mem::memory_map::{MemoryMap, MemoryMapEntry};
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator, PageInfo};
use libjos::mem::reservations::{RESERVED_RUNS, Reservations};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::paging::format::{Format, Geometry};
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};

use super::{reserved, usable};
use crate::layouts::{Jos57, JosSv48};

/// Runs `$test::<L, F>` on every machine.
macro_rules! on_every_machine {
    ($test:ident) => {{
        $test::<Jos64, X86_64>();
        $test::<Jos32, I386>();
        $test::<JosSv39, Sv39>();
        $test::<Jos57, La57>();
        $test::<JosSv48, Sv48>();
    }};
}

/// A machine with `ram` bytes whose loader says `entries`, each counted from `PHYS_BASE`, and left
/// something in each of `left`.
fn told<L: MemLayout, F: Format + Mmu>(
    ram: u64,
    entries: &[MemoryMapEntry],
    left: &[PhysRange],
) -> (SimMachine<L, F>, Boot) {
    let (machine, mut boot) = SimMachine::<L, F>::new(ram);
    let shift =
        |entry: &MemoryMapEntry| MemoryMapEntry { base: L::PHYS_BASE + entry.base, ..*entry };
    boot.memory = MemoryMap::new::<L>(entries.iter().map(shift), None);
    boot.reserved = Reservations::new(left.iter().copied(), &boot.memory);
    (machine, boot)
}

/// Runs `mem_init` and all of the checks.
fn boots<L: MemLayout, F: Format + Mmu>(
    (machine, boot): (SimMachine<L, F>, Boot),
) -> Pmap<SimMachine<L, F>> {
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    pmap.checks().check_page_installed_pgdir();
    let log = &pmap.machine().log;
    assert_eq!(log.matches("succeeded!").count(), 6, "{}: {log}", L::NAME);
    for range in pmap.boot().reserved.runs() {
        for pa in range.pages().take_while(|pa| pmap.pages().pa2page(*pa).is_some()) {
            let info = pmap.pages().info_at(pa);
            assert_eq!(info.map(|info| info.pp_link), Some(PageInfo::RESERVED), "{pa}");
        }
    }
    pmap
}

/// Runs all checks again, as `checks` at the prompt does.
fn checks<L: MemLayout, F: Format + Mmu>(pmap: &mut Pmap<SimMachine<L, F>>) {
    pmap.machine_mut().log.clear();
    pmap.checks().check_page_free_list();
    pmap.checks().check_page_alloc();
    pmap.checks().check_page();
    pmap.checks().check_kern_pgdir();
    pmap.checks().check_page_free_list();
    pmap.checks().check_page_installed_pgdir();
}

fn of_bad_ram<L: MemLayout, F: Format + Mmu>() {
    // A page in each 256 KB, as GRUB's badram has them, is bad; below 1 MB all is well.
    let bad = (4..20 * 4).map(|i| reserved(i * 256 * KB + 0x3_f000, PGSIZE));
    let entries: Vec<_> = bad.chain([usable(0, 20 * MB)]).collect();
    let pmap = boots(told::<L, F>(20 * MB, &entries, &[]));
    let bad = PhysAddr::new(L::PHYS_BASE + 16 * MB + 0x3_f000);
    assert!(!pmap.boot().memory.usable().contains(bad));
    // There are more pieces than places for them.
    let bad =
        (MB / PGSIZE / 4..20 * MB / PGSIZE / 4).map(|i| reserved((i * 4 + 3) * PGSIZE, PGSIZE));
    let entries: Vec<_> = bad.chain([usable(0, 40 * MB)]).collect();
    let pmap = boots(told::<L, F>(40 * MB, &entries, &[]));
    assert!(pmap.machine().log.contains("\nGiven up: "), "{}", pmap.machine().log);
}

#[test]
fn bad_ram_boots() {
    on_every_machine!(of_bad_ram);
}

fn many_modules<L: MemLayout, F: Format + Mmu>() {
    // Each in two pages, with gaps of 0, 1, 2, ... pages between them; in no order.
    let module = |i: u64| {
        PhysRange::from_size(
            PhysAddr::new(L::PHYS_BASE + 4 * MB + i * (i + 3) / 2 * PGSIZE + 100),
            PGSIZE,
        )
    };
    let mut left: Vec<_> = (0..90).map(module).collect();
    left.sort_by_key(|range| range.start.as_u64() / PGSIZE % 7);
    let pmap = boots(told::<L, F>(64 * MB, &[usable(0, 64 * MB)], &left));
    assert!(left.iter().all(|range| pmap.boot().reserved.contains(range.start)));
    let given_up = pmap.boot().reserved.given_up();
    let gaps = 89 - RESERVED_RUNS as u64;
    assert_eq!((given_up.pieces as u64, given_up.bytes), (gaps, gaps * (gaps + 1) / 2 * PGSIZE));
    let said = format!(
        "\nGiven up: {}K of RAM in the {gaps} smallest gaps between what the loader left: ",
        given_up.bytes / KB
    );
    assert!(pmap.machine().log.contains(&said), "{}", pmap.machine().log);

    // Where there is no RAM nothing is given up.
    let far = |range: &PhysRange| PhysRange::from_size(range.start + 128 * MB, range.size());
    let left: Vec<_> = left.iter().map(far).collect();
    let pmap = boots(told::<L, F>(64 * MB, &[usable(0, 64 * MB)], &left));
    assert!(!pmap.machine().log.contains("Given up"), "{}", pmap.machine().log);
}

#[test]
fn many_modules_boot() {
    on_every_machine!(many_modules);
}

fn without_low_memory<L: MemLayout, F: Format + Mmu>() {
    // No RAM below 1 MB, four pages of it, and one that is page 0.
    for low in [0, 5 * PGSIZE, PGSIZE] {
        let entries = [usable(0, low), usable(MB, 7 * MB)];
        let mut pmap = boots(told::<L, F>(8 * MB, &entries, &[]));
        checks(&mut pmap);
        // All in use, and no longer.
        let frames: Vec<_> = (0..4).map_while(|_| pmap.page_alloc(AllocFlags::empty())).collect();
        checks_hold_with(&mut pmap, &frames);
    }
}

fn checks_hold_with<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Pmap<SimMachine<L, F>>,
    frames: &[Frame],
) {
    for frame in frames {
        pmap.pages_mut().page_incref(*frame).expect("it was allocated");
    }
    checks(pmap);
    for frame in frames {
        pmap.pages_mut().page_decref(*frame);
    }
}

#[test]
fn machines_without_low_memory_boot() {
    on_every_machine!(without_low_memory);
}

fn with_any_number_of_pages<L: MemLayout, F: Format + Mmu>() {
    let (machine, boot) = SimMachine::<L, F>::new(5 * MB);
    let mut pmap = boots((machine, boot));
    let mut held = Vec::new();
    while let Some(frame) = pmap.page_alloc(AllocFlags::empty()) {
        held.push(frame);
    }
    for frame in &held {
        pmap.pages_mut().page_incref(*frame).expect("it was allocated");
    }
    for nfree in 0..12 {
        assert_eq!(pmap.pages().nfree(), nfree);
        checks(&mut pmap);
        let log = &pmap.machine().log;
        let (done, not) =
            (log.matches("succeeded!").count(), log.matches("left out: it needs").count());
        assert_eq!(done + not, 6, "{log}");
        assert!(done >= 3 && (not == 0) == (nfree >= 3 + F::ROOT as usize), "{nfree}: {log}");
        pmap.pages_mut().page_decref(held.pop().expect("a frame is held"));
    }
    for frame in held {
        pmap.pages_mut().page_decref(frame);
    }
    checks(&mut pmap);
    assert_eq!(pmap.machine().log.matches("succeeded!").count(), 6);
}

#[test]
fn checks_hold_with_any_number_of_free_pages() {
    on_every_machine!(with_any_number_of_pages);
}

/// The page tables take all that is free below 1 MB: a processor without 1 GB pages needs many.
#[test]
fn all_of_110_gb_is_used_without_1_gb_pages() {
    let (mut machine, boot) = SimMachine::<Jos64, X86_64>::new(110 * GB);
    machine.processor.leaf_levels = 0b11;
    let pmap = boots((machine, boot));
    assert!(!pmap.machine().log.contains("Unused"), "{}", pmap.machine().log);
    let low = (1..160).filter_map(|i| pmap.pages().pa2page(PhysAddr::new(i * PGSIZE)));
    assert!(!low.into_iter().any(|frame| pmap.pages().info(frame).is_free()));
}

/// Large pages show RAM wherever it begins, so that it takes few tables. There is no room for many.
#[test]
fn ram_that_begins_within_a_large_page_is_used() {
    let (_, boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let left = PhysRange::new(boot.image.data.end_exclusive, PhysAddr::new(254 * MB));
    let entries = [usable(MB, 255 * MB), usable(256 * MB + PGSIZE, 512 * MB)];
    let pmap = boots(told::<Jos64, X86_64>(GB, &entries, &[left]));
    assert_eq!(pmap.pages().npages() as u64 * PGSIZE, 768 * MB + PGSIZE);
    assert!(!pmap.machine().log.contains("Unused"), "{}", pmap.machine().log);
}

/// The loader left something in the whole window but its last 600 KB.
fn only_the_end_is_free<L: MemLayout, F: Format + Mmu>() {
    for ram in [256 * MB, GB] {
        let (_, boot) = SimMachine::<L, F>::new(8 * MB);
        let end = PhysAddr::new(L::PHYS_BASE + 256 * MB - 600 * KB);
        let left = [
            PhysRange::new(boot.image.data.end_exclusive, end),
            // Below the kernel there is room just for page tables.
            PhysRange::new(PhysAddr::new(L::PHYS_BASE + 512 * KB), boot.image.text.start),
        ];
        let entries = [usable(0, 640 * KB), usable(MB, ram - MB)];
        let pmap = boots(told::<L, F>(ram, &entries, &left));
        assert!(pmap.boot_memory().pages.start >= end, "{}", pmap.boot_memory().pages);
        assert!(pmap.pages().npages() as u64 * PGSIZE >= 256 * MB, "{:#x}", pmap.pages().npages());
        let log = &pmap.machine().log;
        assert_eq!(log.contains("Unused: "), ram == GB, "{log}");
    }
}

#[test]
fn pages_finds_room_at_the_windows_end() {
    on_every_machine!(only_the_end_is_free);
}

/// With all above the kernel taken there is still what lies below it.
#[test]
fn pages_finds_room_below_the_kernel() {
    let (_, boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let left = PhysRange::new(boot.image.data.end_exclusive, PhysAddr::new(128 * MB));
    let entries = [usable(0, 636 * KB), usable(MB, 127 * MB)];
    let pmap = boots(told::<Jos64, X86_64>(128 * MB, &entries, &[left]));
    assert!(pmap.boot_memory().pages.end_exclusive < boot.image.text.start);
    assert_eq!(pmap.pages().npages() as u64 * PGSIZE, 128 * MB);
}

#[test]
#[should_panic(
    expected = "no room for the array pages: 514 KB in one piece and some page tables beside it are \
                needed, 196 KB are free in one piece within the 256 MB from 0x0 on. Of 261120 KB of RAM there \
                the kernel takes 120 KB, and boot information and modules 260800 KB: load fewer"
)]
fn what_fills_the_window_is_named() {
    let (_, boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let left = PhysRange::new(boot.image.data.end_exclusive, PhysAddr::new(256 * MB - 200 * KB));
    // RAM above the window needs room in it too, but counts for nothing here.
    boots(told::<Jos64, X86_64>(256 * MB, &[usable(MB, 511 * MB)], &[left]));
}
