//! `boot_alloc`: memory for what the page allocator itself is made of.
//!
//! It serves from the kernel's end up, only from RAM, and steps over whatever the loader left
//! there. What it hands out is never given back. Once `page_init` has run, the page allocator
//! owns all that is left, and `boot_alloc` is closed for good.

use layout::{MemLayout, page_round_up};

use crate::machine::PhysMem;
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::memory_map::MemoryMap;
use crate::mem::range_set::{RangeSet, TooManyRuns};

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
    /// An allocator for the RAM within the window from `kernel_end` up, except its last frame and
    /// what is `reserved`.
    ///
    /// # Errors
    ///
    /// [`TooManyRuns`] where the reservations cut the RAM in too many pieces.
    pub fn new<L: MemLayout>(
        memory: &MemoryMap,
        kernel_end: PhysAddr,
        reserved: &RangeSet,
    ) -> Result<Self, TooManyRuns> {
        let mut free = memory.usable().clone();
        let end = PhysAddr::new(L::WINDOW_LAST_FRAME).min(memory.used_end::<L>());
        free.remove(PhysRange::new(PhysAddr::new(0), kernel_end))?;
        free.remove(PhysRange::new(end, PhysAddr::new(u64::MAX)))?;
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
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn boot_alloc(&mut self, mem: &impl PhysMem, n: u64) -> PhysAddr {
        assert!(!self.closed, "boot_alloc: {n} bytes asked for after page_init; use page_alloc");
        let runs = self.free.runs();
        let run = page_round_up(n).and_then(|size| {
            let run = runs.iter().find(|run| run.size() >= size)?;
            Some(PhysRange::from_size(run.start, size))
        });
        let Some(range) = run else {
            let longest = self.longest();
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

    /// Most bytes that can be asked for at once.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.free.runs().iter().map(PhysRange::size).max().unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::memory_map::{MemoryKind, MemoryMapEntry};
    use crate::paging::format::x86_64::X86_64;
    use crate::sim::SimMachine;
    use layout::{Jos64, KB, MB, PGSIZE};

    /// An allocator for 64 KB of RAM from 1 MB on, of which the kernel has 16 KB and the loader
    /// the page at 0x106000; the RAM holds ones.
    fn boot_alloc() -> (SimMachine<Jos64, X86_64>, BootAlloc) {
        let (machine, _) = SimMachine::new(2 * MB);
        let ram = MemoryMapEntry { base: MB, length: 64 * KB, kind: MemoryKind::Usable };
        let memory = MemoryMap::new([ram].into_iter()).unwrap();
        let mut reserved = RangeSet::new();
        reserved.insert(PhysRange::from_size(PhysAddr::new(0x10_6000), PGSIZE)).unwrap();
        for page in PhysRange::from_size(PhysAddr::new(MB), 64 * KB).pages() {
            machine.store_run(page, u64::MAX, 0, 512);
        }
        let kernel_end = PhysAddr::new(0x10_4000);
        let boot_alloc = BootAlloc::new::<Jos64>(&memory, kernel_end, &reserved).unwrap();
        (machine, boot_alloc)
    }

    #[test]
    fn hands_out_zeroed_pages_behind_the_kernel() {
        let (machine, mut boot_alloc) = boot_alloc();
        assert_eq!(boot_alloc.boot_alloc(&machine, 0), PhysAddr::new(0x10_4000));
        assert_eq!(boot_alloc.boot_alloc(&machine, 1), PhysAddr::new(0x10_4000));
        assert_eq!(machine.load::<u64>(PhysAddr::new(0x10_4ff8)), 0);
        assert_eq!(machine.load::<u64>(PhysAddr::new(0x10_5000)), u64::MAX);
        assert_eq!(boot_alloc.boot_alloc(&machine, 0), PhysAddr::new(0x10_5000));
    }

    #[test]
    fn steps_over_what_the_loader_left_and_loses_nothing() {
        let (machine, mut boot_alloc) = boot_alloc();
        assert_eq!(boot_alloc.boot_alloc(&machine, 0x3000), PhysAddr::new(0x10_7000));
        assert_eq!(boot_alloc.boot_alloc(&machine, 0x2000), PhysAddr::new(0x10_4000));
        assert_eq!(boot_alloc.taken().size(), 0x5000);
        assert_eq!(machine.load::<u64>(PhysAddr::new(0x10_6000)), u64::MAX);
    }

    #[test]
    #[should_panic(expected = "boot_alloc: out of memory: 1048576 bytes asked for, 36864 left")]
    fn says_what_was_asked_and_what_is_left() {
        let (machine, mut boot_alloc) = boot_alloc();
        boot_alloc.boot_alloc(&machine, MB);
    }

    #[test]
    #[should_panic(expected = "boot_alloc: out of memory: 18446744073709551615 bytes")]
    fn a_size_that_wraps_does_no_harm() {
        let (machine, mut boot_alloc) = boot_alloc();
        boot_alloc.boot_alloc(&machine, u64::MAX);
    }

    #[test]
    #[should_panic(expected = "boot_alloc: 1 bytes asked for after page_init")]
    fn is_closed_for_good() {
        let (machine, mut boot_alloc) = boot_alloc();
        boot_alloc.close();
        boot_alloc.boot_alloc(&machine, 1);
    }
}
