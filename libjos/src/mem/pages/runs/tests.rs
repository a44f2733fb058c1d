//! Tests of runs, and of how long the searches for them take.

use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::vec::Vec;

use layout::{GB, MB, PGSIZE};

use super::*;
use crate::mem::addr::PhysAddr;
use crate::mem::pages::tests::{Rig, frame};

/// Fragments the lowest 20 MB, asks for runs of all sizes, and returns the steps of the searches.
fn steps(ram: u64) -> u64 {
    let mut rig = Rig::new(ram, &[(0, ram)]);
    let singles: Vec<Frame> = (0..5000).map(|_| rig.alloc().expect("20 MB")).collect();
    for single in singles.iter().step_by(2) {
        rig.pages.page_free(*single);
    }
    let mut runs = Vec::new();
    for order in (1..=12).chain((1..=9).rev()) {
        runs.push((rig.alloc_run(order).expect("40 MB are in one piece"), order));
    }
    for (first, order) in runs.into_iter().step_by(2) {
        rig.pages.page_free_run(first, order);
        assert!(rig.alloc_run(order).is_some(), "one just came back");
    }
    rig.pages.run_search_steps()
}

#[test]
fn a_search_takes_as_long_in_64_mb_as_in_64_gb() {
    let large = if cfg!(miri) { 128 * MB } else { 64 * GB };
    assert_eq!(steps(64 * MB), steps(large));
}

#[test]
fn one_search_looks_at_every_frame_once_at_most() {
    let ram = if cfg!(miri) { 16 * MB } else { 256 * MB };
    let mut rig = Rig::new(ram, &[(0, ram)]);
    let singles: Vec<Frame> = core::iter::from_fn(|| rig.alloc()).collect();
    // Each block has lost a frame since the last search: its first one, or its last.
    for at in [0, 511] {
        for single in singles.iter().filter(|single| single.index() % 512 != at) {
            rig.pages.page_free(*single);
        }
        for order in [9, 11] {
            let npages = singles.len() as u64;
            let steps = |rig: &mut Rig| {
                let before = rig.pages.run_search_steps();
                assert_eq!(rig.alloc_run(order), None);
                rig.pages.run_search_steps() - before
            };
            // The first call has taken the truth down for the second, whatever the order.
            let found = [(); 2].map(|()| steps(&mut rig));
            let blocks = npages / 512;
            assert_eq!(found, if order == 9 { [npages, 0] } else { [blocks, 0] }, "order {order}");
        }
        while rig.alloc().is_some() {}
    }
}

#[test]
fn what_a_search_has_looked_at_is_counted() {
    let mut rig = Rig::new(8 * MB, &[(2 * MB, 8 * MB)]);
    let taken = |rig: &mut Rig, order| {
        let before = rig.pages.run_search_steps();
        assert!(rig.alloc_run(order).is_some());
        rig.pages.run_search_steps() - before
    };
    // First all frames of a block, which might be whole, and then the run's word. The second time the
    // block is found not to be whole, and its second run is taken. From then on its bound is known.
    assert_eq!([(); 3].map(|()| taken(&mut rig, 3)), [512 + 64, 512 + 64, 64]);
    assert_eq!((taken(&mut rig, 5), taken(&mut rig, 6)), (64, 128));
    // A whole block is not looked at twice.
    assert_eq!(taken(&mut rig, 9), 512);
}

#[test]
fn no_run_is_longer_than_what_is_free() {
    // As many frames as a block has, but half of them in one and half in the next, which ends there.
    let mut rig = Rig::new(3 * MB, &[(MB, 3 * MB)]);
    assert_eq!(rig.alloc_run(9), None);
    assert!(rig.alloc_run(8).is_some());
    let before = rig.pages.run_search_steps();
    assert_eq!([9, MAX_ORDER, 64, u32::MAX].map(|order| rig.alloc_run(order)), [None; 4]);
    assert_eq!(rig.pages.run_search_steps(), before, "for more than is free nothing is searched");
}

#[test]
fn a_run_comes_from_the_fullest_block_that_has_one() {
    let mut rig = Rig::new(8 * MB, &[(0, 8 * MB)]);
    let singles: Vec<Frame> = (0..1024).map(|_| rig.alloc().expect("8 MB are free")).collect();
    // All of block 0 but frame 511 is free again, and eight frames of block 1.
    singles[1024 - 8..].iter().for_each(|single| rig.pages.page_free(*single));
    singles[..511].iter().for_each(|single| rig.pages.page_free(*single));
    assert_eq!(rig.alloc_run(3), Some(frame(0)), "block 1 is not known yet");
    rig.pages.page_free(singles[511]);
    assert_eq!(rig.alloc_run(9), Some(frame(1024)));
    assert_eq!(rig.alloc_run(3), Some(frame(1016)));
    assert_eq!(rig.alloc_run(3), Some(frame(8)));
    assert_eq!(rig.alloc_run(8), Some(frame(256)));
}

#[test]
fn a_run_goes_to_the_end_of_the_list() {
    let mut rig = Rig::new(4 * MB, &[(2 * MB, 4 * MB)]);
    let run = rig.alloc_run(2).expect("2 MB are free");
    let single = rig.alloc().expect("2 MB are free");
    rig.pages.page_free_run(run, 2);
    rig.pages.page_free(single);
    let list: Vec<usize> = rig.pages.page_free_list().map(Frame::index).collect();
    assert_eq!(list[0], single.index());
    assert_eq!(list[508..], [512, 513, 514, 515]);
    while rig.alloc().is_some() {}
    rig.pages.page_free_run(run, 2);
    assert_eq!((rig.alloc(), rig.pages.nfree()), (Some(run), 3));
}

#[test]
#[cfg_attr(miri, ignore = "three quarters of a million frames")]
fn the_largest_run_is_a_gigabyte() {
    let mut rig = Rig::new(3 * GB, &[(PGSIZE, 3 * GB)]);
    let first = rig.alloc_run(MAX_ORDER).expect("two are free");
    assert_eq!(first, frame(1 << MAX_ORDER));
    assert_eq!(rig.alloc_run(MAX_ORDER), Some(frame(2 << MAX_ORDER)));
    assert_eq!(rig.alloc_run(MAX_ORDER), None);
    assert_eq!(rig.alloc_run(MAX_ORDER + 1), None);
    assert_eq!(rig.alloc_run(MAX_ORDER - 1), Some(frame(1 << (MAX_ORDER - 1))));
    rig.pages.page_free_run(first, MAX_ORDER);
    assert_eq!(rig.alloc_run(MAX_ORDER), Some(first));
}

#[test]
fn runs_are_zeroed_if_asked() {
    let words = || (MB..MB + 16 * PGSIZE).step_by(8);
    let mut rig = Rig::new(2 * MB, &[(MB, MB + 16 * PGSIZE)]);
    for pa in words() {
        rig.machine.store(PhysAddr::new(pa), 7_u64);
    }
    let first = rig.pages.page_alloc_run(&rig.machine, ALLOC_ZERO, 3).expect("all is free");
    let first = rig.pages.page2pa(first).as_u64();
    for pa in words() {
        let is_of_run = (first..first + 8 * PGSIZE).contains(&pa);
        let word = rig.machine.load::<u64>(PhysAddr::new(pa));
        assert_eq!(word, if is_of_run { 0 } else { 7 }, "at {pa:#x}");
    }
}

#[test]
fn a_run_that_is_not_whole_is_not_freed() {
    let mut rig = Rig::new(2 * MB, &[(MB, 2 * MB)]);
    let first = rig.alloc_run(4).expect("all is free");
    let (inside, nfree) = (frame(first.index() + 7), rig.pages.nfree());
    let pa = rig.pages.page2pa(inside);
    rig.pages.page_incref(inside).unwrap();
    let in_use = PageError::Referenced { pa, pp_ref: 1 };
    assert_eq!(rig.pages.try_page_free_run(first, 4), Err(in_use));
    rig.pages.page_decref(inside);
    assert_eq!(rig.pages.try_page_free_run(first, 4), Err(PageError::Free { pa }));
    assert_eq!(rig.pages.nfree(), nfree + 1);
    let reserved = PageError::Reserved { pa: PhysAddr::new(0) };
    assert_eq!(rig.pages.try_page_free_run(frame(0), 1), Err(reserved));
}

#[test]
fn no_run_beyond_the_end_of_pages_is_freed() {
    let mut rig = Rig::new(4 * MB, &[(2 * MB, 4 * MB)]);
    let (first, nfree) = (rig.alloc_run(4).expect("2 MB are free"), rig.pages.nfree());
    // The first two end just behind the last frame that there is, and far behind.
    for order in [10, 11].into_iter().chain(12..=130).chain([u32::MAX - 1, u32::MAX]) {
        let freed = catch_unwind(AssertUnwindSafe(|| rig.pages.try_page_free_run(first, order)));
        let panic = freed.expect_err("there is no such run");
        let says = panic.downcast_ref::<String>().expect("the order is in it");
        let expected = "frames from number 512 on, but `pages` describes 1024";
        assert_eq!(*says, format!("2^{order} {expected}"));
        assert_eq!((rig.pages.nfree(), rig.pages.info(first)), (nfree, PageInfo::in_use(0)));
    }
    // The whole of it is no run beyond the end, though others' frames are in it.
    let free = PageError::Free { pa: PhysAddr::new(2 * MB + 16 * PGSIZE) };
    assert_eq!(rig.pages.try_page_free_run(first, 9), Err(free));
    assert_eq!(rig.pages.try_page_free_run(first, 4), Ok(()));
}

#[test]
fn no_run_comes_from_a_list_that_is_set_aside() {
    let mut rig = Rig::new(4 * MB, &[(2 * MB, 4 * MB)]);
    let singles: Vec<Frame> = (0..4).map(|_| rig.alloc().expect("2 MB are free")).collect();
    let rest = rig.pages.set_aside_free_list();
    singles.iter().for_each(|single| rig.pages.page_free(*single));
    assert_eq!(rig.alloc_run(1), None);
    while rig.alloc().is_some() {}
    rig.pages.give_back(rest);
    assert_eq!(rig.alloc_run(8), Some(frame(512 + 256)));
}

#[test]
fn a_list_that_is_set_aside_twice_is_given_back_twice() {
    let mut rig = Rig::new(4 * MB, &[(2 * MB, 4 * MB)]);
    let singles: Vec<Frame> = (0..2).map(|_| rig.alloc().expect("2 MB are free")).collect();
    let outer = rig.pages.set_aside_free_list();
    let inner = rig.pages.set_aside_free_list();
    rig.pages.give_back(inner);
    singles.iter().for_each(|single| rig.pages.page_free(*single));
    assert_eq!(rig.alloc_run(1), None, "the outer one is still set aside");
    while rig.alloc().is_some() {}
    rig.pages.give_back(outer);
    assert_eq!(rig.alloc_run(8), Some(frame(512 + 256)));
}

/// The answer that `first_run` must give, found by looking at each place for a run.
fn first_run_by_places(all: &[bool], order: u32) -> Result<usize, u32> {
    let whole = |run: &[bool]| run.iter().all(|free| *free);
    let run = |order: u32| all.chunks_exact(1 << order).position(whole);
    let largest = || (0..=BLOCK_ORDER).rev().find(|order| run(*order).is_some());
    run(order).map(|place| place << order).ok_or_else(|| largest().map_or(0, |order| order + 1))
}

#[test]
fn a_search_finds_the_first_aligned_run_or_the_largest() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    // Blocks of all lengths, in which runs of frames of all orders are in use.
    for round in 0..if cfg!(miri) { 30 } else { 3_000 } {
        let mut next = |below: usize| {
            // xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below as u64) as usize
        };
        let length = if round % 3 == 0 { BLOCK } else { next(BLOCK + 1) };
        let mut all = [true; BLOCK];
        for _ in 0..next(40) {
            let (first, order) = (next(BLOCK), next(8));
            all[first..BLOCK.min(first + (1 << order))].fill(false);
        }
        let all = &all[..length];
        for order in 0..=BLOCK_ORDER {
            let found = first_run(all, |free| *free, order);
            assert_eq!(found, first_run_by_places(all, order), "order {order} in {all:?}");
        }
    }
}
