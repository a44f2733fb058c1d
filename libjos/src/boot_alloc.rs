//! `boot_alloc`: memory for what the page allocator itself is made of.
//!
//! It serves from the kernel's end up, only from RAM, and steps over whatever the loader left
//! there. What it hands out is never given back. Once `page_init` has run, the page allocator
//! owns all that is left, and `boot_alloc` is closed for good.

use layout::{MemLayout, page_round_up};

use crate::addr::{PhysAddr, PhysRange};
use crate::machine::PhysMem;
use crate::memory_map::{MemoryMap, window};
use crate::range_set::{RangeSet, TooManyRuns};

/// The allocator of the time before `pages`.
#[derive(Debug)]
pub struct BootAlloc {
    /// RAM in the window that nothing uses yet.
    free: RangeSet,
    /// What was handed out.
    taken: RangeSet,
    closed: bool,
}

impl BootAlloc {
    /// An allocator for the RAM within the window from `kernel_end` up, except what is `reserved`.
    ///
    /// # Errors
    ///
    /// [`TooManyRuns`] where the reservations cut the RAM in too many pieces.
    pub fn new<L: MemLayout>(
        memory: &MemoryMap,
        kernel_end: PhysAddr,
        reserved: &RangeSet,
    ) -> Result<Self, TooManyRuns> {
        let window = window::<L>();
        let mut free = memory.usable().clone();
        free.remove(PhysRange::new(PhysAddr::new(0), kernel_end))?;
        free.remove(PhysRange::new(window.end_exclusive, PhysAddr::new(u64::MAX)))?;
        for range in reserved.runs() {
            free.remove(*range)?;
        }
        Ok(Self { free, taken: RangeSet::new(), closed: false })
    }

    /// Allocates `n` bytes, rounded up to whole pages, and zeroes them. 0 bytes allocates nothing
    /// and asks where the lowest free page is.
    ///
    /// # Panics
    ///
    /// Where no run of free memory is long enough, with what was asked and what is left; and
    /// after [`close`](Self::close).
    #[inline(never)]
    pub fn boot_alloc(&mut self, mem: &impl PhysMem, n: u64) -> PhysAddr {
        assert!(!self.closed, "boot_alloc: {n} bytes asked for after page_init; use page_alloc");
        let runs = self.free.runs();
        let run = page_round_up(n).and_then(|size| {
            let run = runs.iter().find(|run| run.size() >= size)?;
            Some(PhysRange::from_size(run.start, size))
        });
        let Some(range) = run else {
            let longest = runs.iter().map(PhysRange::size).max().unwrap_or(0);
            panic!("boot_alloc: out of memory: {n} bytes asked for, {longest} left in one piece");
        };
        // Both sets change at the edge of a run. `taken` gains a run only where `free` loses the
        // start of one behind a reservation, of which there are fewer than a set holds.
        if let Err(error) = self.free.remove(range).and_then(|()| self.taken.insert(range)) {
            panic!("boot_alloc: {error}");
        }
        for page in range.pages() {
            mem.zero_frame(page);
        }
        range.start
    }

    /// Ends this allocator: the page allocator takes over what is left.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// All that was handed out.
    #[must_use]
    pub fn taken(&self) -> &RangeSet {
        &self.taken
    }
}
