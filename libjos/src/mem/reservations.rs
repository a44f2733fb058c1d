//! [`Reservations`]: the memory in RAM that still holds something of the loader's.

use core::iter::once;

use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::memory_map::{GivenUp, MemoryMap};
use crate::mem::range_set::RangeSet;
use crate::mem::sweep::sweep;

/// The most runs of reserved pages that are kept apart. If there are more, the smallest gaps between
/// them are closed, and the RAM in these gaps stays unused.
pub const RESERVED_RUNS: usize = 64;

/// The pages of RAM that hold boot information, modules and the like, and must not be handed out.
#[derive(Clone, Debug)]
pub struct Reservations {
    pages: RangeSet<RESERVED_RUNS>,
    given_up: GivenUp,
}

impl Reservations {
    /// Reserves every page that one of `parts` touches. The parts may be in any order and overlap; they
    /// are passed over many times. `memory` tells how much RAM lies in a gap that must be closed.
    #[must_use]
    pub fn new(parts: impl Iterator<Item = PhysRange> + Clone, memory: &MemoryMap) -> Self {
        let mut all = Self { pages: RangeSet::default(), given_up: GivenUp::default() };
        let everything = PhysRange::below(PhysAddr::new(u64::MAX));
        let none = core::iter::empty();
        let read_to = sweep(everything, parts, none, |run| all.insert(run, memory));
        // All memory that the sweep did not reach may be reserved.
        all.insert(PhysRange::new(read_to, everything.end_exclusive), memory);
        all
    }

    /// Adds the pages of `run`, which begins above all others. If there is no place for a further
    /// run, closes the smallest gap.
    fn insert(&mut self, run: PhysRange, memory: &MemoryMap) {
        let run = run.covering_pages();
        while self.pages.insert(run).is_err() {
            let runs = self.pages.runs();
            let ends = runs.iter().map(|run| run.end_exclusive);
            let starts = runs.iter().skip(1).chain(once(&run)).map(|run| run.start);
            let gaps = ends.zip(starts).map(|(end, start)| PhysRange::new(end, start));
            let Some(gap) = gaps.min_by_key(PhysRange::size) else {
                unreachable!("a full set has runs")
            };
            let Ok(()) = self.pages.insert(gap) else { unreachable!("filling a gap adds no run") };
            self.given_up.add(memory.usable().size_within(&gap));
        }
    }

    /// The runs of reserved pages, from the lowest up.
    #[must_use]
    pub fn runs(&self) -> &[PhysRange] {
        self.pages.runs()
    }

    /// Whether the page of `pa` is reserved.
    #[must_use]
    pub fn contains(&self, pa: PhysAddr) -> bool {
        self.pages.contains(pa)
    }

    /// The gaps that were closed, and the RAM in them.
    #[must_use]
    pub fn given_up(&self) -> GivenUp {
        self.given_up
    }
}
