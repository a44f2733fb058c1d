//! The work of the heaps in their turns, which is the same for each.

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::NonNull;

use crate::harness::Turn;
use crate::heaps::Blocks;

/// Blocks that are alive.
const ALIVE: usize = 4096;
/// Blocks that are replaced in one sample.
const BATCH: usize = 1024;
/// Different samples before they repeat.
const BATCHES: usize = 64;

/// A generator of the same random numbers in every run: xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize * n) >> 32
    }
}

/// Sizes from 16 to 4096 bytes, equally likely.
pub(crate) fn any_size(random: u32) -> usize {
    16 + ((random as usize * (4096 - 16 + 1)) >> 32)
}

/// A size of 64 bytes.
pub(crate) fn bytes_64(_random: u32) -> usize {
    64
}

type Block = (NonNull<u8>, Layout);

/// Allocates a block and writes to it.
#[inline]
fn alloc<H: Blocks>(heap: &mut H, layout: Layout) -> Block {
    let block = heap.alloc(layout);
    // SAFETY: every block is at least as large and as aligned as a `usize`.
    unsafe { block.cast::<usize>().write(block.addr().get()) };
    (block, layout)
}

/// Checks the word that was written to a block, and frees the block.
#[inline]
fn free<H: Blocks>(heap: &mut H, (block, layout): Block) {
    // SAFETY: as in `alloc`; the block is allocated, and the caller does not use it again.
    unsafe {
        assert_eq!(block.cast::<usize>().read(), block.addr().get());
        heap.free(block, layout);
    }
}

/// Keeps [`ALIVE`] blocks, frees one at random and allocates another in its place, repeatedly.
pub(crate) fn replace<H: Blocks>(turn: &mut Turn, size: fn(u32) -> usize) {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut layout = || {
        let layout = Layout::from_size_align(size(random.below(1 << 32) as u32), 8);
        layout.expect("8 is a power of 2")
    };
    let first: Vec<Layout> = (0..ALIVE).map(|_| layout()).collect();
    let next: Vec<Layout> = (0..BATCHES * BATCH).map(|_| layout()).collect();
    let places: Vec<usize> = next.iter().map(|_| random.below(ALIVE)).collect();

    let mut heap = H::new();
    let mut blocks: Vec<Block> = first.iter().map(|layout| alloc(&mut heap, *layout)).collect();
    let mut batch = 0;
    turn.measure(
        BATCH as u64,
        &mut heap,
        |_| (),
        |heap| {
            let steps = batch * BATCH..(batch + 1) * BATCH;
            batch = (batch + 1) % BATCHES;
            for (place, layout) in places[steps.clone()].iter().zip(&next[steps]) {
                free(heap, blocks[*place]);
                blocks[*place] = alloc(heap, *layout);
            }
        },
    );
    if turn.first {
        verify(&blocks);
        turn.note = losses(&heap, &blocks);
    }
    blocks.drain(..).for_each(|block| free(&mut heap, block));
    assert_all_back(&mut heap);
}

/// Allocates [`ALIVE`] blocks, and frees them from the last to the first.
pub(crate) fn stack<H: Blocks>(turn: &mut Turn) {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let layouts: Vec<Layout> = (0..ALIVE)
        .map(|_| Layout::from_size_align(any_size(random.below(1 << 32) as u32), 8))
        .collect::<Result<_, _>>()
        .expect("8 is a power of 2");
    let mut heap = H::new();
    let mut blocks: Vec<Block> = Vec::with_capacity(ALIVE);
    turn.measure(
        ALIVE as u64,
        &mut heap,
        |_| (),
        |heap| {
            blocks.extend(layouts.iter().map(|layout| alloc(heap, *layout)));
            black_box(&mut blocks).drain(..).rev().for_each(|block| free(heap, block));
        },
    );
    assert_all_back(&mut heap);
}

/// Asserts that no two blocks have a byte in common.
fn verify(blocks: &[Block]) {
    let mut places: Vec<(usize, usize)> =
        blocks.iter().map(|(at, layout)| (at.addr().get(), layout.size())).collect();
    places.sort_unstable();
    assert!(places.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0), "blocks overlap");
}

/// The share of wasted bytes, if the heap knows it.
fn losses<H: Blocks>(heap: &H, blocks: &[Block]) -> Option<String> {
    let layouts: Vec<Layout> = blocks.iter().map(|(_, layout)| *layout).collect();
    let asked: usize = layouts.iter().map(Layout::size).sum();
    let lost = |of: usize| 100.0 * (1.0 - asked as f64 / of as f64);
    let (in_use, held) = heap.in_use(&layouts);
    let rounding = format!("{:.1} % of the bytes in use lost to rounding", lost(in_use?));
    Some(match held {
        Some(held) => format!("{rounding}, of all held {:.1} %", lost(held)),
        None => rounding,
    })
}

/// Asserts that a heap without blocks holds no memory, if it can say.
fn assert_all_back<H: Blocks>(heap: &mut H) {
    heap.trim();
    let (in_use, held) = heap.in_use(&[]);
    assert_eq!((in_use.unwrap_or(0), held.unwrap_or(0)), (0, 0), "memory was not given back");
}
