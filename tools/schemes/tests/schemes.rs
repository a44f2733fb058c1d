//! The schemes of `schemes` against a plain model: which frames are in use, one by one.

#[path = "../../../libjos/tests/cases/mod.rs"]
mod cases;

use layout::{Jos64, MB, PGSIZE};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::paging::format::x86_64::X86_64;
use libjos::pmap::mem_init;
use libjos::sim::SimMachine;
use proptest::prelude::*;
use schemes::bitmap::Bitmap;
use schemes::buddy::Buddy;
use schemes::lists::{AddressOrdered, Fit};
use schemes::page_list::PageList;
use schemes::quick::QuickFit;
use schemes::{FrameScheme, Report, WrongFree};

#[derive(Clone, Copy, Debug)]
enum Op {
    Alloc(usize),
    /// Frees an allocation.
    Free(usize),
    /// Frees an allocation twice.
    FreeTwice(usize),
    /// Frees an allocation without some frames at its start and at its end.
    FreePart(usize, usize, usize),
    FreeBeyond(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let count = prop_oneof![8 => 0..10_usize, 3 => 0..70_usize, 1 => 0..600_usize];
    let any = any::<usize>();
    prop_oneof![
        8 => count.prop_map(Op::Alloc),
        5 => any.prop_map(Op::Free),
        1 => any.prop_map(Op::FreeTwice),
        1 => (any, 0..3_usize, 0..3_usize).prop_map(|(which, a, b)| Op::FreePart(which, a, b)),
        1 => (0..2000_usize, 0..2000_usize).prop_map(|(first, count)| Op::FreeBeyond(first, count)),
    ]
}

/// The places in which a scheme allocates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Places {
    /// Any hole that is large enough.
    Holes,
    /// Runs of 2^n frames, aligned to their size.
    Aligned,
}

/// The expected properties of a scheme.
struct Rules {
    places: Places,
    /// Whether the excess of 2^n frames over a request is wasted.
    rounds_up: bool,
    /// Whether adjacent free frames may stay in several pieces for a while.
    joins_late: bool,
}

struct Model<'a> {
    scheme: &'a mut dyn FrameScheme,
    rules: Rules,
    used: Vec<bool>,
    given: Vec<(usize, usize)>,
}

impl Model<'_> {
    fn footprint(&self, count: usize) -> usize {
        if self.rules.rounds_up { count.next_power_of_two() } else { count }
    }

    fn is_free(&self, first: usize, count: usize) -> bool {
        self.used.get(first..first + count).is_some_and(|used| !used.contains(&true))
    }

    /// The most frames that a request can have.
    fn largest(&self) -> usize {
        let frames = self.used.len();
        match self.rules.places {
            Places::Holes => self.used.split(|used| *used).map(<[bool]>::len).max().unwrap_or(0),
            Places::Aligned => {
                let fits = |order: &u32| {
                    (0..frames).step_by(1 << order).any(|first| self.is_free(first, 1 << order))
                };
                (0..=frames.ilog2()).rev().find(fits).map_or(0, |order| 1 << order)
            }
        }
    }

    fn set(&mut self, first: usize, count: usize, used: bool) {
        let end = first + self.footprint(count);
        self.used[first..end].fill(used);
    }

    fn apply(&mut self, op: Op) {
        let which = |which: usize| which.checked_rem(self.given.len());
        match op {
            Op::Alloc(count) => {
                let largest = self.largest();
                let wanted = match self.rules.places {
                    Places::Holes => count,
                    Places::Aligned => count.next_power_of_two(),
                };
                let first = self.scheme.alloc(count);
                assert_eq!(first.is_some(), count > 0 && wanted <= largest, "{count}, {largest}");
                if let Some(first) = first {
                    assert!(self.is_free(first, self.footprint(count)), "{first}, {count}");
                    self.set(first, count, true);
                    self.given.push((first, count));
                }
            }
            Op::Free(i) => {
                let Some(i) = which(i) else { return };
                let (first, count) = self.given.swap_remove(i);
                assert_eq!(self.scheme.free(first, count), Ok(()));
                self.set(first, count, false);
            }
            Op::FreeTwice(i) => {
                let Some(i) = which(i) else { return };
                let (first, count) = self.given[i];
                self.apply(Op::Free(i));
                self.expect_wrong(first, count);
            }
            Op::FreePart(i, before, after) => {
                let Some(i) = which(i) else { return };
                let (first, count) = self.given[i];
                let rest = count.saturating_sub(before + after);
                if before + after > 0 && (rest == 0 || self.scheme.keeps_lengths()) {
                    self.expect_wrong(first + before, rest);
                }
            }
            Op::FreeBeyond(first, count) => {
                let all_used = self.used.get(first..first + count);
                if all_used.is_none_or(|used| used.contains(&false)) {
                    self.expect_wrong(first, count);
                }
                self.expect_wrong(first, usize::MAX - first / 2);
            }
        }
    }

    fn expect_wrong(&mut self, first: usize, count: usize) {
        let before = self.scheme.report();
        assert_eq!(self.scheme.free(first, count), Err(WrongFree { first, count }));
        assert_eq!(self.scheme.report(), before);
    }

    fn check(&self) {
        let report = self.scheme.report();
        let free = self.used.iter().filter(|used| !**used).count();
        let asked: usize = self.given.iter().map(|(_, count)| count).sum();
        assert_eq!((report.frames, report.free), (self.used.len(), free));
        assert_eq!(report.internal_waste, self.used.len() - free - asked);
        if self.rules.joins_late {
            assert!(report.largest <= self.largest());
        } else {
            assert_eq!(report.largest, self.largest());
        }
    }
}

/// Runs `ops`, then frees all allocations, after which all frames are in one piece again.
fn agrees(scheme: &mut dyn FrameScheme, rules: Rules, frames: usize, ops: &[Op]) {
    let all = Report { search_steps: 0, ..scheme.report() };
    let mut model = Model { scheme, rules, used: vec![false; frames], given: Vec::new() };
    for op in ops {
        model.apply(*op);
        model.check();
    }
    while !model.given.is_empty() {
        model.apply(Op::Free(0));
    }
    model.apply(Op::Alloc(all.largest));
    model.apply(Op::Free(0));
    if !model.rules.joins_late {
        assert_eq!(Report { search_steps: 0, ..model.scheme.report() }, all);
    }
}

/// The number of frames; fewer under Miri, which makes each request slow. No code here is unsafe.
const FRAMES: usize = 1500;
const REQUESTS: usize = 60;

const HOLES: Rules = Rules { places: Places::Holes, rounds_up: false, joins_late: false };

proptest! {
    #![proptest_config(cases::config(64))]

    #[test]
    fn bitmap(frames in 1..FRAMES, ops in prop::collection::vec(op(), 1..REQUESTS)) {
        let mut words = vec![u64::MAX; frames.div_ceil(64)];
        agrees(&mut Bitmap::new(&mut words, frames), HOLES, frames, &ops);
    }

    #[test]
    fn first_fit(frames in 1..FRAMES, ops in prop::collection::vec(op(), 1..REQUESTS)) {
        let mut books = vec![Default::default(); frames];
        agrees(&mut AddressOrdered::new(&mut books, Fit::First), HOLES, frames, &ops);
    }

    #[test]
    fn best_fit(frames in 1..FRAMES, ops in prop::collection::vec(op(), 1..REQUESTS)) {
        let mut books = vec![Default::default(); frames];
        agrees(&mut AddressOrdered::new(&mut books, Fit::Best), HOLES, frames, &ops);
    }

    #[test]
    fn quick_fit(frames in 1..FRAMES, ops in prop::collection::vec(op(), 1..REQUESTS)) {
        let mut books = vec![Default::default(); frames];
        let rules = Rules { joins_late: true, ..HOLES };
        agrees(&mut QuickFit::new(&mut books), rules, frames, &ops);
    }

    #[test]
    fn buddy(frames in 1..FRAMES, ops in prop::collection::vec(op(), 1..REQUESTS)) {
        let mut books = vec![Default::default(); frames];
        let rules = Rules { places: Places::Aligned, rounds_up: true, joins_late: false };
        agrees(&mut Buddy::new(&mut books), rules, frames, &ops);
    }

    #[test]
    fn page_free_list(frames in 1..FRAMES, ops in prop::collection::vec(op(), 1..REQUESTS)) {
        let (machine, boot) = SimMachine::<Jos64, X86_64>::new(16 * MB);
        let mut pmap = mem_init(machine, boot);
    let (machine, pages) = pmap.machine_and_pages();
        let range = PhysRange::from_size(PhysAddr::new(8 * MB), frames as u64 * PGSIZE);
        let mut list = PageList::new(pages, machine, range);
        let rules = Rules { places: Places::Aligned, ..HOLES };
        agrees(&mut list, rules, frames, &ops);
    }
}

#[test]
fn page_free_list_has_whole_frames_alone() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(9 * MB);
    let mut pmap = mem_init(machine, boot);
    let (machine, pages) = pmap.machine_and_pages();
    let range = PhysRange::from_size(PhysAddr::new(8 * MB + PGSIZE / 2), 3 * PGSIZE);
    let mut list = PageList::new(pages, machine, range);
    let taken = [list.alloc(1), list.alloc(1), list.alloc(1)];
    assert_eq!(taken, [Some(0), Some(1), None]);
    assert_eq!((list.free(1, 1), list.free(0, 1)), (Ok(()), Ok(())));
}

#[test]
fn fits_choose_as_they_are_called() {
    // Holes of 5, 2 and 3 frames, and one at the end.
    let cases = [(Fit::First, 0), (Fit::Best, 10)];
    for (fit, expected) in cases {
        let mut books = vec![Default::default(); 64];
        let mut list = AddressOrdered::new(&mut books, fit);
        let given =
            [5, 1, 2, 2, 3, 1].map(|count| (list.alloc(count).expect("64 are free"), count));
        for (first, count) in given.into_iter().step_by(2) {
            list.free(first, count).expect("it was given out");
        }
        assert_eq!(list.alloc(3), Some(expected), "{fit:?}");
    }
}

#[test]
fn quick_fit_gives_the_same_frames_again() {
    let mut books = vec![Default::default(); 64];
    let mut quick = QuickFit::new(&mut books);
    let given: Vec<usize> = (0..4).map(|_| quick.alloc(4).expect("64 are free")).collect();
    quick.free(given[2], 4).expect("it was given out");
    quick.free(given[0], 4).expect("it was given out");
    assert_eq!(quick.alloc(3), Some(16));
    let before = quick.report().search_steps;
    assert_eq!(quick.alloc(4), Some(given[0]));
    assert_eq!(quick.report().search_steps, before + 1);
    // All free frames may be on the waiting lists.
    while quick.alloc(1).is_some() {}
    assert_eq!(quick.report().largest, 0);
    quick.free(given[0], 4).expect("it was given out");
    assert_eq!(quick.report().largest, 4);
}

#[test]
fn best_fit_takes_the_lowest_of_those_that_fit_as_well() {
    let mut books = vec![Default::default(); 64];
    let mut list = AddressOrdered::new(&mut books, Fit::Best);
    let given = [3, 1, 3, 1].map(|count| (list.alloc(count).expect("64 are free"), count));
    for (first, count) in [given[2], given[0]] {
        list.free(first, count).expect("it was given out");
    }
    assert_eq!(list.alloc(2), Some(given[0].0));
}

#[test]
fn a_request_can_have_all_there_is() {
    let all = |scheme: &mut dyn FrameScheme| {
        assert_eq!([65, 64, 1].map(|count| scheme.alloc(count)), [None, Some(0), None]);
    };
    all(&mut Bitmap::new(&mut [u64::MAX], 64));
    all(&mut AddressOrdered::new(&mut vec![Default::default(); 64], Fit::First));
    all(&mut AddressOrdered::new(&mut vec![Default::default(); 64], Fit::Best));
    all(&mut QuickFit::new(&mut vec![Default::default(); 64]));
    all(&mut Buddy::new(&mut vec![Default::default(); 64]));
}

#[test]
fn fragmentation_is_what_the_largest_request_cannot_have() {
    let report = Report { free: 10, largest: 4, ..Report::default() };
    assert!((report.external_fragmentation() - 0.6).abs() < 1e-9);
    assert!(Report::default().external_fragmentation() == 0.0);
}

#[test]
fn a_wrong_free_in_words() {
    let text = WrongFree { first: 7, count: 3 }.to_string();
    assert_eq!(text, "3 frames from number 7 on were not given out so");
}

/// The reports of all schemes after the same work.
#[test]
fn schemes_report_what_they_are_and_did() {
    fn report(scheme: &mut dyn FrameScheme) -> (&'static str, bool, usize, usize, u64) {
        let given = [5, 1, 2, 4].map(|count| (scheme.alloc(count).expect("64 are free"), count));
        for (first, count) in [given[0], given[2], given[1]] {
            scheme.free(first, count).expect("it was given out");
        }
        let Report { largest, metadata_bytes, search_steps, .. } = scheme.report();
        (scheme.name(), scheme.keeps_lengths(), largest, metadata_bytes, search_steps)
    }
    // Name, whether it keeps lengths, largest hole, bytes of its records, steps of all searches.
    let mut words = [u64::MAX];
    assert_eq!(
        report(&mut Bitmap::new(&mut words, 64)),
        ("bitmap, first fit", false, 52, 64 / 8, 7)
    );
    let mut chunks = vec![Default::default(); 64];
    assert_eq!(
        report(&mut AddressOrdered::new(&mut chunks, Fit::First)),
        ("list, first fit", true, 52, 64 * 8, 6)
    );
    let mut chunks = vec![Default::default(); 64];
    assert_eq!(
        report(&mut AddressOrdered::new(&mut chunks, Fit::Best)),
        ("list, best fit", true, 52, 64 * 8, 6)
    );
    let mut chunks = vec![Default::default(); 64];
    assert_eq!(report(&mut QuickFit::new(&mut chunks)), ("quick fit", true, 52, 64 * 8 + 8 * 4, 4));
    let mut blocks = vec![Default::default(); 64];
    assert_eq!(report(&mut Buddy::new(&mut blocks)), ("buddy system", true, 32, 64 * 16 + 128, 15));
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let (machine, pages) = pmap.machine_and_pages();
    let range = PhysRange::from_size(PhysAddr::new(4 * MB), 64 * PGSIZE);
    // The records are two tables: one for frames, and one of 12 bytes for each block and group.
    assert_eq!(
        report(&mut PageList::new(pages, machine, range)),
        ("page_free_list, runs", false, 32, 64 * 8 + 2 * 12, 512 + 3 * 64)
    );
}
