//! The numbers in listings are right: each is worked out here by other means.

use super::*;
use libjos::mem::pages::{ALLOC_ZERO, PageInfo};
use libjos::mem::size::Size;
use libjos::paging::format::{Entry, Geometry, Perm};
use libjos::paging::mappings::steps;
use libjos::paging::range::PageSizes::Largest;

type Monitor64 = Monitor<Jos64, X86_64>;

fn hex(text: &str) -> u64 {
    let digits = text.strip_prefix("0x").unwrap_or_else(|| panic!("{text}"));
    u64::from_str_radix(digits, 16).unwrap()
}

/// The number of frames for which `is` holds.
fn count(monitor: &Monitor64, is: impl Fn(&PageInfo) -> bool) -> usize {
    monitor.pmap.pages().infos().filter(|info| is(info)).count()
}

fn is_in_use(info: &PageInfo) -> bool {
    !info.is_free() && info.pp_link != PageInfo::RESERVED
}

#[test]
fn the_memory_map_has_each_page_once() {
    let mut monitor = monitor64();
    let text = monitor.run("memmap");
    assert!(text.contains("  0x0000000000000000-0x000000000009fbff RAM, 639 KB\n"), "{text}");
    assert!(text.contains("  0x0000000000000005 empty, RAM\n"), "{text}");
    assert!(!text.contains("left unused"), "{text}");
    let (_, became) = text.split_once("What became of it:\n").unwrap();
    let (mut next, mut free, mut in_use) = (0, 0, 0);
    for line in became.lines() {
        let (range, owner) = line.trim().split_once(' ').unwrap();
        let (first, last) = range.split_once('-').unwrap();
        assert_eq!(hex(first), next, "{text}");
        next = hex(last) + 1;
        let size = next - hex(first);
        if let Some(counts) = owner.strip_prefix("page_alloc's: ") {
            let numbers: Vec<usize> =
                counts.split(' ').filter_map(|word| word.parse().ok()).collect();
            let [here_free, here_in_use] = numbers[..] else { panic!("{line}") };
            assert_eq!((here_free + here_in_use) as u64, size / PGSIZE, "{line}");
            (free, in_use) = (free + here_free, in_use + here_in_use);
        } else {
            assert!(line.ends_with(&std::format!(", {}", Size(size))), "{line}");
        }
    }
    assert_eq!(next, monitor.pmap.pages().npages() as u64 * PGSIZE);
    assert_eq!(free, monitor.pmap.pages().nfree());
    assert_eq!(in_use, count(&monitor, is_in_use));
}

#[test]
fn the_states_of_pages_add_up() {
    let mut monitor = monitor64();
    monitor.alloc();
    let infos = monitor.pmap.pages().infos();
    let all = infos.len();
    let uses: u32 = infos.filter(is_in_use).map(|info| info.pp_ref()).sum();
    let (free, in_use) = (count(&monitor, PageInfo::is_free), count(&monitor, is_in_use));
    let size = |pages: usize| Size(pages as u64 * PGSIZE);
    assert_eq!(
        monitor.run("pages"),
        std::format!(
            "{all:>8} pages are described, {}\n{free:>8} free, {}\n\
             {in_use:>8} in use, with {uses} uses in all (pp_ref)\n\
             {:>8} reserved: no RAM, the kernel's, the loader's\n",
            size(all),
            size(free),
            all - free - in_use
        )
    );
}

#[test]
fn a_page_is_found_in_a_large_one() {
    let mut monitor = monitor64();
    // Part of a large page of the window.
    let text = monitor.run("pages 0x201000");
    let mappings = "Mappings:\n  0xfffffffff0201000 -rw-g in a 2 MB page, \
                    \"window on physical memory\"\n  1 in all, without those at UVPT\n";
    assert!(text.ends_with(mappings), "{text}");
    assert!(!text.contains("page table of level") && !text.contains("given out"), "{text}");
}

#[test]
fn tables_are_known_by_their_level() {
    let mut monitor = monitor64();
    let page = monitor.alloc();
    monitor.run(&std::format!("insert UTEMP {page}"));
    let pgdir = monitor.pmap.kern_pgdir().address();
    for va in [Jos64::UTEMP, Jos64::KSTACK, Jos64::UPAGES].map(VirtAddr::new) {
        let steps: Vec<_> = steps::<X86_64, _>(monitor.pmap.machine(), pgdir, va).collect();
        assert_eq!(steps.len(), 4);
        for step in steps {
            let text = monitor.run(&std::format!("pages {}", step.at.page_start()));
            let expected = std::format!("  is a page table of level {}\n", step.level);
            assert!(text.contains(&expected), "{expected}: {text}");
        }
    }
}

#[test]
fn single_pages_and_runs_are_listed_as_such() {
    let mut monitor = monitor64();
    let pages: Vec<_> = (0..5).map(|_| monitor.alloc()).collect();
    for page in [&pages[0], &pages[2], &pages[3]] {
        assert_eq!(
            monitor.run(&std::format!("free {page}")),
            std::format!("page {page} is free\n")
        );
    }
    let nfree = monitor.pmap.pages().nfree();
    assert_eq!(
        monitor.run("freelist 2"),
        std::format!(
            "page_free_list: {nfree} pages, {}\n  {:#011x}, ... {:#011x}: 2 pages\n  {:#011x}\n  and {} more pages\n",
            Size(nfree as u64 * PGSIZE),
            hex(&pages[3]),
            hex(&pages[2]),
            hex(&pages[0]),
            nfree - 3
        )
    );
}

#[test]
fn pages_of_all_sizes_are_shown() {
    let mut monitor = monitor64();
    let map = |monitor: &mut Monitor64, va: u64, size, pa| {
        let (va, pa) = (VirtAddr::new(va), PhysAddr::new(pa));
        let (vm, pgdir) = monitor.pmap.split();
        vm.map_range(pgdir, va, size, pa, Perm::KRW, Largest).unwrap();
    };
    map(&mut monitor, 1 << 30, 1 << 30, 1 << 30);
    map(&mut monitor, 3 << 30, 2 * MB + PGSIZE, 3 << 30);
    assert_eq!(
        monitor.run("showmappings 0x40000000 0xc0200fff"),
        "0x0000000040000000-0x000000007fffffff -> 0x040000000 -rw-- 1 GB 1G\n\
         0x0000000080000000-0x00000000bfffffff not mapped\n\
         0x00000000c0000000-0x00000000c0200fff -> 0x0c0000000 -rw-- 2052 KB 4K-2M\n"
    );
    let text = monitor.run("translate 0x40000000");
    assert!(text.contains("level 2") && !text.contains("level 1"), "{text}");
    // The first page of the upper half ends the gap between the halves.
    map(&mut monitor, Jos64::UPPER_START, PGSIZE, 0);
    assert_eq!(
        monitor.run("showmappings 0x7fffffffffff 0xffff800000000000"),
        "0x00007ffffffff000-0x00007fffffffffff not mapped\n\
         0x0000800000000000-0xffff7fffffffffff not canonical\n\
         0xffff800000000000-0xffff800000000fff -> 0x000000000 -rw-- 4 KB 4K\n"
    );
}

#[test]
fn a_table_where_no_memory_is_maps_nothing() {
    let mut monitor = monitor64();
    let showmappings = "showmappings 0 UTOP";
    let before = monitor.run(showmappings);
    let va = VirtAddr::new(Jos64::PTSIZE);
    let at = X86_64::entry(X86_64::ROOT, monitor.pmap.kern_pgdir().address(), va);
    monitor.pmap.machine().store(at, X86_64::table(PhysAddr::new(64 * MB)));
    assert_eq!(monitor.run(showmappings), before);
    assert_eq!(monitor.run("dump PTSIZE 16"), "0000008000000000-000000800000000f: not mapped\n");
    assert!(monitor.run("translate PTSIZE").contains("where the table should be, is no RAM"));
}

#[test]
fn the_map_counts_page_tables() {
    fn tables(monitor: &Monitor64, level: u32, table: PhysAddr) -> (u64, u64) {
        let (mut tables_below, mut large) = (1, 0);
        for index in 0..X86_64::ENTRIES {
            match monitor.pmap.entry(level, table, index) {
                Entry::Table { pa, .. } if pa != monitor.pmap.kern_pgdir().address() => {
                    let below = tables(monitor, level - 1, pa);
                    (tables_below, large) = (tables_below + below.0, large + below.1);
                }
                Entry::Leaf(_) if level > 0 => large += 1,
                _ => {}
            }
        }
        (tables_below, large)
    }
    let mut monitor = monitor64();
    let (tables, large) = tables(&monitor, X86_64::ROOT, monitor.pmap.kern_pgdir().address());
    assert!(tables > 5 && large > 5);
    let map = monitor.run("map");
    let line =
        std::format!("  {tables} page tables; {large} large pages, seen as if one of them\n");
    assert!(map.contains(&line), "{line}: {map}");
    assert!(!map.contains("runs are not what the map allows"), "{map}");
}

#[test]
fn what_is_in_the_way_of_checks_is_named() {
    let mut monitor = monitor64();
    let page = monitor.alloc();
    monitor.run(&std::format!("insert 0x403000 {page}"));
    let error = monitor.error("checks");
    assert!(error.starts_with("0x403000 is mapped"), "{error}");
    monitor.run(&std::format!("insert 0x404000 {page}"));
    let text = monitor.run("remove 0x403000");
    assert_eq!(text, std::format!("0x403000 is not mapped any more; page {page} has pp_ref 2\n"));
}

#[test]
fn alloc_gives_all_it_is_asked_for_or_nothing() {
    let mut monitor = monitor64();
    while monitor.pmap.pages().nfree() > 3 {
        monitor.pmap.page_alloc(ALLOC_ZERO);
    }
    let error = monitor.error("alloc 4");
    assert!(error.contains('4') && error.contains('3'), "{error}");
    assert_eq!(monitor.run("alloc 3").lines().count(), 3);
    assert_eq!(monitor.pmap.pages().nfree(), 0);
    monitor.error("alloc");
}

#[test]
fn force_frees_a_page_that_was_not_allocs() {
    let mut monitor = monitor64();
    let frame = monitor.pmap.page_alloc(ALLOC_ZERO).unwrap();
    monitor.pmap.pages_mut().page_incref(frame).unwrap();
    let pa = monitor.pmap.pages().page2pa(frame);
    assert_eq!(monitor.run(&std::format!("free -f {pa}")), std::format!("page {pa} is free\n"));
}

#[test]
fn a_dump_begins_and_ends_where_ram_does() {
    let mut monitor = monitor64();
    let apart = "no RAM, or out of reach: left alone";
    let text = monitor.run("dump KERNBASE+0x9eff0 0x20");
    let lines: Vec<_> = text.lines().collect();
    let [ram, hole] = lines[..] else { panic!("{text}") };
    assert!(ram.starts_with("fffffffff009eff0: "), "{text}");
    assert_eq!(hole, std::format!("fffffffff009f000-fffffffff009f00f: {apart}"));
    let text = monitor.run("dump -p 0xffff0 0x20");
    let lines: Vec<_> = text.lines().collect();
    let [hole, ram] = lines[..] else { panic!("{text}") };
    assert_eq!(hole, std::format!("00000000000ffff0-00000000000fffff: {apart}"));
    assert!(ram.starts_with("0000000000100000: "), "{text}");
}

#[test]
fn the_usage_helps_against_wrong_words() {
    for line in
        ["memmap 1", "dump 0 1 2", "showmappings 2 1", "dump 2 0xffffffffffffffff", "dump x"]
    {
        let (command, arguments) = parse(line).unwrap().unwrap();
        let (mut monitor, mut out) = (monitor64(), String::new());
        let Monitor { pmap, held, .. } = &mut monitor;
        let mut session = Session::new(pmap, None, held, &NoNames, &mut out);
        let Verb::Memory(verb) = command.verb else { panic!("{}", command.usage) };
        let error = session.run(verb, &arguments, [].into_iter()).unwrap_err();
        assert!(error.is_usage(), "{line}: {error}");
    }
    let pa = PhysAddr::new(0);
    for error in [CommandError::Stopped, CommandError::NoPage { pa }, CommandError::NotHeld { pa }]
    {
        assert!(!error.is_usage(), "{error}");
    }
}
