//! [`extents`]: a range of addresses as runs that are mapped and gaps that are not, in order.
//!
//! The runs are those of [`mappings`](libjos::paging::mappings), cut at the range's ends. The page
//! tables at UVPT are among them; a table outside of RAM maps nothing. A gap that is not canonical is
//! apart from its neighbours.

use core::ops::Range;

use layout::MemLayout;

use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::mappings::{Mapping, runs_and_tables};
use libjos::pmap::Pmap;

/// Addresses that are mapped in one run, or a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    /// The first address.
    pub(super) first: u64,
    /// The last address. (The end may be 2^64.)
    pub(super) last: u64,
    /// The run; `None` for a gap.
    pub(super) run: Option<Mapping>,
}

impl Extent {
    /// The kind of a gap, in words; nothing for a run.
    pub(super) fn gap<L: MemLayout>(&self) -> &'static str {
        match self.run {
            Some(_) => "",
            None if hole::<L>().contains(&self.first) => "not canonical",
            None => "not mapped",
        }
    }
}

/// The numbers between the halves of the address space, which are not canonical.
fn hole<L: MemLayout>() -> Range<u64> {
    L::LOWER_END..L::UPPER_START
}

/// All extents of `[first, last]` in the page directory whose root is at `root`.
pub(super) fn extents<M: Machine>(
    pmap: &Pmap<M>,
    root: PhysAddr,
    first: u64,
    last: u64,
) -> impl Iterator<Item = Extent> {
    let load = |pa| pmap.is_ram(pa).then(|| pmap.machine().load(pa));
    let (from, to) = (VirtAddr::new(first), VirtAddr::new(last));
    let runs = runs_and_tables::<M::Format>(root, from, to, load);
    let mut runs = runs.map(move |run| run.within(from, to)).peekable();
    let mut next = Some(first);
    core::iter::from_fn(move || {
        let first = next?;
        let run = runs.next_if(|run| run.va.as_u64() == first);
        let end = match (run, runs.peek()) {
            (Some(run), _) => run.last().as_u64(),
            (None, after) => {
                let end = after.map_or(last, |after| after.va.as_u64() - 1);
                let hole = hole::<M::Layout>();
                let mut edges = [hole.start, hole.end].into_iter().filter(|_| !hole.is_empty());
                let edge = edges.find(|edge| *edge > first);
                edge.map_or(end, |edge| end.min(edge - 1))
            }
        };
        next = end.checked_add(1).filter(|next| *next <= last);
        Some(Extent { first, last: end, run })
    })
}
