//! Tests of the table of areas.

use super::*;
use layout::{Jos32, Jos64};

use crate::app::area::VmArea;
use crate::app::with;
use crate::sim::SimPlatform;

#[test]
fn all_addresses_can_be_taken() {
    take_all::<Jos32>();
    // A host with 32 bits cannot count the pages of a map with 64.
    if usize::BITS == 64 {
        take_all::<Jos64>();
    }
}

fn take_all<L: MemLayout>() {
    let Range { start, end } = area_addresses::<L>();
    let all = usize::try_from((end - start) / PGSIZE).unwrap();
    let mut areas = Areas::new::<L>();
    assert_eq!(areas.reserve(all), None, "a page behind it is needed");
    assert_eq!(areas.reserve(all - 1), Some(VirtAddr::new(start)));
    assert_eq!(areas.reserve(0), None);
}

/// Such a fault is a bug, to be reported. Waiting for the change to end would take forever.
#[test]
fn a_fault_while_areas_change_is_not_resolved() {
    let run = SimPlatform::new().run(|| {
        let area = VmArea::reserve(1).unwrap();
        area.on_fault(|area, _| area.map(0..1, Access::ReadWrite).is_ok());
        let fault = Fault { va: area.base(), present: false, write: false };
        with(|platform| {
            let change = lock(platform);
            assert!(!resolve(platform, &fault));
            drop(change);
            assert!(resolve(platform, &fault));
        });
    });
    assert!(run.code.is_success());
}

#[test]
#[should_panic(expected = "the areas are asked for while they change")]
fn areas_are_not_asked_for_while_they_change() {
    SimPlatform::new().run(|| {
        with(|platform| {
            let _change = lock(platform);
            let _ = VmArea::reserve(1);
        });
    });
}

#[test]
fn an_area_ends_where_the_page_behind_it_begins() {
    let mut areas = Areas::new::<Jos64>();
    let base = areas.reserve(2).unwrap();
    let mut found = |offset| areas.find(base + offset).map(|(base, area)| (base, area.npages));
    assert_eq!(found(2 * PGSIZE - 1), Some((base, 2)));
    assert_eq!(found(2 * PGSIZE), None);
    assert_eq!(std::format!("{areas:?}"), "{VirtAddr(0x400000000000): 2}");
}
