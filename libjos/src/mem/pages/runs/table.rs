//! The table of runs: upper bounds on the free runs in each block of frames and in each group of blocks.
//!
//! The opening of `runs.rs` says how it is used.

use core::mem::align_of;
use core::ops::Range;
use core::ptr::NonNull;

use crate::mem::pages::{PageArray, PageInfo};

/// A block is 2^9 frames, the large page of most formats; a group is as many blocks.
pub(super) const BLOCK_ORDER: u32 = 9;
pub(super) const BLOCK: usize = 1 << BLOCK_ORDER;
/// A search puts what it sees into words of 2^6 bits.
const WORD_ORDER: u32 = u64::BITS.ilog2();
const WORD: usize = 1 << WORD_ORDER;
/// The order of the largest runs: 1 GB.
pub const MAX_ORDER: u32 = 2 * BLOCK_ORDER;
/// The bound if all of a block, or of a group, may be free.
pub(super) const ALL: u32 = BLOCK_ORDER + 1;
/// Ends a list of blocks or groups.
const NONE: u32 = u32::MAX;

/// An entry of the table: a bound on the free runs in a block or a group.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Block {
    /// 1 more than the order of the largest run that may be free; 0 if nothing is free. In a group,
    /// runs of blocks.
    bound: u32,
    /// The neighbours on the list of entries with the same bound. There is no list for bound 0.
    next: u32,
    prev: u32,
}

const _: () = assert!(align_of::<Block>() <= align_of::<PageInfo>());

impl Block {
    /// How much memory the table for `npages` frames takes, in [`PageInfo`]s.
    #[must_use]
    pub const fn table_len(npages: usize) -> usize {
        let nr_blocks = npages.div_ceil(BLOCK);
        let nr_groups = nr_blocks.div_ceil(BLOCK);
        ((nr_blocks + nr_groups) * size_of::<Self>()).div_ceil(size_of::<PageInfo>())
    }
}

/// The table of runs.
#[derive(Debug)]
pub(in crate::mem::pages) struct RunTable {
    pub(super) blocks: Bounds,
    pub(super) groups: Bounds,
    /// How many frames and entries searches have looked at.
    pub(super) steps: u64,
    /// The memory of `blocks`, then of `groups`.
    _memory: PageArray,
}

impl RunTable {
    /// The table for `npages` frames in `memory`. It says nothing until [`clear`](Self::clear).
    ///
    /// # Panics
    ///
    /// If `memory` is shorter than [`Block::table_len`].
    pub(in crate::mem::pages) fn new(memory: PageArray, npages: usize) -> Self {
        let all = memory.as_ptr();
        assert!(all.len() >= Block::table_len(npages), "the table of runs does not fit");
        let (nr_blocks, first) = (npages.div_ceil(BLOCK), all.cast::<Block>());
        // SAFETY: still within the memory, or at its end: `table_len` counts the blocks too.
        let first_group = unsafe { first.add(nr_blocks) };
        let blocks = Bounds::new(NonNull::slice_from_raw_parts(first, nr_blocks));
        let groups = NonNull::slice_from_raw_parts(first_group, nr_blocks.div_ceil(BLOCK));
        Self { blocks, groups: Bounds::new(groups), steps: 0, _memory: memory }
    }

    /// Begins anew: nothing is free.
    pub(in crate::mem::pages) fn clear(&mut self) {
        for bounds in [&mut self.blocks, &mut self.groups] {
            bounds.entries_mut().fill(Block { bound: 0, next: NONE, prev: NONE });
            bounds.empty_lists();
        }
        self.steps = 0;
    }

    /// Notes that frame `index` is free now, and perhaps a large run with it.
    #[inline]
    pub(in crate::mem::pages) fn note_free(&mut self, index: usize) {
        self.raise(index / BLOCK);
    }

    /// Notes that all frames from `first` to `last` are free now.
    pub(in crate::mem::pages) fn note_free_run(&mut self, first: usize, last: usize) {
        // Down, so that the lists begin with the lowest block.
        for block in (first / BLOCK..=last / BLOCK).rev() {
            self.raise(block);
        }
    }

    /// Nothing is known of `block` any more but that a frame in it is free.
    #[inline]
    fn raise(&mut self, block: usize) {
        if self.blocks.bound(block) != ALL {
            self.raise_lowered(block);
        }
    }

    #[cold]
    fn raise_lowered(&mut self, block: usize) {
        self.blocks.set(block, ALL);
        let group = block / BLOCK;
        if self.groups.bound(group) != ALL {
            self.groups.set(group, ALL);
        }
    }

    /// Looks for 2^`order` blocks in `group` that may be wholly free. If there are none, lowers the
    /// bound of the group to the truth.
    pub(super) fn look_into_group(&mut self, group: usize, order: u32) -> Option<Range<usize>> {
        let start = group * BLOCK;
        let entries = self.blocks.entries();
        let blocks = &entries[start..entries.len().min(start + BLOCK)];
        let found = first_run(blocks, Block::may_be_whole, order);
        self.steps += nr_seen(&found, blocks.len(), order);
        match found {
            Ok(first) => Some(start + first..start + first + (1 << order)),
            Err(bound) => {
                self.groups.set(group, bound);
                None
            }
        }
    }

    /// Panics unless all lists are whole, and no bound is too low. `blocks` tells for each block
    /// which of its frames are free.
    pub(super) fn check(&self, frames: &[PageInfo]) {
        self.blocks.check("block", frames, PageInfo::is_free);
        self.groups.check("group", self.blocks.entries(), Block::may_be_whole);
    }
}

impl Block {
    /// Whether all of the block may be free.
    fn may_be_whole(&self) -> bool {
        self.bound == ALL
    }
}

/// The bounds of all blocks, or of all groups. Entries with the same bound make a list.
#[derive(Debug)]
pub(super) struct Bounds {
    entries: NonNull<[Block]>,
    /// The first entry of each bound from 1 on.
    heads: [u32; ALL as usize],
}

impl Bounds {
    fn new(entries: NonNull<[Block]>) -> Self {
        Self { entries, heads: [NONE; ALL as usize] }
    }

    fn entries(&self) -> &[Block] {
        // SAFETY: `RunTable` has the memory, which is valid as that of `Pages::array`. It holds
        // numbers, whichever they are, and is aligned as `PageInfo` is, which is enough.
        unsafe { self.entries.as_ref() }
    }

    fn entries_mut(&mut self) -> &mut [Block] {
        // SAFETY: as in `entries`, and `self` is borrowed mutably, so there is no other borrow.
        unsafe { self.entries.as_mut() }
    }

    /// The bound of entry `index`.
    #[inline]
    pub(super) fn bound(&self, index: usize) -> u32 {
        self.entries()[index].bound
    }

    /// Forgets which entries have which bound.
    pub(super) fn empty_lists(&mut self) {
        self.heads = [NONE; ALL as usize];
    }

    /// Sets the bound of entry `index`, and moves the entry to the front of that bound's list.
    pub(super) fn set(&mut self, index: usize, bound: u32) {
        let Block { bound: old, next, prev } = self.entries()[index];
        if old > 0 {
            match prev {
                NONE => self.heads[old as usize - 1] = next,
                prev => self.entries_mut()[prev as usize].next = next,
            }
            if next != NONE {
                self.entries_mut()[next as usize].prev = prev;
            }
        }
        self.entries_mut()[index].bound = bound;
        if bound > 0 {
            let head = &mut self.heads[bound as usize - 1];
            let next = core::mem::replace(head, index as u32);
            self.entries_mut()[index] = Block { bound, next, prev: NONE };
            if next != NONE {
                self.entries_mut()[next as usize].prev = index as u32;
            }
        }
    }

    /// An entry with the lowest bound that allows for a run of 2^`order`.
    pub(super) fn candidate(&self, order: u32) -> Option<usize> {
        let head = self.heads[order as usize..].iter().find(|head| **head != NONE)?;
        Some(*head as usize)
    }

    /// Panics unless each entry with a bound is on that bound's list and on no other, and no bound is
    /// too low. `parts` tells for each entry which of its frames are free, or which of its blocks may be.
    fn check<T>(&self, what: &str, parts: &[T], is_free: impl Fn(&T) -> bool) {
        let mut listed = 0;
        for (head, bound) in self.heads.iter().zip(1..) {
            let (mut before, mut index) = (NONE, *head);
            while index != NONE {
                let Block { bound: its, next, prev } = self.entries()[index as usize];
                assert!(
                    its == bound && prev == before && listed < self.entries.len(),
                    "check_page_free_list: {what} {index} with bound {its} is on list {bound}, \
                     behind {prev:#x} and not {before:#x}"
                );
                listed += 1;
                (before, index) = (index, next);
            }
        }
        let bounds = self.entries().iter().filter(|entry| entry.bound > 0).count();
        assert!(
            listed == bounds,
            "check_page_free_list: {bounds} {what}s have free runs, {listed} are listed"
        );
        for ((index, entry), part) in self.entries().iter().enumerate().zip(parts.chunks(BLOCK)) {
            // The highest bound cannot be too low.
            if entry.bound == ALL {
                continue;
            }
            let truth = first_run(part, &is_free, BLOCK_ORDER).map_or_else(|bound| bound, |_| ALL);
            assert!(
                truth <= entry.bound,
                "check_page_free_list: {what} {index} has a free run of order {}, \
                 its bound {} says it has none",
                truth - 1,
                entry.bound
            );
        }
    }
}

/// Looks for 2^`order` neighbours in `all` that are free, aligned to their number: the place of the
/// first one, or else the bound that the largest run makes. There are at most [`BLOCK`] of them.
pub(super) fn first_run<T>(
    all: &[T],
    is_free: impl Fn(&T) -> bool,
    order: u32,
) -> Result<usize, u32> {
    let (mut bound, mut whole) = (0, 0);
    for (word, entries) in all.chunks(WORD).enumerate() {
        let add = |bits, entry| bits << 1 | u64::from(is_free(entry));
        let free = entries.iter().rev().fold(0, add);
        match first_run_of_bits(free, order) {
            Ok(bit) => return Ok(WORD * word + bit as usize),
            Err(here) => bound = bound.max(here),
        }
        whole |= u64::from(free == u64::MAX) << word;
    }
    if whole == 0 {
        return Err(bound);
    }
    // A word that is free as a whole has not served, so the run is longer. It consists of such words.
    match first_run_of_bits(whole, order - WORD_ORDER) {
        Ok(word) => Ok(WORD * word as usize),
        Err(bound) => Err(WORD_ORDER + bound),
    }
}

/// Looks for 2^`order` neighbours among the bits that are set, as [`first_run`] does.
fn first_run_of_bits(bits: u64, order: u32) -> Result<u32, u32> {
    // A bit for each aligned run of 2^k, which is the first of the run's bits.
    let (mut runs, mut k) = (bits, 0);
    while runs != 0 {
        if k == order {
            return Ok(runs.trailing_zeros());
        }
        // Two neighbours, of which the first is aligned, make a run of the next order.
        runs &= runs.unbounded_shr(1 << k) & ALIGNED[k as usize];
        k += 1;
    }
    Err(k)
}

/// For each k, the bits whose number is a multiple of 2^(k + 1).
const ALIGNED: [u64; WORD_ORDER as usize + 1] = [
    0x5555_5555_5555_5555,
    0x1111_1111_1111_1111,
    0x0101_0101_0101_0101,
    0x0001_0001_0001_0001,
    0x0000_0001_0000_0001,
    1,
    1,
];

/// How many of `all` it took [`first_run`] to find this, by words.
pub(super) fn nr_seen(found: &Result<usize, u32>, all: usize, order: u32) -> u64 {
    found.map_or(all, |first| (first + (1 << order)).next_multiple_of(WORD)) as u64
}
