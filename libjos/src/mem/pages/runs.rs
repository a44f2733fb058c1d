//! Runs of 2^order frames that lie side by side, taken out of `page_free_list` and put back.
//!
//! Every free frame is on the list, in a run or not, so nothing need be kept of runs for single
//! frames' sake. What helps to find runs is a small table beside `pages`: for each block of 512
//! frames an upper bound on the largest free run in it, and for each group of 512 blocks one on
//! the largest run of blocks that may be wholly free; those with the same bound are linked. The
//! invariant: no bound is too low. So there is a run only where a bound says so, and where none
//! does there is none.
//!
//! `page_alloc` leaves the table alone: a bound may be too high. `page_free` raises a bound to
//! the highest, unless that is what it is, which is one comparison. A search looks into the block
//! with the lowest bound that is high enough, and either finds a run or lowers the bound to the
//! truth. So each block is looked into in vain at most once for each frame that was allocated or
//! freed in it.
//!
//! That bounds what many searches take together, and does not grow with the RAM: it is the frames
//! that they return, and two blocks, or the blocks of one run where a run has more, for each frame
//! that changed hands. One search alone has no such bound: it pays for all that changed before, and
//! where every block has lost one frame since it was looked into, it looks at every frame, once.
//! To know at each time which blocks are wholly free would take a count for each of them in
//! `page_alloc` and `page_free`, and runs within a block would be searched for as now.

use core::mem::align_of;
use core::ptr::NonNull;

use layout::PGSIZE;

use super::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageError, PageInfo, Pages};
use super::{leading, link_upwards, refusal};
use crate::machine::PhysMem;

/// A block is 2^9 frames, the large page of most formats; a group is as many blocks.
const BLOCK_ORDER: u32 = 9;
const BLOCK: usize = 1 << BLOCK_ORDER;
/// The order of the largest runs: 1 GB.
pub const MAX_ORDER: u32 = 2 * BLOCK_ORDER;
/// The bound where all of a block, or of a group, may be free.
const ALL: u32 = BLOCK_ORDER + 1;
/// Where a list of blocks ends.
const NO_BLOCK: u32 = u32::MAX;

/// What is known of the free runs in a block or group.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Block {
    /// 1 more than the order of the largest free run is at most; 0 where there is none. In a
    /// group, runs of blocks.
    bound: u32,
    /// Its neighbours among those with the same bound. Not kept where the bound is 0.
    next: u32,
    prev: u32,
}

const _: () = assert!(align_of::<Block>() <= align_of::<PageInfo>());

impl Block {
    /// How much memory the table for `npages` frames takes, in [`PageInfo`]s.
    #[must_use]
    pub const fn table_len(npages: usize) -> usize {
        let bytes = (nr_blocks(npages) + nr_groups(npages)) * size_of::<Self>();
        bytes.div_ceil(size_of::<PageInfo>())
    }

    /// The table for `npages` frames in `memory`.
    ///
    /// # Panics
    ///
    /// Where there is less than [`table_len`](Self::table_len) of it.
    #[must_use]
    pub fn table(memory: NonNull<[PageInfo]>, npages: usize) -> NonNull<[Self]> {
        assert!(memory.len() >= Self::table_len(npages), "the table of runs does not fit");
        NonNull::slice_from_raw_parts(memory.cast(), nr_blocks(npages) + nr_groups(npages))
    }
}

/// Blocks that `npages` frames make, the last perhaps in part.
pub(super) const fn nr_blocks(npages: usize) -> usize {
    npages.div_ceil(BLOCK)
}

/// Groups that these make.
pub(super) const fn nr_groups(npages: usize) -> usize {
    nr_blocks(npages).div_ceil(BLOCK)
}

/// The first block or group of each bound from 1 on.
type Heads = [u32; ALL as usize];

/// The lists of the table, and what searches took.
#[derive(Debug)]
pub(super) struct Lists {
    blocks: Heads,
    groups: Heads,
    /// Frames and blocks that searches have looked at.
    steps: u64,
}

impl Lists {
    /// Empty ones.
    pub(super) const fn new() -> Self {
        let heads = [NO_BLOCK; ALL as usize];
        Self { blocks: heads, groups: heads, steps: 0 }
    }
}

/// All blocks, or all groups.
struct Level<'a> {
    entries: &'a mut [Block],
    heads: &'a mut Heads,
}

impl Level<'_> {
    /// Sets the bound of `at`, and puts it in front of the list of those.
    fn set(&mut self, at: usize, bound: u32) {
        let Block { bound: old, next, prev } = self.entries[at];
        if old > 0 {
            match prev {
                NO_BLOCK => self.heads[old as usize - 1] = next,
                prev => self.entries[prev as usize].next = next,
            }
            if next != NO_BLOCK {
                self.entries[next as usize].prev = prev;
            }
        }
        self.entries[at].bound = bound;
        if bound > 0 {
            let head = &mut self.heads[bound as usize - 1];
            let next = core::mem::replace(head, at as u32);
            self.entries[at] = Block { bound, next, prev: NO_BLOCK };
            if next != NO_BLOCK {
                self.entries[next as usize].prev = at as u32;
            }
        }
    }

    /// One with the lowest bound that allows for a run of 2^order.
    fn candidate(&self, order: u32) -> Option<usize> {
        let head = self.heads[order as usize..].iter().find(|head| **head != NO_BLOCK)?;
        Some(*head as usize)
    }

    /// Panics unless each entry with a bound is on that bound's list, and on no other.
    fn check(&self, what: &str) {
        let mut listed = 0;
        for (head, bound) in self.heads.iter().zip(1..) {
            let (mut before, mut at) = (NO_BLOCK, *head);
            while at != NO_BLOCK {
                let Block { bound: its, next, prev } = self.entries[at as usize];
                assert!(
                    its == bound && prev == before && listed < self.entries.len(),
                    "check_page_free_list: {what} {at} with bound {its} is on list {bound}, \
                     behind {prev:#x} and not {before:#x}"
                );
                listed += 1;
                (before, at) = (at, next);
            }
        }
        let bounds = self.entries.iter().filter(|entry| entry.bound > 0).count();
        assert!(
            listed == bounds,
            "check_page_free_list: {bounds} {what}s have free runs, {listed} are listed"
        );
    }
}

/// The first run of 2^order free ones of `all`, aligned to its length; or else the bound that
/// their largest run makes.
fn first_run(all: impl Iterator<Item = bool>, order: u32) -> Result<usize, u32> {
    let (mut length, mut bound) = (0_usize, 0);
    for (i, is_free) in all.enumerate() {
        if !is_free {
            length = 0;
            continue;
        }
        length += 1;
        // The largest that ends here.
        let (end, here) = (i + 1, length.ilog2().min((i + 1).trailing_zeros()));
        if here >= order {
            return Ok(end - (1 << order));
        }
        bound = bound.max(here + 1);
    }
    Err(bound)
}

/// How many of `all` it took to find this.
fn seen(found: &Result<usize, u32>, all: usize, order: u32) -> u64 {
    found.map_or(all, |first| first + (1 << order)) as u64
}

/// The same for the frames of a block.
fn first_run_in_block(frames: &[PageInfo], order: u32) -> Result<usize, u32> {
    // The most usual question has a loop without branches.
    let all_free = || frames.iter().fold(true, |all, info| all & info.is_free());
    if order == BLOCK_ORDER && frames.len() == BLOCK && all_free() {
        return Ok(0);
    }
    first_run(frames.iter().map(PageInfo::is_free), order)
}

impl Pages {
    /// Takes 2^`order` frames off the free list that lie side by side, from an address on that
    /// is a multiple of their size; their `pp_ref` is 0. `None` where no such run is free. The time
    /// is amortised: that of many calls together does not grow with RAM, that of one can.
    ///
    /// They are frames like any others: each can have uses of its own, and is freed when it has
    /// none left, alone or by [`page_free_run`](Self::page_free_run). Of order 0 this is
    /// [`page_alloc`](PageAllocator::page_alloc).
    ///
    /// All calls together look at the frames that they return, and for each frame that was
    /// allocated or freed (by `page_init` too) at 1,024 others at most, or 2^`order` where that is
    /// more. A single call looks at each frame of RAM once at most, and at those of its run again:
    /// that is what it takes where each 2 MB lost a frame since the last call, and none has a run.
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
        if order > MAX_ORDER || self.nfree >> order == 0 || self.is_set_aside {
            return self.alloc_poisoned_run(mem, flags, order);
        }
        let first = match order.checked_sub(BLOCK_ORDER) {
            None | Some(0) => self.find_in_block(order)?,
            Some(order) => self.find_blocks(order)?,
        };
        let first = Frame(first as u32);
        self.take_run(first.index(), 1 << order);
        if flags.contains(ALLOC_ZERO) {
            for i in 0..1 << order {
                mem.zero_frame(self.page2pa(first) + i * PGSIZE);
            }
        }
        Some(first)
    }

    /// Puts 2^`order` frames from `first` on back on the free list: at its end, so that they stay
    /// together for as long as others serve.
    ///
    /// # Panics
    ///
    /// Where one of them is free, reserved or still referenced, or is none: a bug of the caller.
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
    /// Those of [`try_page_free`](PageAllocator::try_page_free), for the first frame that has
    /// one; nothing has changed then.
    ///
    /// # Panics
    ///
    /// Where `pages` does not describe all of them, whatever the order.
    pub fn try_page_free_run(&mut self, first: Frame, order: u32) -> Result<(), PageError> {
        if order == 0 {
            return self.try_page_free(first);
        }
        let npages = self.npages();
        let count = 1_usize.checked_shl(order);
        let end = count.and_then(|count| first.index().checked_add(count));
        let Some(end) = end.filter(|end| *end <= npages) else {
            let first = first.index();
            panic!("2^{order} frames from number {first} on, but `pages` describes {npages}")
        };
        let run = first.index()..end;
        let good = leading(&self.array()[run.clone()], PageInfo::in_use(0));
        if good < run.len() {
            let bad = run.start + good;
            let pa = self.page2pa(Frame(bad as u32));
            return Err(refusal(&self.array()[bad], pa));
        }
        link_upwards(&mut self.array_mut()[run.clone()], run.start);
        self.append_linked(run.start, run.end - 1);
        Ok(())
    }

    /// Frames and entries of the table that all searches for runs have looked at so far.
    #[must_use]
    pub fn run_search_steps(&self) -> u64 {
        self.lists.steps
    }

    /// The order of the largest run of free frames, which [`page_alloc_run`](Self::page_alloc_run)
    /// finds unless it is set aside; `None` where nothing is free. Looks at all frames.
    #[must_use]
    pub fn largest_run(&self) -> Option<u32> {
        match first_run(self.array().iter().map(PageInfo::is_free), MAX_ORDER) {
            Ok(_) => Some(MAX_ORDER),
            Err(bound) => bound.checked_sub(1),
        }
    }

    /// Finds 2^`order` frames within one block; their first index.
    fn find_in_block(&mut self, order: u32) -> Option<usize> {
        loop {
            let block = self.blocks().candidate(order)?;
            // That all of it may be free is perhaps known only because something was freed. If so,
            // it may serve before those that are whole, but only if none that is fuller can.
            if order < BLOCK_ORDER
                && self.table()[block].bound == ALL
                && let Err(bound) = self.look_into(block, BLOCK_ORDER)
            {
                self.blocks().set(block, bound);
                continue;
            }
            match self.look_into(block, order) {
                Ok(first) => return Some(block * BLOCK + first),
                Err(bound) => self.blocks().set(block, bound),
            }
        }
    }

    /// Finds 2^`order` whole blocks; their first frame's index.
    fn find_blocks(&mut self, order: u32) -> Option<usize> {
        loop {
            let group = self.groups().candidate(order)?;
            let start = group * BLOCK;
            let level = self.blocks();
            let blocks = &level.entries[start..level.entries.len().min(start + BLOCK)];
            let (nr_blocks, may_be_free) = (blocks.len(), |block: &Block| block.bound == ALL);
            let found = first_run(blocks.iter().map(may_be_free), order);
            self.lists.steps += seen(&found, nr_blocks, order);
            match found {
                Err(bound) => self.groups().set(group, bound),
                Ok(first) => {
                    let mut run = start + first..start + first + (1 << order);
                    // A bound may be too high. Then it no longer is, and the next turn knows.
                    let not_free = run.find_map(|block| {
                        let bound = self.look_into(block, BLOCK_ORDER).err()?;
                        Some((block, bound))
                    });
                    match not_free {
                        Some((block, bound)) => self.blocks().set(block, bound),
                        None => return Some((start + first) * BLOCK),
                    }
                }
            }
        }
    }

    /// [`first_run_in_block`], with its steps counted.
    fn look_into(&mut self, block: usize, order: u32) -> Result<usize, u32> {
        let infos = self.array();
        let frames = &infos[block * BLOCK..infos.len().min((block + 1) * BLOCK)];
        let found = first_run_in_block(frames, order);
        let steps = seen(&found, frames.len(), order);
        self.lists.steps += steps;
        found
    }

    /// Takes `count` frames from `first` on off the list, all of which are on it.
    fn take_run(&mut self, first: usize, count: usize) {
        let end = first + count;
        let mut at = first;
        while at < end {
            // Neighbours are mostly neighbours on the list, too: often all of a block.
            let start = at;
            let infos = self.array();
            let block = infos[..end].get(at..at + BLOCK - 1);
            if let Some(block) = block.filter(|_| at.is_multiple_of(BLOCK)) {
                let links = block.iter().zip(at as u32 + 1..);
                if links.fold(true, |all, (info, next)| all & (info.pp_link == next)) {
                    at += BLOCK - 1;
                }
            }
            while at + 1 < end && infos[at].pp_link as usize == at + 1 {
                at += 1;
            }
            self.unlink(start, at);
            at += 1;
        }
        self.array_mut()[first..end].fill(PageInfo::in_use(0));
        self.nfree -= count;
        // Of these blocks it is known that nothing is left.
        for block in first.div_ceil(BLOCK)..end / BLOCK {
            self.blocks().set(block, 0);
        }
    }

    /// Takes the frames from `first` to `last`, each linked to the next one, off the list.
    fn unlink(&mut self, first: usize, last: usize) {
        let head = self.page_free_list as usize;
        let infos = self.array_mut();
        let (next, mut prev) = (infos[last].pp_link, 0);
        if first != head {
            prev = infos[first].pp_ref_or_prev;
            infos[prev as usize].pp_link = next;
        }
        match infos.get_mut(next as usize) {
            Some(info) => info.pp_ref_or_prev = prev,
            None => self.page_free_list_end = prev,
        }
        if first == head {
            self.page_free_list = next;
        }
    }

    /// Puts the frames from `first` to `last`, which [`link_upwards`] has linked, at the end of the
    /// list, where single pages are taken from them last.
    pub(super) fn append_linked(&mut self, first: usize, last: usize) {
        let is_empty = self.page_free_list == PageInfo::END;
        if is_empty && self.poison.is_some() {
            return self.append_poisoned(first, last);
        }
        let before = if is_empty { 0 } else { self.page_free_list_end };
        let infos = self.array_mut();
        infos[first].pp_ref_or_prev = before;
        infos[last].pp_link = PageInfo::END;
        if is_empty {
            self.page_free_list = first as u32;
        } else {
            infos[before as usize].pp_link = first as u32;
        }
        self.page_free_list_end = last as u32;
        self.nfree += last + 1 - first;
        for block in first / BLOCK..=last / BLOCK {
            self.raise(block);
        }
    }

    /// Puts `count` frames, from `first` to `last` linked both ways and noted, in front of the list.
    pub(super) fn prepend_linked(&mut self, first: u32, last: u32, count: usize) {
        if self.is_poisoned() {
            return self.prepend_poisoned(first, last, count);
        }
        let head = core::mem::replace(&mut self.page_free_list, first);
        let infos = self.array_mut();
        infos[last as usize].pp_link = head;
        match infos.get_mut(head as usize) {
            Some(info) => info.pp_ref_or_prev = last,
            None => self.page_free_list_end = last,
        }
        self.nfree += count;
    }

    /// Notes that frame `index` is free now, and perhaps a large run with it.
    #[inline]
    pub(super) fn note_free(&mut self, index: usize) {
        self.raise(index / BLOCK);
    }

    /// Nothing is known of `block` any more but that a frame in it is free.
    #[inline]
    fn raise(&mut self, block: usize) {
        if self.table()[block].bound != ALL {
            self.raise_lowered(block);
        }
    }

    #[cold]
    fn raise_lowered(&mut self, block: usize) {
        self.blocks().set(block, ALL);
        let group = block / BLOCK;
        let mut groups = self.groups();
        if groups.entries[group].bound != ALL {
            groups.set(group, ALL);
        }
    }

    /// Begins the table anew: nothing is free.
    pub(super) fn clear_table(&mut self) {
        self.table_mut().fill(Block { bound: 0, next: NO_BLOCK, prev: NO_BLOCK });
        self.lists = Lists::new();
    }

    /// Notes that all frames from `first` to `last` are free, as [`page_init`](Self::page_init)
    /// says. Called from the last ones to the first, so that the lists begin with the lowest.
    pub(super) fn note_free_run(&mut self, first: usize, last: usize) {
        for block in (first / BLOCK..=last / BLOCK).rev() {
            self.raise(block);
        }
    }

    fn blocks(&mut self) -> Level<'_> {
        let count = nr_blocks(self.npages());
        let (table, lists) = self.table_and_lists();
        Level { entries: &mut table[..count], heads: &mut lists.blocks }
    }

    fn groups(&mut self) -> Level<'_> {
        let count = nr_blocks(self.npages());
        let (table, lists) = self.table_and_lists();
        Level { entries: &mut table[count..], heads: &mut lists.groups }
    }

    /// Plants a fault: `block` is said to have no free frame.
    #[cfg(test)]
    pub(crate) fn deny_frames(&mut self, block: usize) {
        self.blocks().set(block, 0);
    }

    /// Plants a fault: `group` is said to have no free block.
    #[cfg(test)]
    pub(crate) fn deny_blocks(&mut self, group: usize) {
        self.groups().set(group, 0);
    }

    /// Plants a fault: no block is on any list.
    #[cfg(test)]
    pub(crate) fn lose_blocks(&mut self) {
        self.lists.blocks = Lists::new().blocks;
    }

    /// Panics unless the table is whole, and no bound in it too low.
    pub(crate) fn check_runs(&mut self) {
        self.blocks().check("block");
        self.groups().check("group");
        let count = nr_blocks(self.npages());
        let (blocks, groups) = self.table().split_at(count);
        let too_low = |what, index: usize, bound, truth| {
            assert!(
                truth <= bound,
                "check_page_free_list: {what} {index} has a free run of order {}, \
                 its bound {bound} says it has none",
                truth - 1
            );
        };
        // Those of whom all may be free cannot be too low.
        let truth = |all: &mut dyn Iterator<Item = bool>| match first_run(all, BLOCK_ORDER) {
            Ok(_) => ALL,
            Err(bound) => bound,
        };
        for ((index, block), frames) in blocks.iter().enumerate().zip(self.array().chunks(BLOCK)) {
            if block.bound != ALL {
                let is_free = &mut frames.iter().map(PageInfo::is_free);
                too_low("block", index, block.bound, truth(is_free));
            }
        }
        for ((index, group), blocks) in groups.iter().enumerate().zip(blocks.chunks(BLOCK)) {
            if group.bound != ALL {
                let may_be_free = &mut blocks.iter().map(|block| block.bound == ALL);
                too_low("group", index, group.bound, truth(may_be_free));
            }
        }
    }
}
