//! The marks of the map.

use super::*;
use layout::Jos64;

#[test]
fn what_the_map_does_not_allow_is_marked() {
    let region = |va| layout::region_of::<Jos64>(va).unwrap();
    let window = region(Jos64::KERNBASE);
    assert_eq!(mark(window, Perm::KRW), " W");
    assert_eq!(mark(window, Perm::KRX), " X");
    assert_eq!(mark(window, Perm::KR), "");
    assert_eq!(mark(window, Perm::KRW | Perm::X), " WX!");
    assert_eq!(mark(window, Perm::UR), " !");
    assert_eq!(mark(window, Perm::URW), " W!");
    assert_eq!(mark(region(Jos64::UPAGES), Perm::UR), "");
    assert_eq!(mark(region(Jos64::UPAGES), Perm::URW), " W!");
    assert_eq!(mark(region(Jos64::KSTACK - 1), Perm::KR), " !");
    assert_eq!(mark(region(Jos64::UTEXT), Perm::URW), " W");
}
