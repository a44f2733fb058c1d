//! What a loader may legally say of memory, on each map and each format: the map is what the list
//! says, and `mem_init` runs whole.

mod layouts;

use layout::{GB, Jos32, Jos64, JosSv39, KB, MB, MemLayout, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::boot::Boot;
use libjos::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry, RAM_RUNS};
use libjos::mem::pages::{AllocFlags, PageAllocator, PageInfo};
use libjos::mem::reservations::{RESERVED_RUNS, Reservations};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::paging::format::{Format, Geometry};
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::{SimMachine, mmu::Mmu};

use layouts::{Jos57, JosSv48};

fn usable(base: u64, length: u64) -> MemoryMapEntry {
    MemoryMapEntry { base, length, kind: MemoryKind::Usable }
}

fn reserved(base: u64, length: u64) -> MemoryMapEntry {
    MemoryMapEntry { base, length, kind: MemoryKind::Reserved }
}

fn map_of(entries: &[MemoryMapEntry]) -> MemoryMap {
    MemoryMap::new::<Jos64>(entries.iter().copied(), None)
}

fn runs(map: &MemoryMap) -> Vec<(u64, u64)> {
    let pair = |run: &PhysRange| (run.start.as_u64(), run.end_exclusive.as_u64());
    map.usable().runs().iter().map(pair).collect()
}

/// Runs `$test::<L, F>` on every machine.
macro_rules! on_every_machine {
    ($test:ident) => {{
        $test::<Jos64, X86_64>();
        if !cfg!(miri) {
            $test::<Jos32, I386>();
            $test::<JosSv39, Sv39>();
            $test::<Jos57, La57>();
            $test::<JosSv48, Sv48>();
        }
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
            let info = pmap.pages().pa2page(pa).map(|frame| pmap.pages().info(frame));
            assert_eq!(info.map(|info| info.pp_link), Some(PageInfo::RESERVED), "{pa}");
        }
    }
    pmap
}

/// All checks again, as `checks` at the prompt runs them.
fn checks<L: MemLayout, F: Format + Mmu>(pmap: &mut Pmap<SimMachine<L, F>>) {
    pmap.machine_mut().log.clear();
    pmap.checks().check_page_free_list();
    pmap.checks().check_page_alloc();
    pmap.checks().check_page();
    pmap.checks().check_kern_pgdir();
    pmap.checks().check_page_free_list();
    pmap.checks().check_page_installed_pgdir();
}

/// Pieces with a page between them, from 16 MB on.
fn pieces(count: u64) -> Vec<MemoryMapEntry> {
    (0..count).map(|i| usable(16 * MB + i * 2 * PGSIZE, PGSIZE)).collect()
}

#[test]
fn pieces_whose_gaps_come_later_are_one_run() {
    let mut entries = pieces(1000);
    let gaps = (0..1000).rev().map(|i| usable(16 * MB + (2 * i + 1) * PGSIZE, PGSIZE));
    entries.extend(gaps);
    assert_eq!(runs(&map_of(&entries)), [(16 * MB, 16 * MB + 2000 * PGSIZE)]);
    assert_eq!(map_of(&entries).totals::<Jos64>().given_up.pieces, 0);
}

#[test]
fn islands_in_what_is_reserved_are_none() {
    for last in [false, true] {
        let mut entries = pieces(500);
        let sea = reserved(16 * MB - 5, 100 * MB);
        let at = if last { 500 } else { 0 };
        entries.insert(at, sea);
        entries.push(usable(200 * MB, MB));
        let map = map_of(&entries);
        assert_eq!(runs(&map), [(200 * MB, 201 * MB)]);
        assert_eq!(map.totals::<Jos64>().given_up.pieces, 0);
    }
}

#[test]
fn the_smallest_pieces_are_given_up_whatever_their_order() {
    // Of 1 to 200 pages, scattered; and one large piece that comes last.
    let length = |i: u64| (i * 77 % 200 + 1) * PGSIZE;
    let mut entries: Vec<_> = (0..200).map(|i| usable(MB + i * MB, length(i))).collect();
    for _ in 0..3 {
        entries.rotate_left(67);
        entries.push(usable(240 * MB, 16 * MB));
        let map = map_of(&entries);
        let totals = map.totals::<Jos64>();
        let gone = 201 - RAM_RUNS as u64;
        assert_eq!(map.usable().runs().len(), RAM_RUNS);
        assert_eq!(totals.given_up.pieces as u64, gone);
        assert_eq!(totals.given_up.bytes, gone * (gone + 1) / 2 * PGSIZE);
        assert!(map.usable().runs().iter().all(|run| run.size() > gone * PGSIZE));
        let text = format!(
            "\nGiven up: {}K of RAM, the {gone} smallest of 201 pieces: {RAM_RUNS} are kept \
             (RAM_RUNS in libjos/src/mem/memory_map.rs)",
            totals.given_up.bytes / KB
        );
        assert!(totals.to_string().ends_with(&text), "{totals}");
        entries.pop();
    }
}

/// Larger pieces above do not take the window's places: the kernel could not start without them.
#[test]
fn the_window_keeps_half_of_the_places() {
    let small = (0..200).map(|i| usable(MB + i * MB, 512 * KB));
    let large = (0..200).map(|i| usable(GB + i * 32 * MB, 16 * MB));
    let entries: Vec<_> = large.chain(small).collect();
    let map = map_of(&entries);
    let shown = map.usable().runs().iter().filter(|run| run.start.as_u64() < 256 * MB).count();
    assert_eq!((shown, map.usable().runs().len()), (RAM_RUNS / 2, RAM_RUNS));
    // With a limit below them they are unused rather than given up, and nothing makes place for them.
    let map = MemoryMap::new::<Jos64>(entries.iter().copied(), Some(PhysAddr::new(100 * MB)));
    let totals = map.totals::<Jos64>();
    assert_eq!((map.usable().runs().len(), totals.given_up.pieces), (99, 0));
    assert_eq!(totals.unused, 200 * 16 * MB + 101 * 512 * KB);
}

#[test]
fn neighbours_that_meet_within_a_page_are_one_run() {
    let map = map_of(&[usable(0x10_0000, 0x2018), usable(0x10_2018, 0x4fe8)]);
    assert_eq!(runs(&map), [(0x10_0000, 0x10_7000)]);
    // Three in one page; and a byte of it that is not RAM.
    let thirds = [usable(0x2aaa, 0x556), usable(0x2000, 0x555), usable(0x2555, 0x555)];
    assert_eq!(runs(&map_of(&thirds)), [(0x2000, 0x3000)]);
    let mut with_hole = thirds.to_vec();
    with_hole.extend([usable(0x3000, 0x1000), reserved(0x2fff, 1)]);
    assert_eq!(runs(&map_of(&with_hole)), [(0x3000, 0x4000)]);
}

/// More entries than are worth looking at: what was not looked at is not used.
#[test]
#[cfg_attr(miri, ignore = "millions of entries")]
fn a_list_without_end_does_no_harm() {
    let n = 1_000_000;
    // From the top down, and all in pieces.
    let entries = (0..n).rev().map(|i| usable(i * 2 * PGSIZE, PGSIZE));
    let map = MemoryMap::new::<Jos64>(entries, None);
    assert_eq!(map.usable().runs().len(), RAM_RUNS);
    let totals = map.totals::<Jos64>();
    let end = totals.unread.expect("not all of it is read");
    assert_eq!(map.used_end::<Jos64>(), end);
    assert!(map.usable().runs().iter().all(|run| run.end_exclusive <= end));
    let said = format!(
        "\nGiven up: all RAM above {}K, for the loader's map has too many entries",
        end.as_u64() / KB
    );
    assert!(totals.to_string().ends_with(&said), "{totals}");

    let parts = (0..n).map(|i| PhysRange::from_size(PhysAddr::new(i * 2 * PGSIZE), 1));
    let all = Reservations::new(parts, &map);
    let last = PhysAddr::new(2 * (n - 1) * PGSIZE);
    assert!(all.runs().len() <= RESERVED_RUNS && all.contains(last));
    assert!((0..n).step_by(997).all(|i| all.contains(PhysAddr::new(i * 2 * PGSIZE))));
}

/// Lists at random, against what each 256 bytes are.
#[test]
fn a_map_is_what_a_plain_model_says() {
    const GRAIN: u64 = 256;
    const PAGES: u64 = 1024;
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    let rounds = if cfg!(miri) { 3 } else { 300 };
    for round in 0..rounds {
        // Few long entries, or many short ones.
        let most = [20, 300, 1500][round % 3];
        let longest = [PAGES * 16 / 4, 64, 24][round % 3];
        let entries: Vec<_> = (0..random(most))
            .map(|_| (random(PAGES * 16) * GRAIN, random(longest) * GRAIN, random(5) > 0))
            .map(|(base, len, is_ram)| if is_ram { usable(base, len) } else { reserved(base, len) })
            .collect();
        let covered = |kind| {
            let mut bytes = vec![false; (PAGES * 32) as usize];
            for entry in entries.iter().filter(|entry| entry.kind == kind) {
                let first = (entry.base / GRAIN) as usize;
                bytes[first..first + (entry.length / GRAIN) as usize].fill(true);
            }
            bytes
        };
        let (ram, not) = (covered(MemoryKind::Usable), covered(MemoryKind::Reserved));
        let is_ram = |page: usize| (page * 16..page * 16 + 16).all(|i| ram[i] && !not[i]);
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        for page in (0..2 * PAGES as usize).filter(|page| is_ram(*page)) {
            let start = page as u64 * PGSIZE;
            match pieces.last_mut() {
                Some(last) if last.1 == start => last.1 += PGSIZE,
                _ => pieces.push((start, start + PGSIZE)),
            }
        }
        let map = map_of(&entries);
        let given_up = map.totals::<Jos64>().given_up;
        let mut kept = pieces.clone();
        kept.sort_by_key(|(start, end)| (std::cmp::Reverse(end - start), *start));
        let lost = kept.split_off(kept.len().min(RAM_RUNS));
        kept.sort();
        assert_eq!(runs(&map), kept, "{entries:x?}");
        let bytes: u64 = lost.iter().map(|(start, end)| end - start).sum();
        assert_eq!((given_up.pieces, given_up.bytes), (lost.len(), bytes), "{entries:x?}");

        // The same list as what a loader left: whatever is covered is kept.
        let parts = entries.iter().filter(|entry| entry.kind == MemoryKind::Usable);
        let parts = parts.map(|part| PhysRange::from_size(PhysAddr::new(part.base), part.length));
        let all = Reservations::new(parts, &map);
        let pages =
            (0..2 * PAGES as usize).filter(|page| (page * 16..page * 16 + 16).any(|i| ram[i]));
        let mut nr_pages = 0;
        for page in pages {
            assert!(all.contains(PhysAddr::new(page as u64 * PGSIZE)), "{page:#x} of {entries:x?}");
            nr_pages += 1;
        }
        let closed: u64 = all.runs().iter().map(PhysRange::size).sum::<u64>() - nr_pages * PGSIZE;
        assert!(all.given_up().bytes <= closed && (all.given_up().pieces > 0 || closed == 0));
    }
}

fn of_bad_ram<L: MemLayout, F: Format + Mmu>() {
    // A page in each 256 KB, as GRUB's badram has them, is bad; below 1 MB all is well.
    let bad = (4..20 * 4).map(|i| reserved(i * 256 * KB + 0x3_f000, PGSIZE));
    let entries: Vec<_> = bad.chain([usable(0, 20 * MB)]).collect();
    let pmap = boots(told::<L, F>(20 * MB, &entries, &[]));
    let bad = PhysAddr::new(L::PHYS_BASE + 16 * MB + 0x3_f000);
    assert!(!pmap.boot().memory.usable().contains(bad));
    // More pieces than there is place for.
    let bad =
        (MB / PGSIZE / 4..20 * MB / PGSIZE / 4).map(|i| reserved((i * 4 + 3) * PGSIZE, PGSIZE));
    let entries: Vec<_> = bad.chain([usable(0, 40 * MB)]).collect();
    let pmap = boots(told::<L, F>(40 * MB, &entries, &[]));
    assert!(pmap.machine().log.contains("\nGiven up: "), "{}", pmap.machine().log);
}

#[test]
#[cfg_attr(miri, ignore = "minutes, for no unsafe code that others do not run")]
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
#[cfg_attr(miri, ignore = "minutes, for no unsafe code that others do not run")]
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
    frames: &[libjos::mem::pages::Frame],
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
#[cfg_attr(miri, ignore = "minutes, for no unsafe code that others do not run")]
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
#[cfg_attr(miri, ignore = "minutes, for no unsafe code that others do not run")]
fn checks_hold_with_any_number_of_free_pages() {
    on_every_machine!(with_any_number_of_pages);
}

/// The page tables take all that is free below 1 MB: a processor without 1 GB pages needs many.
#[test]
#[cfg_attr(miri, ignore = "too much RAM")]
fn all_of_110_gb_is_used_without_1_gb_pages() {
    let (mut machine, boot) = SimMachine::<Jos64, X86_64>::new(110 * GB);
    machine.leaf_levels = 0b11;
    let pmap = boots((machine, boot));
    assert!(!pmap.machine().log.contains("Unused"), "{}", pmap.machine().log);
    let low = (1..160).filter_map(|i| pmap.pages().pa2page(PhysAddr::new(i * PGSIZE)));
    assert!(!low.into_iter().any(|frame| pmap.pages().info(frame).is_free()));
}

/// All of the window but its last 600 KB holds something of the loader's.
fn only_the_end_is_free<L: MemLayout, F: Format + Mmu>() {
    for ram in [256 * MB, GB] {
        let (_, boot) = SimMachine::<L, F>::new(8 * MB);
        let end = PhysAddr::new(L::PHYS_BASE + 256 * MB - 600 * KB);
        let left = [
            PhysRange::new(boot.image.data.end_exclusive, end),
            // Of what is below the kernel just page tables find room.
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
#[cfg_attr(miri, ignore = "too much RAM")]
fn pages_finds_room_at_the_windows_end() {
    on_every_machine!(only_the_end_is_free);
}

/// With all above the kernel taken there is still what lies below it.
#[test]
#[cfg_attr(miri, ignore = "too much RAM")]
fn pages_finds_room_below_the_kernel() {
    let (_, boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let left = PhysRange::new(boot.image.data.end_exclusive, PhysAddr::new(128 * MB));
    let entries = [usable(0, 636 * KB), usable(MB, 127 * MB)];
    let pmap = boots(told::<Jos64, X86_64>(128 * MB, &entries, &[left]));
    assert!(pmap.boot_memory().pages.end_exclusive < boot.image.text.start);
    assert_eq!(pmap.pages().npages() as u64 * PGSIZE, 128 * MB);
}

#[test]
#[cfg_attr(miri, ignore = "too much RAM")]
#[should_panic(
    expected = "no room for the array pages: 514 KB in one piece and some page tables beside it are \
                needed, 196 KB are free in one piece within the first 256 MB. Of 261120 KB of RAM there \
                the kernel takes 120 KB, and boot information and modules 260800 KB: load fewer"
)]
fn what_fills_the_window_is_named() {
    let (_, boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let left = PhysRange::new(boot.image.data.end_exclusive, PhysAddr::new(256 * MB - 200 * KB));
    boots(told::<Jos64, X86_64>(256 * MB, &[usable(MB, 255 * MB)], &[left]));
}
