//! Buddies: blocks of 2^n frames, aligned to their size, split in halves and joined again.
//!
//! The address of a block's other half, its buddy, differs in one bit, so joining needs no search.
//! Requests are rounded up to a power of two, which wastes up to half of the block.

use crate::{FrameScheme, Report, WrongFree};

/// The number of possible orders.
const ORDERS: usize = u32::BITS as usize;
/// The end of a list.
const END: u32 = u32::MAX;

/// The record of a frame.
#[derive(Clone, Copy, Default, Debug)]
pub struct Block {
    state: State,
    /// The neighbours on the list of free blocks of its order, if it is free.
    next: u32,
    prev: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum State {
    /// No block begins here.
    #[default]
    Inside,
    /// A free block of 2^`order` frames.
    Free { order: u8 },
    /// A block for `count` frames.
    Given { count: u32 },
}

/// The buddy system.
#[derive(Debug)]
pub struct Buddy<'a> {
    blocks: &'a mut [Block],
    heads: [u32; ORDERS],
    free: usize,
    internal_waste: usize,
    search_steps: u64,
}

/// The order of the smallest block with `count` frames.
fn order_of(count: usize) -> u32 {
    count.next_power_of_two().trailing_zeros()
}

impl<'a> Buddy<'a> {
    /// As many frames as `blocks` has elements, all free.
    ///
    /// # Panics
    ///
    /// If there are 2^31 or more.
    #[must_use]
    pub fn new(blocks: &'a mut [Block]) -> Self {
        let frames = blocks.len();
        assert!(frames < 1 << (ORDERS - 1), "more frames than a block can have");
        blocks.fill(Block::default());
        let heads = [END; ORDERS];
        let mut buddy = Self { blocks, heads, free: frames, internal_waste: 0, search_steps: 0 };
        let mut first = 0;
        while first < frames {
            // The largest block that is aligned and fits.
            let order = (frames - first).ilog2().min(first.trailing_zeros());
            buddy.push(first, order);
            first += 1 << order;
        }
        buddy
    }

    fn push(&mut self, first: usize, order: u32) {
        let next = core::mem::replace(&mut self.heads[order as usize], first as u32);
        let state = State::Free { order: order as u8 };
        self.blocks[first] = Block { state, next, prev: END };
        if next != END {
            self.blocks[next as usize].prev = first as u32;
        }
    }

    fn remove(&mut self, first: usize, order: u32) {
        let Block { next, prev, .. } = core::mem::take(&mut self.blocks[first]);
        match prev {
            END => self.heads[order as usize] = next,
            prev => self.blocks[prev as usize].next = next,
        }
        if next != END {
            self.blocks[next as usize].prev = prev;
        }
    }
}

impl FrameScheme for Buddy<'_> {
    fn name(&self) -> &'static str {
        "buddy system"
    }

    fn alloc(&mut self, count: usize) -> Option<usize> {
        if count == 0 || count > self.free {
            return None;
        }
        let order = order_of(count);
        let mut larger = order;
        while self.heads[larger as usize] == END {
            self.search_steps += 1;
            larger += 1;
            if larger as usize == ORDERS {
                return None;
            }
        }
        self.search_steps += 1;
        let first = self.heads[larger as usize] as usize;
        self.remove(first, larger);
        for half in (order..larger).rev() {
            self.push(first + (1 << half), half);
        }
        self.blocks[first].state = State::Given { count: count as u32 };
        self.free -= 1 << order;
        self.internal_waste += (1 << order) - count;
        Some(first)
    }

    fn free(&mut self, first: usize, count: usize) -> Result<(), WrongFree> {
        let state = self.blocks.get(first).map(|block| block.state);
        if !matches!(state, Some(State::Given { count: given }) if given as usize == count) {
            return Err(WrongFree { first, count });
        }
        let (mut first, mut order) = (first, order_of(count));
        self.blocks[first] = Block::default();
        self.free += 1 << order;
        self.internal_waste -= (1 << order) - count;
        loop {
            self.search_steps += 1;
            let buddy = first ^ (1 << order);
            let is_free = State::Free { order: order as u8 };
            if self.blocks.get(buddy).is_none_or(|block| block.state != is_free) {
                break;
            }
            self.remove(buddy, order);
            first = first.min(buddy);
            order += 1;
        }
        self.push(first, order);
        Ok(())
    }

    fn keeps_lengths(&self) -> bool {
        true
    }

    fn report(&self) -> Report {
        let largest = self.heads.iter().rposition(|head| *head != END);
        Report {
            frames: self.blocks.len(),
            free: self.free,
            largest: largest.map_or(0, |order| 1 << order),
            internal_waste: self.internal_waste,
            metadata_bytes: size_of_val(self.blocks) + size_of_val(&self.heads),
            search_steps: self.search_steps,
        }
    }
}
