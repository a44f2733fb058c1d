//! The memory map and the reservations that come of a loader's list.

use layout::{GB, Jos64, KB, MB, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry, RAM_RUNS};
use libjos::mem::reservations::{RESERVED_RUNS, Reservations};

use super::{map_of, reserved, runs, usable};

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
    // Pieces of 1 to 200 pages, scattered, and one large piece that comes last.
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

/// A list with more entries than are worth looking at: memory beyond the last look is not used.
#[test]
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
    let rounds = 300;
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

        // Taken for reservations, these entries keep each page that one touches.
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
