//! [`RangeSet`]: a set of physical addresses as a few sorted runs, without an allocator.
//!
//! The memory map, the reservations and `boot_alloc`'s free memory are each one, and `sweep` works in
//! one. The invariant: runs are sorted, none is empty, and no two overlap or touch.

use core::fmt;

use crate::mem::addr::{PhysAddr, PhysRange};

/// The error of a set that would have more runs than it can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyRuns {
    /// The range that did not fit.
    pub range: PhysRange,
    /// Runs that the set can hold.
    pub most: usize,
}

impl fmt::Display for TooManyRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} makes more than {} separate runs of memory", self.range, self.most)
    }
}

impl core::error::Error for TooManyRuns {}

/// A set of physical addresses, kept as at most `MOST` sorted runs.
#[derive(Clone, Debug)]
pub struct RangeSet<const MOST: usize> {
    runs: [PhysRange; MOST],
    len: usize,
}

/// The empty set.
impl<const MOST: usize> Default for RangeSet<MOST> {
    fn default() -> Self {
        Self { runs: [PhysRange::default(); MOST], len: 0 }
    }
}

impl<const MOST: usize> RangeSet<MOST> {
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

    /// Bytes of `range` that are in the set.
    #[must_use]
    pub fn size_within(&self, range: &PhysRange) -> u64 {
        self.runs().iter().map(|run| run.intersection(range).size()).sum()
    }

    /// Whether `pa` lies in the set.
    #[must_use]
    pub fn contains(&self, pa: PhysAddr) -> bool {
        self.runs().iter().any(|run| run.contains(pa))
    }

    /// Adds `range`.
    ///
    /// # Errors
    ///
    /// [`TooManyRuns`]; the set is then as before.
    pub fn insert(&mut self, range: PhysRange) -> Result<(), TooManyRuns> {
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
        self.replace(first, after, &[merged]).map_err(|()| TooManyRuns { range, most: MOST })
    }

    /// Takes `range` out.
    ///
    /// # Errors
    ///
    /// [`TooManyRuns`] if it would split a run and there is no place; the set is then as before.
    pub fn remove(&mut self, range: PhysRange) -> Result<(), TooManyRuns> {
        let first = self.position(|run| run.end_exclusive > range.start);
        let after = self.position(|run| run.start >= range.end_exclusive);
        if range.is_empty() || first >= after {
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
        let replaced = self.replace(first, after, &rest[..len]);
        replaced.map_err(|()| TooManyRuns { range, most: MOST })
    }

    /// Takes the highest run out and returns it, if there is one.
    pub fn pop(&mut self) -> Option<PhysRange> {
        self.len = self.len.checked_sub(1)?;
        Some(self.runs[self.len])
    }

    /// The index of the first run that `found` holds for, or the number of runs. Along the runs
    /// `found` is first false and then true.
    fn position(&self, found: impl Fn(&PhysRange) -> bool) -> usize {
        self.runs().iter().position(found).unwrap_or(self.len)
    }

    /// Puts `new` in the place of the runs `first..after`.
    fn replace(&mut self, first: usize, after: usize, new: &[PhysRange]) -> Result<(), ()> {
        let len = self.len - (after - first) + new.len();
        if len > MOST {
            return Err(());
        }
        self.runs.copy_within(after..self.len, first + new.len());
        self.runs[first..first + new.len()].copy_from_slice(new);
        self.len = len;
        debug_assert!(self.runs().windows(2).all(|w| w[0].end_exclusive < w[1].start));
        debug_assert!(self.runs().iter().all(|run| !run.is_empty()));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
