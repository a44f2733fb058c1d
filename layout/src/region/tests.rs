//! Tests of `assert_tiles`, with tables that are no map.

use super::*;

fn row(base: u64, size: u64) -> Region {
    Region { name: "", base, size, content: Content::Empty, access: "" }
}

#[test]
fn rows_that_touch_are_a_map() {
    assert_tiles(&[row(0x3000, 0x1000), row(0x3000, 0), row(0, 0x3000)], 0x3FFF);
}

#[test]
#[should_panic(expected = "regions must touch")]
fn a_gap_is_none() {
    assert_tiles(&[row(0x3000, 0x1000), row(0, 0x2000)], 0x3FFF);
}

#[test]
#[should_panic(expected = "regions are whole pages")]
fn half_a_page_is_none() {
    assert_tiles(&[row(0x3800, 0x800), row(0, 0x3800)], 0x3FFF);
}

#[test]
#[should_panic(expected = "the lowest region begins at 0")]
fn what_ends_above_0_is_none() {
    assert_tiles(&[row(0x1000, 0x3000)], 0x3FFF);
}
