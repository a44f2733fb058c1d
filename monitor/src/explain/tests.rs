//! Walks in whole and broken tables of simulated machines, in words.

use super::*;
use layout::{Jos64, JosSv39, MB, MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::mem::pages::ALLOC_ZERO;
use libjos::paging::format::riscv::Sv39;
use libjos::paging::format::x86_64::X86_64;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;

type Pmap64 = Pmap<SimMachine<Jos64, X86_64>>;

fn pmap() -> Pmap64 {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    mem_init(machine, boot)
}

fn walk64(pmap: &Pmap64, va: u64) -> WalkTrace<X86_64> {
    let load = |pa| pmap.pages().pa2page(pa).map(|_| pmap.machine().load(pa));
    trace(pmap.kern_root(), VirtAddr::new(va), load)
}

/// `pmap` with a page at UTEMP, mapped with `perm`.
fn with_page(perm: Perm) -> Pmap64 {
    let mut pmap = pmap();
    let frame = pmap.page_alloc(ALLOC_ZERO).unwrap();
    let (vm, pgdir) = pmap.split();
    vm.page_insert(pgdir, frame, VirtAddr::new(Jos64::UTEMP), perm).unwrap();
    pmap
}

#[test]
fn bits_are_boxed_by_what_they_pick() {
    let text = address_bits::<X86_64>(VirtAddr::new(0xFFFF_FFFF_F010_1234), 0).to_string();
    assert_eq!(
        text,
        " 63       48 47       39 38       30 29       21 20       12 11        0\n\
         +-----------+-----------+-----------+-----------+-----------+-----------+\n\
         |  0xffff   |    511    |    511    |    384    |    257    |   0x234   |\n\
         +-----------+-----------+-----------+-----------+-----------+-----------+\n    \
             sign       level 3     level 2     level 1     level 0     offset   "
    );
    let large = address_bits::<X86_64>(VirtAddr::new(0xFFFF_FFFF_FFFF_FFFF), 1).to_string();
    assert!(large.contains("|    511    | 0x1fffff  |\n"), "{large}");
    let sv39 = address_bits::<Sv39>(VirtAddr::new(JosSv39::KERNBASE), 0).to_string();
    assert!(sv39.contains("| 0x1ffffff |    511    |    384    |     0     |    0x0    |"));
    let i386 = address_bits::<libjos::paging::format::i386::I386>(VirtAddr::new(0xF010_1234), 0)
        .to_string();
    assert!(i386.starts_with(" 31       22 21       12 11        0\n"), "{i386}");
    for line in text.lines() {
        assert!(line.len() <= 80);
    }
}

#[test]
fn a_walk_shows_every_level() {
    let pmap = with_page(Perm::URW);
    let walk = walk64(&pmap, Jos64::UTEMP + 0x123);
    let pa = pmap.va2pa(pmap.kern_pgdir(), VirtAddr::new(Jos64::UTEMP + 0x123)).unwrap();
    assert_eq!(walk.end(), WalkEnd::Page { pa, perm: Perm::URW, level: 0 });
    let text = walk.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[0], format!("page directory at {}", pmap.kern_root()));
    assert!(lines[1].starts_with(&format!(" +-> {}[0] = 0x0", pmap.kern_root())), "{text}");
    assert!(lines[2].starts_with("   +-> ") && lines[4].starts_with("       +-> "), "{text}");
    let word = lines[1].split(' ').nth(4).unwrap();
    assert_eq!(word.len(), "0x0000000000000000".len(), "{text}");
    assert!(lines[1..4].iter().all(|line| line.ends_with(" urwx-")), "tables have no g: {text}");
    assert!(lines[4].contains("4 KB page at") && lines[4].ends_with("urw--"), "{text}");
    assert_eq!(lines[5].trim(), format!("+-> {pa}, which user and kernel may read, write"));
    assert!(lines.iter().all(|line| line.len() <= 80), "{text}");
}

#[test]
fn a_large_page_ends_the_walk_early() {
    let pmap = pmap();
    let walk = walk64(&pmap, u64::MAX);
    let WalkEnd::Page { pa, level: 1, .. } = walk.end() else { panic!("{walk}") };
    assert_eq!(pa.as_u64(), Jos64::WINDOW_SIZE - 1);
    assert!(walk.to_string().contains("2 MB page at 0xfe00000 -rw-g"), "{walk}");
}

#[test]
fn a_walk_says_where_it_stops() {
    let pmap = with_page(Perm::KR);
    let at = |va| walk64(&pmap, va).to_string();
    assert!(at(1 << 40).ends_with("stops at level 3: 512 GB here are not mapped"));
    assert!(at(Jos64::UTEMP + PGSIZE).ends_with("stops at level 0: 4 KB here are not mapped"));
    assert!(at(Jos64::LOWER_END).contains("the walk cannot begin"));
}

#[test]
fn a_table_may_withhold_what_the_page_grants() {
    let pmap = with_page(Perm::URW);
    // W and U of the entry that maps 1 GB.
    let at = walk64(&pmap, Jos64::UTEMP).steps[2].unwrap().at;
    pmap.machine().store(at, pmap.machine().load::<u64>(at) & !0b110);
    let walk = walk64(&pmap, Jos64::UTEMP);
    let WalkEnd::Page { perm, .. } = walk.end() else { panic!("{walk}") };
    assert_eq!(perm, Perm::KR);
    let text = walk.blame(AccessKind::Write, false).to_string();
    assert!(text.contains("may not be written: level 2 withholds it"), "{text}");
    let text = walk.blame(AccessKind::Read, true).to_string();
    assert!(text.contains("for the kernel alone: level 2 withholds U"), "{text}");
}

#[test]
fn a_table_at_the_last_level_maps_nothing() {
    // On RISC-V, an entry with V and neither R, W nor X.
    let walk = trace::<Sv39>(PhysAddr::new(0), VirtAddr::new(0), |_| Some(1));
    assert_eq!(walk.end(), WalkEnd::Absent { level: 0 });
}

#[test]
fn a_table_outside_ram_is_not_read() {
    let pmap = pmap();
    let at = pmap.kern_root();
    pmap.machine().store::<u64>(at, 0xDEAD_BEEF_F007);
    let walk = walk64(&pmap, 0x1000);
    let table = PhysAddr::new(0xDEAD_BEEF_F000);
    assert_eq!(walk.end(), WalkEnd::NoMemory { level: 2, table });
    assert!(walk.to_string().ends_with("0xdeadbeeff000, where the table should be, is no RAM"));
    let blame = walk.blame(AccessKind::Read, false).to_string();
    assert!(blame.contains("no table of level 2"), "{blame}");
}

#[test]
fn the_reason_of_a_fault_is_found() {
    let why = |perm: Perm, va: u64, access, by_user| {
        walk64(&with_page(perm), va).blame(access, by_user).to_string()
    };
    let utemp = Jos64::UTEMP;
    for (perm, access, by_user, expected) in [
        (Perm::KR, AccessKind::Write, false, "may not be written: level 0 withholds it"),
        (Perm::KRW, AccessKind::Fetch, false, "may not be executed: level 0 withholds it"),
        (Perm::KRW, AccessKind::Read, true, "for the kernel alone: level 0 withholds U"),
        (Perm::URW, AccessKind::Read, false, "kept off it (SMEP, SMAP)"),
        (Perm::KRW, AccessKind::Write, false, "allows this now"),
    ] {
        let text = why(perm, utemp, access, by_user);
        assert!(text.contains(expected) && text.len() < 80, "{text}");
    }
    assert!(why(Perm::KR, 1 << 40, AccessKind::Read, false).contains("level 3 is empty"));
    assert!(why(Perm::KR, Jos64::LOWER_END, AccessKind::Read, false).contains("not canonical"));
}
