//! [`Extent`]: a range of addresses as runs that are mapped and gaps that are not, in order.
//!
//! Unlike [`runs`](crate::mappings::runs) this names the gaps, cuts runs at the range's ends, and
//! shows the page tables at UVPT.

use layout::MemLayout;

use super::Session;
use crate::addr::{PhysAddr, VirtAddr};
use crate::explain::Outcome;
use crate::format::{Geometry, Perm};
use crate::machine::Machine;

/// Addresses that are mapped in one run, or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    /// The first address.
    pub(super) first: u64,
    /// The last one. (The end may be 2^64.)
    pub(super) last: u64,
    /// What they lead to.
    pub(super) to: Option<Target>,
}

/// What a run leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Target {
    /// The physical address of the run's first byte.
    pub(super) pa: PhysAddr,
    /// What all levels together grant.
    pub(super) perm: Perm,
    /// Bytes of the smallest page in the run.
    pub(super) smallest: u64,
    /// Bytes of the largest page in the run.
    pub(super) largest: u64,
}

impl Extent {
    /// Bytes, less one: all addresses together are 2^64.
    pub(super) fn size_less_one(&self) -> u64 {
        self.last - self.first
    }

    /// Takes `next` in, if it goes on where this ends.
    fn merge(&mut self, next: &Self) -> bool {
        let merged = match (self.to, next.to) {
            (None, None) => None,
            (Some(to), Some(more)) => {
                let end = to.pa.as_u64().wrapping_add(self.size_less_one()).wrapping_add(1);
                if end != more.pa.as_u64() || to.perm != more.perm {
                    return false;
                }
                let smallest = to.smallest.min(more.smallest);
                Some(Target { smallest, largest: to.largest.max(more.largest), ..to })
            }
            _ => return false,
        };
        (self.last, self.to) = (next.last, merged);
        true
    }
}

impl<M: Machine> Session<'_, M> {
    /// The extent at `first`, as far as one entry of a table decides, up to `last`.
    fn piece(&self, first: u64, last: u64) -> Extent {
        let span = |level| M::Format::page_size(level) - 1;
        let (end, to) = match self.walk(VirtAddr::new(first)).outcome() {
            Outcome::Page { pa, perm, level } => {
                let size = span(level) + 1;
                let to = Target { pa, perm, smallest: size, largest: size };
                (first | span(level), Some(to))
            }
            Outcome::Absent { level } | Outcome::NoMemory { level, .. } => {
                (first | span(level), None)
            }
            Outcome::NonCanonical => (M::Layout::UPPER_START - 1, None),
        };
        Extent { first, last: end.min(last), to }
    }

    /// The extent at `first`, up to `last`.
    pub(super) fn extent(&self, first: u64, last: u64) -> Extent {
        let mut extent = self.piece(first, last);
        while extent.last < last && extent.merge(&self.piece(extent.last + 1, last)) {}
        extent
    }

    /// Calls `each` for all extents of `[first, last]`, in order.
    pub(super) fn extents<E>(
        &mut self,
        first: u64,
        last: u64,
        mut each: impl FnMut(&mut Self, Extent) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut first = first;
        loop {
            let extent = self.extent(first, last);
            each(self, extent)?;
            if extent.last >= last {
                return Ok(());
            }
            first = extent.last + 1;
        }
    }
}
