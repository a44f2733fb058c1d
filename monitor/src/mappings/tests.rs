//! The marks of the map.

use super::*;
use layout::{Jos32, Jos64};
use libjos::paging::format::i386::I386;
use libjos::paging::format::x86_64::X86_64;

#[test]
fn what_the_map_does_not_allow_is_marked() {
    let region = |va| layout::region_of::<Jos64>(va).unwrap();
    let window = region(Jos64::KERNBASE);
    assert_eq!(mark::<X86_64>(window, Perm::KRW), " W");
    assert_eq!(mark::<X86_64>(window, Perm::KRX), " X");
    assert_eq!(mark::<X86_64>(window, Perm::KR), "");
    assert_eq!(mark::<X86_64>(window, Perm::KRW | Perm::X), " WX!");
    assert_eq!(mark::<X86_64>(window, Perm::UR), " !");
    assert_eq!(mark::<X86_64>(window, Perm::URW), " W!");
    assert_eq!(mark::<X86_64>(region(Jos64::UPAGES), Perm::UR), "");
    assert_eq!(mark::<X86_64>(region(Jos64::UPAGES), Perm::URW), " W!");
    assert_eq!(mark::<X86_64>(region(Jos64::KSTACK - 1), Perm::KR), " !");
    assert_eq!(mark::<X86_64>(region(Jos64::UTEXT), Perm::URW), " W");
}

#[test]
fn a_permission_that_cannot_be_withheld_is_not_wrong() {
    let region = |va| layout::region_of::<Jos32>(va).unwrap();
    let window = region(Jos32::KERNBASE);
    assert_eq!(mark::<I386>(window, Perm::KRW | Perm::X), " WX");
    assert_eq!(mark::<I386>(window, Perm::KRX), " X");
    assert_eq!(mark::<I386>(window, Perm::URW | Perm::X), " WX!");
    assert_eq!(mark::<I386>(region(Jos32::UPAGES), Perm::UR | Perm::X), " X");
    assert_eq!(mark::<I386>(region(Jos32::UPAGES), Perm::URW | Perm::X), " WX!");
    assert_eq!(mark::<I386>(region(Jos32::KSTACK - 1), Perm::KRX), " X!");
}
