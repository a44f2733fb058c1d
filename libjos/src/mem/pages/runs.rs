//! Runs of 2^order frames that lie side by side, taken out of `page_free_list` and put back.
//!
//! Every free frame is on the list, in a run or not, so single frames need no knowledge of runs. A
//! small table beside `pages` (`table.rs`) helps to find runs. A block is 512 frames, and a group is
//! 512 blocks. For each block the table has an upper bound on the largest free run in it, and for
//! each group one on the largest run of blocks that may be wholly free. Blocks with the same bound
//! are linked, and so are groups. The invariant: no bound is too low. So if no bound allows for a
//! run, there is none.
//!
//! `page_alloc` leaves the table alone: a bound may be too high. `page_free` raises a bound to the
//! highest, which mostly it is already: that takes one comparison. A search looks into the block
//! with the lowest bound that is high enough. It either finds a run or lowers the bound to the
//! truth. So each block is looked into in vain at most once for each frame that was allocated or
//! freed in it.
//!
//! So the work of many searches together does not depend on the size of RAM. They look at the frames
//! that they return. For each frame that was allocated or freed they look at two blocks more, or at as
//! many blocks as a run has, if it has more than two. A single search has no such bound. It pays for
//! all that changed before: if every block has lost one frame since it was looked into, it looks at
//! every frame, once. To know at each time which blocks are wholly free would take a count for each of
//! them in `page_alloc` and `page_free`, and runs within a block would be searched for as now.

mod table;
#[cfg(test)]
mod tests;

use core::ops::Range;

use layout::PGSIZE;

use super::allocator::cannot_free;
use super::count_leading;
// lab 2: begin omit
use super::free_list::link_upwards;
// lab 2: end
use super::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageError, PageInfo, Pages};
use crate::machine::PhysMem;
use table::{ALL, BLOCK, BLOCK_ORDER, first_run, nr_seen};

pub(super) use table::RunTable;
pub use table::{Block, MAX_ORDER};

impl Pages {
    /// Takes 2^`order` frames off the free list that lie side by side, from an address that is a
    /// multiple of their size; their `pp_ref` is 0. `None` if no such run is free. The time is
    /// amortised: the total of many calls does not grow with RAM, but a single call can take longer
    /// on a machine with more.
    ///
    /// They are frames like any others: each can have uses of its own, and is freed when it has
    /// none left, alone or by [`page_free_run`](Self::page_free_run). A run of order 0 is a frame
    /// of [`page_alloc`](PageAllocator::page_alloc).
    ///
    /// All calls together look at the frames that they return, and for each frame that was
    /// allocated or freed (by `page_init` too) at 1,024 others at most, or at 2^`order` if that is
    /// more. A single call looks at each frame of RAM once at most, and once more at those of its run,
    /// or of the block that the run is in. It looks at all if each 2 MB has lost a frame since the last
    /// call, and none has a run.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_alloc_run(
        &mut self,
        mem: &impl PhysMem,
        flags: AllocFlags,
        order: u32,
    ) -> Option<Frame> {
        if order == 0 {
            return self.page_alloc(mem, flags);
        }
        if order > MAX_ORDER || self.nfree() >> order == 0 || self.list.stands_in {
            // Free frames that are watched look as if there were none, or none in runs.
            return self.alloc_poisoned(mem, flags, order);
        }
        let first = match order.checked_sub(BLOCK_ORDER) {
            None | Some(0) => self.find_in_block(order)?,
            Some(order) => self.find_blocks(order)?,
        };
        self.take_run(first..first + (1 << order));
        let first = Frame(first as u32);
        if flags.contains(ALLOC_ZERO) {
            for i in 0..1 << order {
                mem.zero_frame(self.page2pa(first) + i * PGSIZE);
            }
        }
        Some(first)
    }

    /// Puts 2^`order` frames from `first` on back on the free list: at its end, so that they stay
    /// together as long as other frames serve.
    ///
    /// # Panics
    ///
    /// If one of them is free, reserved or still referenced, or does not exist: a bug of the caller.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn page_free_run(&mut self, first: Frame, order: u32) {
        if let Err(error) = self.try_page_free_run(first, order) {
            panic!("page_free_run: {error}");
        }
    }

    /// Puts 2^`order` frames from `first` on back on the free list.
    ///
    /// # Errors
    ///
    /// As [`try_page_free`](PageAllocator::try_page_free), for the first frame that has
    /// one; nothing has changed then.
    ///
    /// # Panics
    ///
    /// If `pages` does not describe all of them, whatever the order.
    pub fn try_page_free_run(&mut self, first: Frame, order: u32) -> Result<(), PageError> {
        if order == 0 {
            return self.try_page_free(first);
        }
        let (first, npages) = (first.index(), self.npages());
        let end = 1_usize.checked_shl(order).and_then(|count| first.checked_add(count));
        let Some(end) = end.filter(|end| *end <= npages) else {
            panic!("2^{order} frames from number {first} on, but `pages` describes {npages}")
        };
        let run = &mut self.array_mut()[first..end];
        let good = count_leading(run, PageInfo::in_use(0));
        if let Some(bad) = run.get(good) {
            let bad = *bad;
            return Err(cannot_free(&bad, self.page2pa(Frame((first + good) as u32))));
        }
        // lab 2: begin page_free_run
        link_upwards(run, first);
        self.append_linked(first, end - 1);
        Ok(())
        // lab 2: end
    }

    /// Notes that `len` frames are free now: `first`, and those that it links to. If there are at least as many
    /// frames as blocks, it raises the bound of every block instead of following the links: the frames are enough
    /// to pay for a look at each.
    pub(super) fn note_free_chain(&mut self, first: usize, len: usize) {
        let npages = self.npages();
        if len >= npages.div_ceil(BLOCK) {
            return self.runs.note_free_run(0, npages - 1);
        }
        let mut number = first;
        for _ in 0..len {
            self.runs.note_free(number);
            number = self.array()[number].pp_link as usize;
        }
    }

    /// How many frames and entries of the table all searches for runs have looked at so far.
    #[must_use]
    pub fn run_search_steps(&self) -> u64 {
        self.runs.steps
    }

    /// Finds 2^`order` free frames within one block, and returns the first one's index.
    fn find_in_block(&mut self, order: u32) -> Option<usize> {
        loop {
            let block = self.runs.blocks.candidate(order)?;
            // The highest bound may only say that something was freed. So look whether the block is
            // whole: if it is not, it may be that a fuller one can serve.
            if order < BLOCK_ORDER
                && self.runs.blocks.bound(block) == ALL
                && let Err(bound) = self.look_into(block, BLOCK_ORDER)
            {
                self.runs.blocks.set(block, bound);
                continue;
            }
            match self.look_into(block, order) {
                Ok(first) => return Some(first),
                Err(bound) => self.runs.blocks.set(block, bound),
            }
        }
    }

    /// Finds 2^`order` blocks that are free as a whole, and returns their first frame's index.
    fn find_blocks(&mut self, order: u32) -> Option<usize> {
        loop {
            let group = self.runs.groups.candidate(order)?;
            let Some(mut blocks) = self.runs.look_into_group(group, order) else { continue };
            let first = blocks.start;
            // The bound of a block may be too high. Then it is lowered, and the next turn knows.
            let lower = |block| Some((block, self.look_into(block, BLOCK_ORDER).err()?));
            match blocks.find_map(lower) {
                Some((block, bound)) => self.runs.blocks.set(block, bound),
                None => return Some(first * BLOCK),
            }
        }
    }

    /// Looks for 2^`order` free frames in `block`: the first one's index, or else the bound that the
    /// block's largest run makes.
    fn look_into(&mut self, block: usize, order: u32) -> Result<usize, u32> {
        let start = block * BLOCK;
        let frames = &self.array()[start..self.npages().min(start + BLOCK)];
        // A search asks most often whether a whole block is free, so this loop has no branches.
        let all_free = || frames.iter().fold(true, |all, info| all & info.is_free());
        let found = if order == BLOCK_ORDER && frames.len() == BLOCK && all_free() {
            Ok(0)
        } else {
            first_run(frames, PageInfo::is_free, order)
        };
        self.runs.steps += nr_seen(&found, frames.len(), order);
        found.map(|offset| start + offset)
    }

    /// Takes the frames of `run`, all of which are free, off the list.
    fn take_run(&mut self, run: Range<usize>) {
        let mut first = run.start;
        while first < run.end {
            // Neighbours are mostly neighbours on the list too.
            let infos = &self.array()[..run.end];
            let mut last = first;
            // Often a whole block's frames are linked in order. This loop has no branches, which takes a
            // quarter off the time to allocate and free a block.
            let block = infos.get(first..first + BLOCK - 1);
            if let Some(block) = block.filter(|_| first.is_multiple_of(BLOCK)) {
                let links = block.iter().zip(first as u32 + 1..);
                if links.fold(true, |all, (info, next)| all & (info.pp_link == next)) {
                    last += BLOCK - 1;
                }
            }
            while last + 1 < run.end && infos[last].pp_link as usize == last + 1 {
                last += 1;
            }
            self.unlink(first, last);
            first = last + 1;
        }
        self.array_mut()[run.clone()].fill(PageInfo::in_use(0));
        self.list.nfree -= run.len();
        // In the blocks that lie in the run nothing is left.
        for block in run.start.div_ceil(BLOCK)..run.end / BLOCK {
            self.runs.blocks.set(block, 0);
        }
    }

    /// Panics unless the table of runs is whole, and no bound in it too low.
    pub(crate) fn check_runs(&self) {
        self.runs.check(self.array());
    }

    /// Plants a fault: the table says that `block` has no free frame.
    #[cfg(all(test, not(miri)))]
    pub(crate) fn deny_frames(&mut self, block: usize) {
        self.runs.blocks.set(block, 0);
    }

    /// Plants a fault: the table says that `group` has no free block.
    #[cfg(all(test, not(miri)))]
    pub(crate) fn deny_blocks(&mut self, group: usize) {
        self.runs.groups.set(group, 0);
    }

    /// Plants a fault: no block is on any list of the table.
    #[cfg(all(test, not(miri)))]
    pub(crate) fn lose_blocks(&mut self) {
        self.runs.blocks.empty_lists();
    }
}
