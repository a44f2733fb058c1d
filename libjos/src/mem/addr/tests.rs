//! Tests of addresses and ranges of them.

use super::*;

fn range(start: u64, end: u64) -> PhysRange {
    PhysRange::new(PhysAddr::new(start), PhysAddr::new(end))
}

#[test]
fn ranges_that_touch_do_not_overlap() {
    let (low, high) = (range(0x1000, 0x2000), range(0x2000, 0x3000));
    assert!(!low.overlaps(&high) && !high.overlaps(&low));
    let both = range(0x1fff, 0x2001);
    assert!(low.overlaps(&both) && both.overlaps(&low) && high.overlaps(&both));
    // An empty range overlaps nothing, wherever it is.
    let empty = range(0x1800, 0x1800);
    assert!(!low.overlaps(&empty) && !empty.overlaps(&low));
}

#[test]
fn pages_inside_and_pages_around() {
    assert_eq!(range(0x1001, 0x3fff).whole_pages(), range(0x2000, 0x3000));
    assert_eq!(range(0x1001, 0x3fff).covering_pages(), range(0x1000, 0x4000));
    assert_eq!(range(0x1000, 0x3000).whole_pages(), range(0x1000, 0x3000));
    assert_eq!(range(0x1000, 0x3000).covering_pages(), range(0x1000, 0x3000));
    // Less than a page has none inside.
    assert!(range(0x1800, 0x1900).whole_pages().is_empty());
    assert_eq!(range(0x1800, 0x1800).covering_pages(), range(0x1800, 0x1800));
    // The last page of all has no end.
    let last = PhysRange::from_size(PhysAddr::new(u64::MAX - 5), 100);
    assert!(last.whole_pages().is_empty() && last.covering_pages().is_empty());
    let pages: Vec<u64> = range(0x1000, 0x3000).pages().map(PhysAddr::as_u64).collect();
    assert_eq!(pages, [0x1000, 0x2000]);
}

#[test]
fn addresses_and_ranges_in_print() {
    assert_eq!(
        std::format!("{} {:?}", VirtAddr::new(16), PhysAddr::new(17)),
        "0x10 PhysAddr(0x11)"
    );
    assert_eq!(std::format!("{}", range(0x1000, 0x3000)), "[0x1000, 0x3000)");
}
