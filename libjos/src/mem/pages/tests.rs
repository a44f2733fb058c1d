//! Tests of runs, against a plain set of free frames, and of how long searches take.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::vec::Vec;

use layout::{GB, Jos64, MB, PGSIZE};
use proptest::prelude::*;

use super::{ALLOC_ZERO, Pages};
use super::{AllocFlags, Block, Frame, MAX_ORDER, PageAllocator, PageError, PageInfo};
use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::paging::format::x86_64::X86_64;
use crate::sim::{SimMachine, memory::SimMemory};

/// An allocator alone, for more frames than there is memory.
struct Rig {
    pages: Pages,
    /// A machine for `page_alloc`, which touches no frame here.
    machine: SimMachine<Jos64, X86_64>,
}

impl Rig {
    /// For `ram` bytes, of which those in `free` are free.
    fn new(ram: u64, free: &[(u64, u64)]) -> Self {
        let npages = (ram / PGSIZE) as usize;
        let at_table = (npages as u64 * 8).next_multiple_of(PGSIZE);
        let table_len = Block::table_len(npages);
        let arrays = SimMemory::new(0, at_table + table_len as u64 * 8);
        // SAFETY: nobody else has this memory, in which they lie side by side.
        let [array, table] = unsafe {
            [(0, npages), (at_table, table_len)]
                .map(|(at, len)| arrays.page_array(PhysAddr::new(at), len))
        };
        let mut pages = Pages::new(array, table, PhysAddr::new(0));
        pages.page_init(&free_set(free));
        Self { pages, machine: SimMachine::new(2 * MB).0 }
    }

    fn alloc(&mut self) -> Option<Frame> {
        self.pages.page_alloc(&self.machine, AllocFlags::empty())
    }

    fn alloc_run(&mut self, order: u32) -> Option<Frame> {
        self.pages.page_alloc_run(&self.machine, AllocFlags::empty(), order)
    }
}

/// Frames of these bytes.
fn free_set(free: &[(u64, u64)]) -> Vec<PhysRange> {
    let range =
        |(start, end): &(u64, u64)| PhysRange::new(PhysAddr::new(*start), PhysAddr::new(*end));
    free.iter().map(range).collect()
}

/// A number that is no mark is a link.
#[test]
fn links_name_as_many_frames_as_numbers_can() {
    let marks = [PageInfo::IN_USE, PageInfo::RESERVED];
    let lowest = marks.into_iter().min().expect("there are some");
    assert_eq!((marks[0] - lowest) as usize, marks.len() - 1, "{marks:x?}");
    assert_eq!(PageInfo::END, lowest - 1);
}

fn frame(index: usize) -> Frame {
    Frame::new(index as u32)
}

/// What happens to an allocator. Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Op {
    Alloc,
    AllocMany(usize),
    Free(usize),
    AllocRun(u32),
    FreeRun(usize),
    /// Its frames go back one by one.
    FreeSingly(usize),
    /// Its frames lose their uses, and come back.
    Release(usize),
    FreeEverySecond,
}

fn op() -> impl Strategy<Value = Op> {
    let order = prop_oneof![0..10_u32, 9..12_u32];
    prop_oneof![
        3 => Just(Op::Alloc),
        1 => (0..1500_usize).prop_map(Op::AllocMany),
        6 => any::<usize>().prop_map(Op::Free),
        6 => order.prop_map(Op::AllocRun),
        2 => any::<usize>().prop_map(Op::FreeRun),
        1 => any::<usize>().prop_map(Op::FreeSingly),
        1 => any::<usize>().prop_map(Op::Release),
        1 => Just(Op::FreeEverySecond),
    ]
}

/// The plain model: which frames are free, and which runs are out.
struct Model {
    rig: Rig,
    free: BTreeSet<usize>,
    singles: Vec<usize>,
    runs: BTreeMap<usize, u32>,
    /// Frames allocated and freed.
    changes: u64,
    /// Searches, by their size in frames.
    asked: u64,
}

impl Model {
    fn take(&mut self, first: Frame, order: u32) {
        for index in first.index()..first.index() + (1 << order) {
            assert!(self.free.remove(&index), "frame {index} was not free");
            assert_eq!(self.rig.pages.info(frame(index)), PageInfo::in_use(0));
        }
        self.changes += 1 << order;
    }

    fn put(&mut self, first: usize, order: u32) {
        self.free.extend(first..first + (1 << order));
        self.changes += 1 << order;
    }

    fn has_run(&self, order: u32) -> bool {
        let is_run = |first: usize| {
            first.is_multiple_of(1 << order)
                && self.free.range(first..first + (1 << order)).count() == 1 << order
        };
        self.free.iter().any(|first| is_run(*first))
    }

    fn some_run(&self, which: usize) -> Option<(usize, u32)> {
        let (first, order) = self.runs.iter().nth(which % self.runs.len().max(1))?;
        Some((*first, *order))
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Alloc => self.alloc(),
            Op::AllocMany(count) => (0..count).for_each(|_| self.alloc()),
            Op::Free(which) if !self.singles.is_empty() => {
                let index = self.singles.swap_remove(which % self.singles.len());
                self.free_single(index);
            }
            Op::FreeEverySecond => {
                let freed: Vec<usize> = self.singles.iter().copied().step_by(2).collect();
                self.singles = self.singles.iter().copied().skip(1).step_by(2).collect();
                freed.into_iter().for_each(|index| self.free_single(index));
            }
            Op::AllocRun(order) => {
                let has_run = self.has_run(order);
                self.asked += 1 << order;
                let run = self.rig.alloc_run(order);
                assert_eq!(run.is_some(), has_run, "order {order}");
                if let Some(first) = run {
                    assert!(first.index().is_multiple_of(1 << order), "{first:?}, order {order}");
                    self.take(first, order);
                    self.runs.insert(first.index(), order);
                }
            }
            Op::FreeRun(which) => {
                let Some((first, order)) = self.some_run(which) else { return };
                self.rig.pages.page_free_run(frame(first), order);
                self.runs.remove(&first);
                self.put(first, order);
            }
            Op::FreeSingly(which) => {
                let Some((first, order)) = self.some_run(which) else { return };
                for index in first..first + (1 << order) {
                    self.rig.pages.page_incref(frame(index)).unwrap();
                    self.rig.pages.page_decref(frame(index));
                }
                self.runs.remove(&first);
                self.put(first, order);
            }
            Op::Release(which) => {
                let Some((first, order)) = self.some_run(which) else { return };
                self.release(first, 1 << order);
                self.runs.remove(&first);
                self.put(first, order);
            }
            Op::Free(_) => {}
        }
    }

    fn alloc(&mut self) {
        let single = self.rig.alloc();
        assert_eq!(single.is_some(), !self.free.is_empty());
        if let Some(single) = single {
            self.take(single, 0);
            self.singles.push(single.index());
        }
    }

    fn free_single(&mut self, index: usize) {
        self.rig.pages.page_free(frame(index));
        self.put(index, 0);
    }

    /// All of these frames are unmapped; every third stays, for it has another use.
    fn release(&mut self, first: usize, count: usize) {
        let pages = &mut self.rig.pages;
        for index in first..first + count {
            pages.page_incref(frame(index)).unwrap();
            if index % 3 == 0 {
                pages.page_incref(frame(index)).unwrap();
            }
        }
        let pa = |index: usize| PhysAddr::new(index as u64 * PGSIZE);
        let all = first..first + count;
        let once = all.clone().filter(|index| index % 3 != 0).count();
        let freed = pages.release(|releases| {
            all.clone().for_each(|index| releases.release(pa(index), 1));
        });
        assert_eq!(freed, once);
        for index in all.clone() {
            assert_eq!(pages.pp_ref(frame(index)), u32::from(index % 3 == 0));
        }
        let freed = pages.release(|releases| {
            all.filter(|index| index % 3 == 0).for_each(|index| releases.release(pa(index), 1));
        });
        assert_eq!(freed, count - once);
    }

    /// The list has all that is free, the table is whole, and searches have not taken more than
    /// what was asked, and one look into a block (or at a group) for each frame that changed.
    fn check(&mut self) {
        let list: Vec<usize> = self.rig.pages.page_free_list().map(Frame::index).collect();
        if let Some(last) = list.last() {
            assert_eq!(self.rig.pages.page_free_list_end() as usize, *last);
        }
        for pair in list.windows(2) {
            let second = self.rig.pages.info(frame(pair[1]));
            assert_eq!(second.pp_ref_or_prev as usize, pair[0], "frame {}", pair[1]);
        }
        assert_eq!(list.into_iter().collect::<BTreeSet<_>>(), self.free);
        assert_eq!(self.rig.pages.nfree(), self.free.len());
        self.rig.pages.check_runs();
        let most = 3 * self.asked + 2 * 512 * (self.changes + self.free.len() as u64);
        assert!(self.rig.pages.run_search_steps() <= most);
    }
}

const HOLES: [(u64, u64); 3] = [(PGSIZE, 5 * MB), (6 * MB, 11 * MB + PGSIZE), (16 * MB, 30 * MB)];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    #[cfg_attr(miri, ignore = "sets of thousands of frames")]
    fn runs_agree_with_a_plain_set(ops in prop::collection::vec(op(), 1..40)) {
        let rig = Rig::new(31 * MB, &HOLES);
        let free: BTreeSet<usize> = rig.pages.page_free_list().map(Frame::index).collect();
        let (singles, runs) = (Vec::new(), BTreeMap::new());
        let mut model = Model { rig, free, singles, runs, changes: 0, asked: 0 };
        for op in ops {
            model.apply(op);
            model.check();
        }
    }
}

/// Fragments the lowest 20 MB, and asks for runs of all sizes; what the searches took.
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
    // All frames of a block, which might not be whole, and then the run; the next time it is found
    // not to be, and the run is its second; from then on that is known.
    assert_eq!([(); 3].map(|()| taken(&mut rig, 3)), [512 + 8, 512 + 16, 24]);
    // A whole block is not looked at twice.
    assert_eq!(taken(&mut rig, 9), 512);
    assert_eq!(rig.pages.largest_run(), Some(9));
    while rig.alloc().is_some() {}
    assert_eq!(rig.pages.largest_run(), None);
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
    // Of block 0 all but frame 511 is free again, of block 1 eight frames.
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

/// A run of neighbours stays one on the list, behind what was free before; frames that come alone
/// are the next to be allocated, the last one first.
#[test]
fn what_is_released_is_free_in_order() {
    // More than are counted at once.
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
    });
    assert_eq!(freed, 1103);
    let list: Vec<usize> = rig.pages.page_free_list().map(Frame::index).collect();
    assert!(list.into_iter().eq([2500, 2300, 2400].into_iter().chain(1024..2124)));
    assert_eq!(rig.alloc_run(9), Some(frame(1024)));
    rig.pages.check_runs();
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

#[test]
fn page_init_ends_what_was_set_aside() {
    let mut rig = Rig::new(4 * MB, &[(2 * MB, 4 * MB)]);
    let lost = rig.pages.set_aside_free_list();
    assert_eq!(lost.nfree(), 512);
    rig.pages.page_init(&free_set(&[(2 * MB, 4 * MB)]));
    assert_eq!(rig.alloc_run(9), Some(frame(512)));
}

#[test]
fn page_init_keeps_nothing_of_an_earlier_state() {
    let mut rig = Rig::new(6 * MB, &[(0, 2 * MB)]);
    assert!(rig.alloc_run(3).is_some());
    rig.pages.page_init(&free_set(&[(0, 6 * MB)]));
    assert_eq!(rig.pages.run_search_steps(), 0);
    assert_eq!(rig.alloc_run(9), Some(frame(0)), "of whole blocks the lowest comes first");
}

/// Words of `pages` are RAM, and anyone may write to RAM. No reference is alive meanwhile, which
/// Miri sees, and what was written is what is read.
#[test]
fn the_machine_may_write_to_pages() {
    let machine = SimMemory::new(0, 4 * PGSIZE);
    // SAFETY: nobody has references into simulated memory.
    let array = |at, len| unsafe { machine.page_array(PhysAddr::new(at), len) };
    let table = array(2 * PGSIZE, Block::table_len(512));
    let mut pages = Pages::new(array(0, 512), table, PhysAddr::new(0));
    pages.page_init(&free_set(&[(PGSIZE, 2 * MB)]));
    let set = |index: u64, info: PageInfo| machine.store(PhysAddr::new(index * 8), info.word());

    let mut infos = pages.infos();
    assert_eq!((infos.next(), infos.len()), (Some(PageInfo::reserved()), 511));
    set(1, PageInfo::in_use(7));
    assert_eq!(infos.next(), Some(PageInfo::in_use(7)));

    let mut list = pages.page_free_list();
    set(1, PageInfo { pp_link: 2, pp_ref_or_prev: 0 });
    assert_eq!(list.next(), Some(frame(1)));
    set(2, PageInfo { pp_link: 5, pp_ref_or_prev: 1 });
    assert_eq!([(); 2].map(|()| list.next()), [Some(frame(2)), Some(frame(5))]);

    drop((infos, list));
    let freed = pages.release(|releases| {
        set(9, PageInfo::in_use(2));
        releases.release(PhysAddr::new(9 * PGSIZE), 1);
        set(11, PageInfo::in_use(3));
        releases.release(PhysAddr::new(11 * PGSIZE), 1);
    });
    assert_eq!([9, 11].map(|index| pages.pp_ref(frame(index))), [1, 2]);
    assert_eq!(freed, 0);
}

#[test]
fn frames_end_where_pages_does() {
    let rig = Rig::new(2 * MB, &[(MB, 2 * MB)]);
    assert_eq!(rig.pages.pa2page(PhysAddr::new(2 * MB - 1)), Some(frame(511)));
    assert_eq!(rig.pages.pa2page(PhysAddr::new(2 * MB)), None);
}

#[test]
fn a_list_that_runs_in_a_circle_ends() {
    let mut rig = Rig::new(MB, &[(0, MB)]);
    assert_eq!(rig.pages.page_free_list().count(), 256);
    rig.pages.array_mut()[255].pp_link = 0;
    assert_eq!(rig.pages.page_free_list().count(), 256 + 1, "one more than there can be");
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
