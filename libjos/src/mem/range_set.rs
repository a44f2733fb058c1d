//! [`RangeSet`]: a set of physical pages as a few sorted runs, without an allocator.
//!
//! The memory map, the reservations and `boot_alloc`'s room are each one. The invariant: runs are
//! of whole pages, not empty, sorted, and no two overlap or touch.

use core::fmt;

use layout::PGSIZE;

use crate::mem::addr::{PhysAddr, PhysRange};

/// Runs that a set can hold. A PC's firmware reports about ten, UEFI's some hundred, most of
/// which merge.
const MAX_RUNS: usize = 64;

/// The set would have more runs than it can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyRuns {
    /// The range that did not fit.
    pub range: PhysRange,
}

impl fmt::Display for TooManyRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} makes more than {MAX_RUNS} separate runs of memory", self.range)
    }
}

impl core::error::Error for TooManyRuns {}

/// A set of physical pages, kept as sorted runs.
#[derive(Clone, Debug)]
pub struct RangeSet {
    runs: [PhysRange; MAX_RUNS],
    len: usize,
}

impl Default for RangeSet {
    fn default() -> Self {
        Self::new()
    }
}

impl RangeSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        let none = PhysRange::new(PhysAddr::new(0), PhysAddr::new(0));
        Self { runs: [none; MAX_RUNS], len: 0 }
    }

    /// The runs, from the lowest up.
    #[must_use]
    pub fn runs(&self) -> &[PhysRange] {
        &self.runs[..self.len]
    }

    /// Bytes in the set.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.runs().iter().map(PhysRange::size).sum()
    }

    /// Whether `pa` lies in the set.
    #[must_use]
    pub fn contains(&self, pa: PhysAddr) -> bool {
        self.runs().iter().any(|run| run.contains(pa))
    }

    /// Adds every whole page in `range`; the pages at its ends that it covers in part are left
    /// out.
    ///
    /// # Errors
    ///
    /// [`TooManyRuns`]; the set is then as before.
    pub fn insert(&mut self, range: PhysRange) -> Result<(), TooManyRuns> {
        let range = range.whole_pages();
        if range.is_empty() {
            return Ok(());
        }
        // The runs that the range overlaps or touches become one with it.
        let first = self.position(|run| run.end_exclusive >= range.start);
        let after = self.position(|run| run.start > range.end_exclusive);
        let mut merged = range;
        if first < after {
            merged.start = merged.start.min(self.runs[first].start);
            merged.end_exclusive = merged.end_exclusive.max(self.runs[after - 1].end_exclusive);
        }
        self.replace(first, after, &[merged]).map_err(|()| TooManyRuns { range })
    }

    /// Adds every page of which `range` covers any part.
    ///
    /// # Errors
    ///
    /// [`TooManyRuns`]; the set is then as before.
    pub fn insert_covering(&mut self, range: PhysRange) -> Result<(), TooManyRuns> {
        self.insert(range.covering_pages())
    }

    /// Takes out every page of which `range` covers any part.
    ///
    /// # Errors
    ///
    /// [`TooManyRuns`], where it would split a run and there is no place; the set is then as
    /// before.
    pub fn remove(&mut self, range: PhysRange) -> Result<(), TooManyRuns> {
        let range = range.covering_pages();
        if range.is_empty() {
            return Ok(());
        }
        let first = self.position(|run| run.end_exclusive > range.start);
        let after = self.position(|run| run.start >= range.end_exclusive);
        if first >= after {
            return Ok(());
        }
        let left = self.runs[first].start..range.start;
        let right = range.end_exclusive..self.runs[after - 1].end_exclusive;
        let mut rest = [range; 2];
        let mut len = 0;
        for part in [left, right] {
            if part.start < part.end {
                rest[len] = PhysRange::new(part.start, part.end);
                len += 1;
            }
        }
        self.replace(first, after, &rest[..len]).map_err(|()| TooManyRuns { range })
    }

    /// The index of the first run that `found` holds for; `found` is false, then true, along the
    /// runs.
    fn position(&self, found: impl Fn(&PhysRange) -> bool) -> usize {
        self.runs().iter().position(found).unwrap_or(self.len)
    }

    /// Puts `new` in the place of the runs `first..after`.
    fn replace(&mut self, first: usize, after: usize, new: &[PhysRange]) -> Result<(), ()> {
        let len = self.len - (after - first) + new.len();
        if len > MAX_RUNS {
            return Err(());
        }
        self.runs.copy_within(after..self.len, first + new.len());
        self.runs[first..first + new.len()].copy_from_slice(new);
        self.len = len;
        debug_assert!(self.runs().windows(2).all(|w| w[0].end_exclusive < w[1].start));
        debug_assert!(self.runs().iter().all(|r| r.start.is_aligned(PGSIZE) && !r.is_empty()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> PhysRange {
        PhysRange::new(PhysAddr::new(start), PhysAddr::new(end))
    }

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        let mut set = RangeSet::new();
        for &(start, end) in ranges {
            set.insert(range(start, end)).unwrap();
        }
        set
    }

    fn runs(set: &RangeSet) -> Vec<(u64, u64)> {
        set.runs().iter().map(|r| (r.start.as_u64(), r.end_exclusive.as_u64())).collect()
    }

    #[test]
    fn insert_sorts_merges_and_clips() {
        let set = set(&[(0x9000, 0xa000), (0x1000, 0x2fff), (0x2000, 0x3000), (0x9000, 0xb000)]);
        assert_eq!(runs(&set), [(0x1000, 0x3000), (0x9000, 0xb000)]);
        assert_eq!(set.size(), 0x4000);
    }

    #[test]
    fn insert_covering_widens_to_pages() {
        let mut set = set(&[]);
        set.insert_covering(range(0x1ff8, 0x2008)).unwrap();
        set.insert_covering(range(0x5000, 0x5000)).unwrap();
        assert_eq!(runs(&set), [(0x1000, 0x3000)]);
    }

    #[test]
    fn insert_bridges_many_runs() {
        let mut set = set(&[(0x1000, 0x2000), (0x3000, 0x4000), (0x5000, 0x6000)]);
        set.insert(range(0x2000, 0x5000)).unwrap();
        assert_eq!(runs(&set), [(0x1000, 0x6000)]);
    }

    #[test]
    fn remove_trims_splits_and_widens_to_pages() {
        let mut set = set(&[(0x1000, 0x9000)]);
        set.remove(range(0x4fff, 0x5001)).unwrap();
        assert_eq!(runs(&set), [(0x1000, 0x4000), (0x6000, 0x9000)]);
        set.remove(range(0x3000, 0x7000)).unwrap();
        assert_eq!(runs(&set), [(0x1000, 0x3000), (0x7000, 0x9000)]);
        set.remove(range(0x4000, 0x5000)).unwrap();
        set.remove(range(0, 0x10_0000)).unwrap();
        assert_eq!(runs(&set), []);
    }

    #[test]
    fn empty_and_wrapping_ranges_do_no_harm() {
        let mut set = set(&[(0x1000, 0x2000)]);
        set.insert(range(0x5000, 0x5000)).unwrap();
        set.insert(PhysRange::from_size(PhysAddr::new(u64::MAX - 10), 100)).unwrap();
        set.remove(range(0x1800, 0x1800)).unwrap();
        assert_eq!(runs(&set), [(0x1000, 0x2000)]);
        set.remove(PhysRange::from_size(PhysAddr::new(0x1800), u64::MAX)).unwrap();
        assert_eq!(runs(&set), []);
    }

    #[test]
    fn a_full_set_says_so_and_stays_whole() {
        let mut set = RangeSet::new();
        for i in 0..MAX_RUNS as u64 {
            set.insert(range(i * 0x4000, i * 0x4000 + 0x3000)).unwrap();
        }
        let before = runs(&set);
        let more = range(0x100_0000, 0x100_1000);
        let error = set.insert(more).unwrap_err();
        assert_eq!(error, TooManyRuns { range: more });
        let text = std::format!("{more} makes more than {MAX_RUNS} separate runs of memory");
        assert_eq!(error.to_string(), text);
        assert!(set.remove(range(0x1000, 0x2000)).is_err());
        assert_eq!(runs(&set), before);
        set.insert(range(0x3000, 0x4000)).unwrap();
        assert_eq!(set.runs().len(), MAX_RUNS - 1);
    }
}
