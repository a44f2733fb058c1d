//! The allocator against a plain set of free frames.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use layout::{MB, PGSIZE};
use proptest::prelude::*;

use super::{Rig, frame};
use crate::mem::addr::PhysAddr;
use crate::mem::pages::{Frame, PageAllocator, PageInfo};

/// An operation on an allocator. Those that free choose among the allocated frames or runs by a number.
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

    /// Unmaps these frames; every third one stays, for it has another use.
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

    /// The list has all free frames, the table is whole, and searches have looked at no more than the
    /// frames asked for, and one block (or group) for each frame that changed.
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
