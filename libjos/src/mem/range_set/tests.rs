//! Tests of sets of ranges.

use super::*;

const MOST: usize = 8;

fn range(start: u64, end: u64) -> PhysRange {
    PhysRange::new(PhysAddr::new(start), PhysAddr::new(end))
}

fn set(ranges: &[(u64, u64)]) -> RangeSet<MOST> {
    let mut set = RangeSet::default();
    for &(start, end) in ranges {
        set.insert(range(start, end)).unwrap();
    }
    set
}

fn runs(set: &RangeSet<MOST>) -> Vec<(u64, u64)> {
    set.runs().iter().map(|r| (r.start.as_u64(), r.end_exclusive.as_u64())).collect()
}

#[test]
fn insert_sorts_and_merges() {
    let set = set(&[(0x9000, 0xa000), (0x1000, 0x2fff), (0x2000, 0x3000), (0x9000, 0xb000)]);
    assert_eq!(runs(&set), [(0x1000, 0x3000), (0x9000, 0xb000)]);
    assert_eq!(set.size(), 0x4000);
    assert_eq!(set.size_within(&range(0x2f00, 0x9001)), 0x101);
}

#[test]
fn bytes_count_and_not_pages() {
    let mut set = set(&[(0x1ff8, 0x2008)]);
    set.insert(range(0x2008, 0x2009)).unwrap();
    assert_eq!(runs(&set), [(0x1ff8, 0x2009)]);
    set.remove(range(0x2000, 0x2001)).unwrap();
    assert_eq!(runs(&set), [(0x1ff8, 0x2000), (0x2001, 0x2009)]);
}

#[test]
fn insert_bridges_many_runs() {
    let mut set = set(&[(0x1000, 0x2000), (0x3000, 0x4000), (0x5000, 0x6000)]);
    set.insert(range(0x2000, 0x5000)).unwrap();
    assert_eq!(runs(&set), [(0x1000, 0x6000)]);
}

#[test]
fn remove_trims_and_splits() {
    let mut set = set(&[(0x1000, 0x9000)]);
    set.remove(range(0x4000, 0x6000)).unwrap();
    assert_eq!(runs(&set), [(0x1000, 0x4000), (0x6000, 0x9000)]);
    set.remove(range(0x3000, 0x7000)).unwrap();
    assert_eq!(runs(&set), [(0x1000, 0x3000), (0x7000, 0x9000)]);
    set.remove(range(0x4000, 0x5000)).unwrap();
    assert_eq!(set.pop(), Some(range(0x7000, 0x9000)));
    set.remove(range(0, 0x10_0000)).unwrap();
    assert_eq!((runs(&set), set.pop()), (Vec::new(), None));
}

#[test]
fn empty_and_wrapping_ranges_do_no_harm() {
    let mut set = set(&[(0x1000, 0x2000)]);
    set.insert(range(0x5000, 0x5000)).unwrap();
    set.remove(range(0x1800, 0x1800)).unwrap();
    assert_eq!(runs(&set), [(0x1000, 0x2000)]);
    set.insert(PhysRange::from_size(PhysAddr::new(u64::MAX - 10), 100)).unwrap();
    assert_eq!(runs(&set), [(0x1000, 0x2000), (u64::MAX - 10, u64::MAX)]);
    set.remove(PhysRange::from_size(PhysAddr::new(0x1000), u64::MAX)).unwrap();
    assert_eq!(runs(&set), []);
}

#[test]
fn a_full_set_says_so_and_stays_whole() {
    let mut set = RangeSet::default();
    for i in 0..MOST as u64 {
        set.insert(range(i * 0x4000, i * 0x4000 + 0x3000)).unwrap();
    }
    let before = runs(&set);
    let more = range(0x100_0000, 0x100_1000);
    let error = set.insert(more).unwrap_err();
    assert_eq!(error, TooManyRuns { range: more, most: MOST });
    let text = std::format!("{more} makes more than {MOST} separate runs of memory");
    assert_eq!(error.to_string(), text);
    assert!(set.remove(range(0x1000, 0x2000)).is_err());
    assert_eq!(runs(&set), before);
    set.insert(range(0x3000, 0x4000)).unwrap();
    assert_eq!(set.runs().len(), MOST - 1);
}
