//! `boot_alloc`: memory for the page allocator itself.
//!
//! It serves from the kernel's end up, and below the kernel if nothing above has room. It takes only
//! RAM of the window, and none that the loader still uses. Nothing is ever given back to it. The page
//! allocator gets all that is left, which ends this one.

use layout::{MemLayout, PGSIZE, page_round_up};

use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::boot::Boot;
use crate::mem::memory_map::{RAM_RUNS, window};
use crate::mem::range_set::{RangeSet, TooManyRuns};
use crate::mem::reservations::RESERVED_RUNS;

/// RAM that nothing uses. Each reservation, the IO hole, the kernel and the window's last frame add
/// one run at most. Page 0, at the end of a run, adds none, and nor does memory taken from the start
/// of a run.
type FreeRuns = RangeSet<{ RAM_RUNS + RESERVED_RUNS + 3 }>;
/// The memory that was handed out: `mem_init` asks three times.
pub type TakenRuns = RangeSet<8>;

/// The memory that `boot_alloc` has handed out.
#[derive(Clone, Debug)]
pub struct BootMemory {
    /// The memory of the array `pages`, in whole pages.
    pub pages: PhysRange,
    /// The memory of the table beside `pages` that helps to find runs of free frames, in whole pages.
    pub runs: PhysRange,
    /// All of it.
    pub taken: TakenRuns,
}

/// The allocator of the time before `pages`.
#[derive(Debug)]
pub struct BootAlloc {
    /// RAM that nothing uses yet, in the window and above.
    free: FreeRuns,
    taken: TakenRuns,
    window: PhysRange,
    kernel_end: PhysAddr,
}

impl BootAlloc {
    /// The allocator that `mem_init` begins with, for the RAM that is used, except page 0 (which holds the
    /// real-mode vectors and would look like a null pointer), the IO hole, the kernel, the window's last
    /// frame, and the reservations.
    #[must_use]
    pub fn new<L: MemLayout>(boot: &Boot) -> Self {
        let Boot { memory, image, reserved } = boot;
        let kernel_end = image.data.end_exclusive;
        // lab 2: begin never_free
        let never_free = [
            PhysRange::from_size(PhysAddr::new(L::PHYS_BASE), PGSIZE),
            PhysRange::new(PhysAddr::new(L::IOPHYSMEM), PhysAddr::new(L::EXTPHYSMEM)),
            PhysRange::new(image.text.start, kernel_end),
            PhysRange::from_size(PhysAddr::new(L::WINDOW_LAST_FRAME), PGSIZE),
        ];
        // lab 2: end
        // Made where it will stay, since sets are large and the boot stack is small.
        let (free, taken) = (FreeRuns::default(), TakenRuns::default());
        let mut all = Self { free, taken, window: window::<L>(), kernel_end };
        let used = memory.used::<L>().try_for_each(|run| all.free.insert(run));
        let mut never_free = never_free.iter().chain(reserved.runs());
        let freed = used.and_then(|()| never_free.try_for_each(|range| all.free.remove(*range)));
        assert_has_room(freed);
        all
    }

    /// Allocates `n` bytes, rounded up to whole pages, and zeroes them. For 0 bytes it allocates
    /// nothing, and returns the address that a page would have.
    ///
    /// # Panics
    ///
    /// If no run of free memory is long enough, with the bytes asked for and the bytes left.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn boot_alloc(&mut self, mem: &impl PhysMem, n: u64) -> PhysAddr {
        let Some(range) = self.take(n) else {
            let longest = self.longest();
            panic!("boot_alloc: out of memory: {n} bytes asked for, {longest} left in one piece");
        };
        if let Err(error) = self.taken.insert(range) {
            panic!("boot_alloc: handed out in too many places: {error}");
        }
        for page in range.pages() {
            mem.zero_frame(page);
        }
        range.start
    }

    /// Takes `n` bytes, rounded up to whole pages, and leaves their contents. `None` if no run of free
    /// memory is long enough.
    fn take(&mut self, n: u64) -> Option<PhysRange> {
        // lab 2: begin boot_alloc
        let size = page_round_up(n)?;
        let above = |run: &PhysRange| run.start >= self.kernel_end;
        let behind_kernel = self.shown().filter(above);
        let before_kernel = self.shown().filter(|run| !above(run));
        let run = behind_kernel.chain(before_kernel).find(|run| run.size() >= size)?;
        let range = PhysRange::from_size(run.start, size);
        assert_has_room(self.free.remove(range));
        Some(range)
        // lab 2: end
    }

    /// Bytes of the window that would be left if each of `sizes` was asked for in turn; `None` if
    /// one of them has no room. Changes nothing in the end.
    pub(crate) fn left_after<const N: usize>(&mut self, sizes: [u64; N]) -> Option<u64> {
        let taken = sizes.map(|size| self.take(size));
        let left = self.shown().map(|run| run.size()).sum();
        // The last one first: each grows the run that it was cut from.
        for range in taken.iter().rev().flatten() {
            assert_has_room(self.free.insert(*range));
        }
        taken.iter().all(Option::is_some).then_some(left)
    }

    /// The free memory in the window.
    fn shown(&self) -> impl Iterator<Item = PhysRange> + '_ {
        let runs = self.free.runs().iter();
        runs.map(|run| run.intersection(&self.window)).filter(|run| !run.is_empty())
    }

    /// The most bytes that can be asked for at once.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.shown().map(|run| run.size()).max().unwrap_or(0)
    }

    /// All memory that is left, above the window too, for the page allocator.
    #[must_use]
    pub fn free(&self) -> &[PhysRange] {
        self.free.runs()
    }

    /// All memory that was handed out.
    #[must_use]
    pub fn taken(&self) -> &TakenRuns {
        &self.taken
    }
}

/// Sees that a change of [`FreeRuns`] found room, which it has for all runs that there can be.
fn assert_has_room(changed: Result<(), TooManyRuns>) {
    if let Err(error) = changed {
        unreachable!("boot_alloc: {error}");
    }
}

#[cfg(test)]
mod tests;
