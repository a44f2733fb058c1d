//! `boot_alloc`: memory for what the page allocator itself is made of.
//!
//! It serves from the kernel's end up, and below the kernel where nothing above has room; only from
//! RAM of the window, and around whatever the loader left there. What it hands out is never given
//! back. The page allocator gets all that is left, which ends this one.

use layout::{MemLayout, PGSIZE, page_round_up};

use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::memory_map::{MemoryMap, RAM_RUNS, window};
use crate::mem::range_set::RangeSet;
use crate::mem::reservations::{RESERVED_RUNS, Reservations};
use crate::pmap::KernelImage;

/// RAM that nothing uses: each reservation, the IO hole, the kernel and the window's last frame make
/// one run more at most, and page 0, at the end of a run, none. To take memory from the start of a run makes none either.
type FreeRuns = RangeSet<{ RAM_RUNS + RESERVED_RUNS + 3 }>;
/// What was handed out: `mem_init` asks three times.
pub type TakenRuns = RangeSet<8>;

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
    /// An allocator for the RAM that is used, except what is reserved: page 0 (which holds the
    /// real-mode vectors and would look like a null pointer), the IO hole, the kernel, the window's
    /// last frame, and what the loader left.
    #[must_use]
    pub fn new<L: MemLayout>(
        memory: &MemoryMap,
        image: &KernelImage,
        reserved: &Reservations,
    ) -> Self {
        let kernel_end = image.data.end_exclusive;
        let never_free = [
            PhysRange::from_size(PhysAddr::new(L::PHYS_BASE), PGSIZE),
            PhysRange::new(PhysAddr::new(L::IOPHYSMEM), PhysAddr::new(L::EXTPHYSMEM)),
            PhysRange::new(image.text.start, kernel_end),
            PhysRange::from_size(PhysAddr::new(L::WINDOW_LAST_FRAME), PGSIZE),
        ];
        // Made where it will stay, since sets are large and the boot stack is small.
        let (free, taken) = (FreeRuns::new(), TakenRuns::new());
        let mut all = Self { free, taken, window: window::<L>(), kernel_end };
        let used = memory.used::<L>().try_for_each(|run| all.free.insert(run));
        let mut never_free = never_free.iter().chain(reserved.runs());
        let freed = used.and_then(|()| never_free.try_for_each(|range| all.free.remove(*range)));
        if let Err(error) = freed {
            unreachable!("boot_alloc: {error}");
        }
        all
    }

    /// Allocates `n` bytes, rounded up to whole pages, and zeroes them. 0 bytes allocates nothing
    /// and asks where the lowest free page is.
    ///
    /// # Panics
    ///
    /// Where no run of free memory is long enough, with what was asked and what is left.
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

    /// Takes `n` bytes, rounded up to whole pages; what is in them stays. `None` where no run of free
    /// memory is long enough.
    fn take(&mut self, n: u64) -> Option<PhysRange> {
        let size = page_round_up(n)?;
        let above = |run: &PhysRange| run.start >= self.kernel_end;
        let behind_kernel = self.shown().filter(above);
        let before_kernel = self.shown().filter(|run| !above(run));
        let run = behind_kernel.chain(before_kernel).find(|run| run.size() >= size)?;
        let range = PhysRange::from_size(run.start, size);
        if let Err(error) = self.free.remove(range) {
            unreachable!("boot_alloc: {error}");
        }
        Some(range)
    }

    /// Bytes of the window that would be left if each of `sizes` was asked for in turn; `None` where
    /// one of them has no room. Changes nothing in the end.
    pub(crate) fn left_after<const N: usize>(&mut self, sizes: [u64; N]) -> Option<u64> {
        let taken = sizes.map(|size| self.take(size));
        let left = self.shown().map(|run| run.size()).sum();
        // The last one first: each grows the run that it was cut from.
        for range in taken.iter().rev().flatten() {
            if let Err(error) = self.free.insert(*range) {
                unreachable!("boot_alloc: {error}");
            }
        }
        taken.iter().all(Option::is_some).then_some(left)
    }

    /// What of the free memory lies in the window.
    fn shown(&self) -> impl Iterator<Item = PhysRange> + '_ {
        let runs = self.free.runs().iter();
        runs.map(|run| run.intersection(&self.window)).filter(|run| !run.is_empty())
    }

    /// Most bytes that can be asked for at once.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.shown().map(|run| run.size()).max().unwrap_or(0)
    }

    /// All that is left, above the window too, for the page allocator.
    #[must_use]
    pub fn free(&self) -> &[PhysRange] {
        self.free.runs()
    }

    /// All that was handed out.
    #[must_use]
    pub fn taken(&self) -> &TakenRuns {
        &self.taken
    }
}

#[cfg(test)]
mod tests;
