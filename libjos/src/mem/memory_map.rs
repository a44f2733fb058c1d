//! [`MemoryMap`]: the loader's list of memory, made fit to be trusted.
//!
//! A loader's list may be unsorted, overlap itself, contain empty or wrapping entries, and cut
//! pages in two. The map is the RAM alone, in whole pages. If two entries disagree about a byte, the
//! more restrictive one counts. Entries are joined and cut to the byte; the result is rounded to
//! whole pages last.

use core::cmp::Reverse;
use core::fmt;
use core::iter::once;

use layout::{KB, MemLayout, PGSIZE};

use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::range_set::RangeSet;
use crate::mem::sweep::sweep;

/// The most pieces of RAM that a map keeps. If there are more, it gives up the smallest. A PC's firmware
/// reports about ten, UEFI's some hundred, most of which merge; a list of bad RAM has any number.
pub const RAM_RUNS: usize = 128;

/// The kind of memory in a range, as the loader's list has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryKind {
    /// RAM, free for the kernel.
    Usable,
    /// Anything else: devices, firmware, ACPI tables, broken RAM.
    Reserved,
}

/// An entry of the loader's list, unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryMapEntry {
    /// The first physical address.
    pub base: u64,
    /// Bytes; the end may wrap.
    pub length: u64,
    /// The kind of memory.
    pub kind: MemoryKind,
}

/// Pieces of RAM that a set of ranges had no room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GivenUp {
    /// Their number.
    pub pieces: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl GivenUp {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.pieces += 1;
        self.bytes += bytes;
    }
}

/// The RAM of the machine, in whole pages.
#[derive(Clone, Debug)]
pub struct MemoryMap {
    usable: RangeSet<RAM_RUNS>,
    /// RAM from here on is not used; the start of a page.
    pub(crate) limit: PhysAddr,
    /// Bytes of RAM below `PHYS_BASE`; not in `usable`.
    below: u64,
    /// Bytes of RAM beyond the end that was known when the map was made; not in `usable`.
    beyond: u64,
    given_up: GivenUp,
    /// The address at which reading a list with too many entries ended.
    unread: Option<PhysAddr>,
}

impl MemoryMap {
    /// Reads a loader's list, in any order, for a machine with the map `L`. `entries` is passed over
    /// many times. RAM from `limit` on is left unused, as by [`limit`](Self::limit).
    ///
    /// RAM in more than [`RAM_RUNS`] pieces loses the smallest. Half of the places are for pieces in
    /// the window at KERNBASE, if it has as many: there the kernel needs RAM.
    #[must_use]
    pub fn new<L: MemLayout>(
        entries: impl Iterator<Item = MemoryMapEntry> + Clone,
        limit: Option<PhysAddr>,
    ) -> Self {
        let mut map = Self {
            usable: RangeSet::default(),
            limit: PhysAddr::new(u64::MAX).page_start(),
            below: 0,
            beyond: 0,
            given_up: GivenUp::default(),
            unread: None,
        };
        if let Some(limit) = limit {
            map.limit(limit);
        }
        let shown = PhysRange::new(PhysAddr::new(L::PHYS_BASE), map.used_end::<L>());
        let of_kind = |kind| {
            let entries = entries.clone().filter(move |entry| entry.kind == kind);
            entries.map(|entry| PhysRange::from_size(PhysAddr::new(entry.base), entry.length))
        };
        let (usable, reserved) = (of_kind(MemoryKind::Usable), of_kind(MemoryKind::Reserved));
        let all = PhysRange::below(PhysAddr::new(u64::MAX));
        let read_to = sweep(all, usable, reserved, |run| {
            let run = run.whole_pages();
            let kept = run.intersection(&shown);
            let below = run.intersection(&PhysRange::below(shown.start)).size();
            map.below += below;
            map.beyond += run.size() - below - kept.size();
            map.keep_largest::<L>(kept);
        });
        if read_to < all.end_exclusive {
            map.limit(read_to);
            map.unread = Some(read_to);
        }
        map
    }

    /// Adds `run`, which lies above all others. If there is no place for it, gives up one of them
    /// all.
    fn keep_largest<L: MemLayout>(&mut self, run: PhysRange) {
        while self.usable.insert(run).is_err() {
            let window = window::<L>();
            let is_shown = |run: &PhysRange| window.contains(run.start);
            let nr_shown = self.usable.runs().iter().filter(|run| is_shown(run)).count();
            let from_window = nr_shown > RAM_RUNS / 2;
            // The smallest of the candidates, and of equal ones the highest.
            let candidates = self.usable.runs().iter().chain(once(&run));
            let smallest = candidates
                .filter(|run| is_shown(run) == from_window)
                .min_by_key(|run| (run.size(), Reverse(run.start)));
            let Some(&smallest) = smallest else { return };
            self.given_up.add(smallest.size());
            // A whole run is removed, so none is split.
            if smallest == run || self.usable.remove(smallest).is_err() {
                return;
            }
        }
    }

    /// Leaves RAM from `limit` on unused, and the whole page that it lies in. The lowest limit
    /// counts.
    pub fn limit(&mut self, limit: PhysAddr) {
        self.limit = self.limit.min(limit.page_start());
    }

    /// The RAM, without pieces that were given up and without RAM below the window, or above a limit that
    /// was known from the start.
    #[must_use]
    pub fn usable(&self) -> &RangeSet<RAM_RUNS> {
        &self.usable
    }

    /// The RAM that the map `L` can show and that no limit forbids, from the bottom up.
    pub fn used<L: MemLayout>(&self) -> impl Iterator<Item = PhysRange> + Clone + '_ {
        let used = PhysRange::new(PhysAddr::new(L::PHYS_BASE), self.used_end::<L>());
        self.usable
            .runs()
            .iter()
            .filter_map(move |run| Some(run.intersection(&used)).filter(|run| !run.is_empty()))
    }

    /// The first physical address whose RAM is not used: the limit, or the end of the RAM that `L`
    /// has addresses for.
    #[must_use]
    pub fn used_end<L: MemLayout>(&self) -> PhysAddr {
        let shown = PhysAddr::new(L::PHYS_BASE + L::WINDOW_SIZE.max(L::PHYSMAP_MAX));
        shown.min(self.limit).max(PhysAddr::new(L::PHYS_BASE))
    }

    /// The number of frames from `PHYS_BASE` to the end of the last RAM that is used. `pages` must
    /// describe so many.
    #[must_use]
    pub fn npages<L: MemLayout>(&self) -> usize {
        let end = self.used::<L>().last().map_or(L::PHYS_BASE, |run| run.end_exclusive.as_u64());
        ((end - L::PHYS_BASE) / PGSIZE) as usize
    }

    /// How much RAM there is below and above 1 MB, as JOS reports it.
    #[must_use]
    pub fn totals<L: MemLayout>(&self) -> Totals {
        let up_to = |end| self.usable.size_within(&PhysRange::below(end));
        let base = up_to(PhysAddr::new(L::EXTPHYSMEM));
        let used_end = self.used_end::<L>();
        let all = self.usable.size() + self.beyond;
        let unused = all - up_to(used_end);
        let Self { below, given_up, unread, .. } = *self;
        Totals { base, extended: all - base, unused, used_end, below, given_up, unread }
    }
}

/// The physical memory that the window at KERNBASE shows.
pub(crate) fn window<L: MemLayout>() -> PhysRange {
    PhysRange::from_size(PhysAddr::new(L::PHYS_BASE), L::WINDOW_SIZE)
}

/// The sums of the RAM, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totals {
    /// Base memory, below 1 MB. 0 on machines that have none.
    pub base: u64,
    /// Extended memory, all the rest.
    pub extended: u64,
    /// The part of both that is left unused.
    pub unused: u64,
    /// The physical address where the unused part begins.
    pub used_end: PhysAddr,
    /// RAM below the window at KERNBASE, which shows the lowest RAM that can be used; in none of the sums.
    pub below: u64,
    /// RAM that the map had no room for; in none of the sums.
    pub given_up: GivenUp,
    /// The address at which reading a list with too many entries ended. Nothing is known of the RAM
    /// from here on.
    pub unread: Option<PhysAddr>,
}

/// Prints JOS's opening line, and a further line for each kind of RAM that is left unused.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, extended, unused, used_end, below, given_up, unread } = *self;
        write!(
            f,
            "Physical memory: {}K available, base = {}K, extended = {}K",
            (base + extended) / KB,
            base / KB,
            extended / KB
        )?;
        if unused > 0 {
            let end = used_end.as_u64() / KB;
            write!(f, "\nUnused: {}K of RAM, all that lies above {end}K", unused / KB)?;
        }
        if below > 0 {
            write!(f, "\nGiven up: {}K of RAM below the window at KERNBASE", below / KB)?;
        }
        if given_up.pieces > 0 {
            write!(
                f,
                "\nGiven up: {}K of RAM, the {} smallest of {} pieces: {RAM_RUNS} are kept \
                 (RAM_RUNS in libjos/src/mem/memory_map.rs)",
                given_up.bytes / KB,
                given_up.pieces,
                given_up.pieces + RAM_RUNS
            )?;
        }
        if let Some(end) = unread {
            let end = end.as_u64() / KB;
            write!(
                f,
                "\nGiven up: all RAM above {end}K, for the loader's map has too many entries"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
