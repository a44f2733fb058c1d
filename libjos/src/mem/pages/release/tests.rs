//! Tests of uses that are counted down together.

use std::vec::Vec;

use layout::{MB, PGSIZE};

use super::*;
use crate::mem::pages::tests::{Rig, frame};

/// A run of neighbours stays together on the list, behind the frames that were free before. Frames
/// that come alone are the next to be allocated, the last one first.
#[test]
fn what_is_released_is_free_in_order() {
    // Longer runs than are checked at a time.
    let mut rig = Rig::new(16 * MB, &[(4 * MB, 10 * MB)]);
    let taken: Vec<Frame> = (0..1536).map(|_| rig.alloc().expect("6 MB are free")).collect();
    taken.iter().for_each(|frame| rig.pages.page_incref(*frame).unwrap());
    let pa = |index: u64| PhysAddr::new(index * PGSIZE);
    let freed = rig.pages.release(|releases| {
        releases.release(pa(2400), 1);
        releases.release(pa(2300), 1);
        releases.release(pa(1024), 600);
        releases.release(pa(1624), 500);
        releases.release(pa(2500), 1);
        releases.release(pa(1 << 30), 7);
        // A word of 32 bits would take this one for frame 1500.
        releases.release(pa(1 << 32 | 1500), 1);
    });
    assert_eq!(freed, 1103);
    let list: Vec<usize> = rig.pages.page_free_list().map(Frame::index).collect();
    assert!(list.into_iter().eq([2500, 2300, 2400].into_iter().chain(1024..2124)));
    assert_eq!(rig.alloc_run(9), Some(frame(1024)));
    rig.pages.check_runs();
}

/// Frames that come alone may make their blocks whole again, few of them or as many as there are blocks.
#[test]
fn blocks_of_frames_that_are_released_alone_have_runs_again() {
    for freed_before in [500, 511] {
        // 8 blocks, of which one is free, and half of another.
        let mut rig = Rig::new(16 * MB, &[(4 * MB, 6 * MB), (8 * MB, 9 * MB)]);
        let mut taken: Vec<Frame> = (0..512).map(|_| rig.alloc().expect("3 MB are free")).collect();
        taken.iter().for_each(|frame| rig.pages.page_incref(*frame).unwrap());
        // The bound of the block falls to what it really has.
        let last = taken.split_off(freed_before);
        taken.iter().for_each(|frame| rig.pages.page_decref(*frame));
        assert_eq!(rig.alloc_run(9), None);
        let released = rig.pages.release(|releases| {
            last.iter().rev().for_each(|frame| releases.release(address(*frame), 1));
        });
        assert_eq!(released, 512 - freed_before);
        rig.pages.check_runs();
        assert_eq!(rig.alloc_run(9), Some(frame(1024)));
    }
}

/// A few frames that come alone cost the next search a look at their own blocks, not at all.
#[test]
fn a_frame_that_is_released_alone_is_noted_alone() {
    let mut rig = Rig::new(32 * MB, &[(2 * MB, 32 * MB)]);
    let taken: Vec<Frame> = core::iter::from_fn(|| rig.alloc()).collect();
    taken.iter().for_each(|frame| rig.pages.page_incref(*frame).unwrap());
    // No two neighbours are free, as is known of each block after the search.
    taken.iter().step_by(700).for_each(|frame| rig.pages.page_decref(*frame));
    assert_eq!(rig.alloc_run(1), None);
    let before = rig.pages.run_search_steps();
    rig.pages.release(|releases| releases.release(address(taken[100]), 1));
    assert_eq!(rig.alloc_run(1), None);
    assert_eq!(rig.pages.run_search_steps() - before, 512);
}

/// The address of a frame, if the first is at 0.
fn address(frame: Frame) -> PhysAddr {
    PhysAddr::new(frame.index() as u64 * PGSIZE)
}

#[test]
#[should_panic(expected = "page_decref: pp_ref of page 0x201000 is 0")]
fn a_use_is_not_counted_down_twice() {
    let mut rig = Rig::new(4 * MB, &[(2 * MB, 4 * MB)]);
    rig.alloc_run(2).expect("2 MB are free");
    rig.pages.page_incref(frame(513)).unwrap();
    rig.pages.release(|releases| {
        releases.release(PhysAddr::new(2 * MB + PGSIZE), 1);
        releases.release(PhysAddr::new(2 * MB + PGSIZE), 1);
    });
}

/// A reserved frame, that was mapped and is not any more.
fn reserved_once_mapped() -> Rig {
    let mut rig = Rig::new(MB, &[(PGSIZE, MB)]);
    rig.pages.page_incref(frame(0)).unwrap();
    assert_eq!(rig.pages.release(|releases| releases.release(PhysAddr::new(0), 1)), 0);
    assert_eq!(rig.pages.info(frame(0)), PageInfo::reserved());
    rig
}

#[test]
#[should_panic(expected = "page_decref: page 0x0 is reserved")]
fn a_reservation_is_not_counted_down() {
    reserved_once_mapped().pages.page_decref(frame(0));
}

#[test]
#[should_panic(expected = "page_decref: page 0x0 is reserved")]
fn a_reservation_is_not_counted_down_with_a_mapping() {
    reserved_once_mapped().pages.release(|releases| releases.release(PhysAddr::new(0), 1));
}
