//! How much memory a heap takes and keeps: it must neither map pages again and again nor keep much memory that
//! the program has freed.

mod arenas;

use std::alloc::Layout;

use arenas::{MB, PAGE, free, heap, layout};
use libjos::heap::{Heap, HeapError, HeapStats};
use libjos::sim::arena::Arena;

/// Bytes of all slabs.
fn in_slabs(stats: &HeapStats) -> usize {
    stats.small.iter().map(|class| class.held).sum()
}

/// Allocates `n` blocks and frees them. Returns the bytes of slabs at the peak, and those that are kept afterwards.
fn slabs_at_peak_and_after(heap: &mut Heap<Arena>, n: usize, layout: Layout) -> (usize, usize) {
    let blocks: Vec<_> = (0..n).map(|_| heap.alloc(layout).unwrap()).collect();
    let most = in_slabs(&heap.stats());
    blocks.iter().rev().for_each(|block| free(heap, *block, layout).unwrap());
    (most, in_slabs(&heap.stats()))
}

/// If a heap has given slabs back and had to make them again, it keeps as many from then on, of any class.
#[test]
#[cfg_attr(miri, ignore = "thousands of blocks")]
fn heap_keeps_slabs_that_it_needs_again() {
    let mut heap = heap(false);
    for (size, n) in [(500, 2000), (16, 20_000), (4096, 200)] {
        let layout = layout(size, 8);
        let peaks: Vec<_> = (0..3).map(|_| slabs_at_peak_and_after(&mut heap, n, layout)).collect();
        let (most, kept) = peaks[0];
        assert!(kept < most, "{kept} bytes are kept though no slab of {size} was made twice");
        assert_eq!(peaks[2], (peaks[1].0, peaks[1].0), "{size}");
    }
    heap.trim().unwrap();
    assert_eq!(heap.stats().held, 0);
}

/// If a class may keep all of its slabs, all of its free blocks are on its stack. Each double free is found
/// there, and the memory goes back when another block needs it.
#[test]
#[cfg_attr(miri, ignore = "thousands of blocks")]
fn heap_finds_double_frees_in_a_stack_without_limit() {
    let (mut heap, layout) = (heap(false), layout(500, 8));
    for _ in 0..4 {
        slabs_at_peak_and_after(&mut heap, 2000, layout);
    }
    let blocks: Vec<_> = (0..2000).map(|_| heap.alloc(layout).unwrap()).collect();
    blocks.iter().for_each(|block| free(&mut heap, *block, layout).unwrap());
    for block in &blocks {
        let expected = HeapError::DoubleFree { at: block.addr().get(), size: 500 };
        assert_eq!(free(&mut heap, *block, layout), Err(expected));
    }
    heap.pages().limit(heap.stats().held / PAGE);
    let large = Layout::from_size_align(in_slabs(&heap.stats()) / 2, 8).unwrap();
    heap.alloc(large).unwrap();
    heap.trim().unwrap();
    assert_eq!(in_slabs(&heap.stats()), 0);
}

/// If no memory is left, a class keeps one empty slab and no more, after any number of peaks.
#[test]
#[cfg_attr(miri, ignore = "thousands of blocks")]
fn heap_keeps_an_empty_slab_after_each_peak() {
    let (mut heap, layout) = (heap(false), layout(500, 8));
    let (_, kept) = slabs_at_peak_and_after(&mut heap, 1000, layout);
    heap.pages().limit(heap.stats().held / PAGE);
    for n in [1000, 100, 200, 30] {
        assert_eq!(slabs_at_peak_and_after(&mut heap, n, layout).1, kept, "after {n} blocks");
    }
}

/// The slabs that a heap keeps take at most an eighth of the memory that was left (and 8 pages).
#[test]
#[cfg_attr(miri, ignore = "thousands of blocks")]
fn heap_keeps_no_more_than_an_eighth_of_what_is_left() {
    let mut heap = heap(false);
    let (most, _) = slabs_at_peak_and_after(&mut heap, 2000, layout(500, 8));
    let left = most / 2;
    heap.pages().limit((most + left) / PAGE);
    for _ in 0..5 {
        let (_, kept) = slabs_at_peak_and_after(&mut heap, 2000, layout(500, 8));
        assert!(kept <= left / 8 + 8 * PAGE, "{kept} bytes are kept, {left} were left");
    }
}

/// Before a heap says that there is no memory, it gives empty slabs back, and uses their room for a large block.
#[test]
fn heap_gives_back_slabs_before_it_says_that_there_is_no_more() {
    let (mut heap, small, large) = (heap(false), layout(4096, 8), layout(61_000, 8));
    let blocks: Vec<_> = (0..16).map(|_| heap.alloc(small).unwrap()).collect();
    let _other = heap.alloc(large).unwrap();
    blocks.iter().for_each(|block| free(&mut heap, *block, small).unwrap());
    let held = heap.stats().held;
    heap.pages().limit(held / PAGE);
    assert!(heap.alloc(large).is_ok());
    let error = HeapError::OutOfMemory { asked: large.size(), left: 0 };
    assert_eq!(heap.alloc(large), Err(error));
}

/// In a segment that was full, the room of a freed block is used again.
#[test]
fn heap_uses_what_was_freed_in_a_full_segment() {
    let (mut heap, layout) = (heap(false), layout(100_000, 8));
    heap.pages().limit(500);
    let blocks: Vec<_> = std::iter::from_fn(|| heap.alloc(layout).ok()).collect();
    assert!(blocks.len() > 15, "{}", blocks.len());
    free(&mut heap, blocks[3], layout).unwrap();
    assert_eq!(heap.alloc(layout), Ok(blocks[3]));
}

/// A program that allocates and frees again and again does not map and unmap each time.
#[test]
fn heap_does_not_thrash() {
    for poison in [false, true] {
        for (size, align) in [(24, 8), (100, 64), (4096, 1), (5000, 16), (9000, 8192)] {
            let layout = layout(size, align);
            let mut heap = heap(poison);
            let block = heap.alloc(layout).unwrap();
            free(&mut heap, block, layout).unwrap();
            heap.pages().fail_after(0);
            for _ in 0..10 {
                let block = heap.alloc(layout).unwrap();
                free(&mut heap, block, layout).unwrap();
            }
            assert!(!heap.pages().has_failed());
            assert!(heap.stats().held > 0);
            heap.trim().unwrap();
            assert_eq!(heap.stats().held, 0);
        }
    }
}

/// After a peak, slabs keep at most a quarter of the memory, in whatever order blocks are freed; [`Heap::trim`] gives
/// back all of it.
#[test]
#[cfg_attr(miri, ignore = "thousands of blocks")]
fn heap_shrinks_after_a_peak() {
    let orders: [fn(usize, usize) -> usize; 3] =
        [|i, _| i, |i, n| n - 1 - i, |i, n| (i * 7919) % n];
    for (size, n) in [(16, 9000), (100, 4000), (500, 2000), (3000, 500), (40_000, 60)] {
        for order in orders {
            let (mut heap, layout) = (heap(false), layout(size, 8));
            let blocks: Vec<_> = (0..n).map(|_| heap.alloc(layout).unwrap()).collect();
            let peak = heap.stats().held;
            for i in 0..n {
                free(&mut heap, blocks[order(i, n)], layout).unwrap();
            }
            let slabs = in_slabs(&heap.stats());
            assert!(slabs <= peak / 4, "{slabs} bytes of {peak} are kept for {size}");
            let held = heap.stats().held;
            assert_eq!(heap.trim(), Ok(held));
            assert_eq!((heap.stats().held, heap.stats().peak), (0, peak));
        }
    }
}

/// A small heap grows by at most 32 pages at a time, and a large one by 2 MB. A huge block takes only the pages that it
/// needs.
#[test]
#[cfg_attr(miri, ignore = "thousands of blocks")]
fn heap_grows_by_what_is_needed() {
    let mut heap = heap(false);
    let mut sizes = vec![];
    for _ in 0..17 * MB / 4096 {
        heap.alloc(layout(4096, 8)).unwrap();
        sizes.push(heap.stats().held);
    }
    assert!(sizes[0] <= 32 * PAGE, "{}", sizes[0]);
    sizes.dedup();
    let steps = sizes.windows(2).map(|sizes| (sizes[0], sizes[1] - sizes[0]));
    let (small, big): (Vec<_>, Vec<_>) = steps.partition(|(held, _)| *held < 16 * MB);
    assert!(small.iter().all(|(_, step)| *step <= 32 * PAGE), "{small:?}");
    assert!(!big.is_empty() && big.iter().all(|(_, step)| *step == 2 * MB), "{big:?}");
    heap.alloc(layout(3 * MB, 8)).unwrap();
    assert_eq!((heap.stats().huge.blocks, heap.stats().huge.held), (1, 3 * MB + PAGE));
}

#[test]
fn heap_resizes_in_place_where_there_is_room() {
    for (old, new) in [
        (17, 32),
        (4000, 3600),
        (100_000, 50_000),
        (50_001, 50_000),
        (2 * MB, 5 * MB),
        (5 * MB, 2 * MB),
    ] {
        let mut heap = heap(false);
        let block = heap.alloc(layout(old, 8)).unwrap();
        // SAFETY: the block is allocated with this layout.
        assert_eq!(unsafe { heap.realloc(block, layout(old, 8), new) }, Ok(block), "{old}, {new}");
        assert_eq!(heap.stats().asked, new);
        free(&mut heap, block, layout(new, 8)).unwrap();
        heap.trim().unwrap();
        assert_eq!(heap.stats().held, 0);
    }
}

/// A huge block that must grow, and has another block behind it, moves.
#[test]
fn heap_moves_a_huge_block_that_has_no_room() {
    let (mut heap, layout) = (heap(false), layout(3 * MB, 8));
    let (first, second) = (heap.alloc(layout).unwrap(), heap.alloc(layout).unwrap());
    assert_eq!(second.addr().get() - first.addr().get(), 4 * MB);
    // SAFETY: each block is allocated, and not used any more after it has moved.
    unsafe {
        first.write(64);
        second.write(65);
        let moved = heap.realloc(first, layout, 5 * MB).unwrap();
        assert!(moved > second && moved.read() == 64 && second.read() == 65);
        // Now there is room in front of the second, but none that is large enough behind it.
        let error = heap.realloc(second, layout, 31 * MB).unwrap_err();
        assert!(matches!(error, HeapError::OutOfMemory { .. }), "{error}");
        assert_eq!(second.read(), 65);
    }
}

/// Before a heap says that there is no memory, it gives back the empty segment that it keeps.
#[test]
fn heap_gives_back_its_empty_segment_before_it_says_that_there_is_no_more() {
    let mut heap = heap(false);
    let block = heap.alloc(layout(900_000, 8)).unwrap();
    free(&mut heap, block, layout(900_000, 8)).unwrap();
    assert!(heap.stats().held > 200 * PAGE);
    heap.pages().limit(300);
    heap.alloc(layout(MB + PAGE, 8)).unwrap();
}
