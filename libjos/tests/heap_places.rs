//! Where a heap puts a block, by its layout; what it uses again; and that it takes nothing for its own
//! that is not.

mod arenas;

use std::alloc::Layout;
use std::ptr::NonNull;

use arenas::{MB, PAGE, free, heap, layout};
use libjos::heap::{Heap, HeapError, OutOfPages};
use libjos::sim::arena::Arena;

/// Bytes of a host's word: the heap's records in and beside its blocks are made of words.
const WORD: usize = size_of::<usize>();

/// A heap in the 4 MB from 4 MB on of an arena of 16 MB.
fn heap_inside(poison: bool) -> (Heap<Arena>, NonNull<u8>) {
    let arena = Arena::new(16 * MB, true);
    let start = arena.region().cast::<u8>();
    // SAFETY: 4 MB from there are in the arena, which the heap owns.
    unsafe {
        let region = NonNull::slice_from_raw_parts(start.add(4 * MB), 4 * MB);
        (Heap::new(region, arena, poison), start)
    }
}

#[test]
fn heap_kinds_of_blocks_have_limits() {
    // How many small, large and huge blocks a heap has after it has allocated one with this layout.
    let kinds = |layout: Layout| {
        let mut heap = heap(false);
        heap.alloc(layout).unwrap();
        let stats = heap.stats();
        [
            stats.blocks() - stats.large.blocks - stats.huge.blocks,
            stats.large.blocks,
            stats.huge.blocks,
        ]
    };
    for (size, align) in [(PAGE, 8), (100, PAGE)] {
        assert_eq!(kinds(layout(size, align)), [1, 0, 0]);
    }
    for (size, align) in [(PAGE + 1, 8), (100, 2 * PAGE), (MB, 8), (5000, MB / 2)] {
        assert_eq!(kinds(layout(size, align)), [0, 1, 0]);
    }
    for (size, align) in [(MB + 1, 8), (5000, MB)] {
        assert_eq!(kinds(layout(size, align)), [0, 0, 1]);
    }
}

/// Four words in front of a block, or what its alignment needs, and 16 bytes behind it.
#[test]
fn heap_poison_costs_little() {
    let costs = 4 * WORD + 16;
    for (size, align, whole) in [
        (24, 8, if WORD == 8 { 80 } else { 64 }),
        (100, 64, 192),
        (PAGE - costs, 8, PAGE),
        (PAGE - costs + 1, 8, 2 * PAGE),
    ] {
        let mut heap = heap(true);
        heap.alloc(layout(size, align)).unwrap();
        assert_eq!(heap.stats().handed_out, whole, "{size} bytes aligned to {align}");
    }
}

#[test]
fn heap_fills_the_holes_in_its_slabs() {
    let (mut heap, layout) = (heap(false), layout(64, 8));
    let blocks: Vec<_> = (0..400).map(|_| heap.alloc(layout).unwrap()).collect();
    let held = heap.stats().held;
    blocks.iter().step_by(2).for_each(|block| free(&mut heap, *block, layout).unwrap());
    (0..200).for_each(|_| assert!(heap.alloc(layout).is_ok()));
    assert_eq!(heap.stats().held, held);
}

/// Blocks that were never in use come in the order of their addresses, as they are written to.
#[test]
fn heap_cuts_its_slabs_from_below() {
    let (mut heap, layout) = (heap(false), layout(64, 8));
    let blocks: Vec<_> = (0..64).map(|_| heap.alloc(layout).unwrap()).collect();
    assert!(blocks.windows(2).all(|two| two[1].addr().get() == two[0].addr().get() + 64));
}

/// Where there was no room for a block because of its alignment, there may be for a larger one.
#[test]
fn heap_has_room_though_not_for_every_alignment() {
    let mut heap = heap(false);
    heap.pages().limit(100);
    let large = layout(5008, 8);
    let blocks: Vec<_> = std::iter::from_fn(|| heap.alloc(large).ok()).collect();
    free(&mut heap, blocks[3], large).unwrap();
    assert!(heap.alloc(layout(4992, MB / 4)).is_err());
    assert_eq!(heap.alloc(large), Ok(blocks[3]));
}

/// If there is nothing to give back, the machine is not asked again.
#[test]
fn heap_asks_for_pages_once() {
    let mut heap = heap(false);
    heap.pages().fail_after(0);
    let left = 32 * MB as u64;
    assert_eq!(heap.alloc(layout(24, 8)), Err(HeapError::OutOfMemory { asked: 24, left }));
    assert!(heap.alloc(layout(24, 8)).is_ok());
}

#[test]
fn heap_is_no_larger_than_its_region() {
    let (mut heap, _) = heap_inside(false);
    let block = heap.alloc(layout(3 * MB, 8)).unwrap();
    let left = (MB - PAGE) as u64;
    assert_eq!(heap.alloc(layout(MB, 8)), Err(HeapError::OutOfMemory { asked: MB, left }));
    free(&mut heap, block, layout(3 * MB, 8)).unwrap();
}

#[test]
fn heap_does_not_take_the_block_of_another() {
    for poison in [false, true] {
        let (mut heap, mut other) = (heap(poison), heap(poison));
        for (size, align) in [(24, 8), (4096, 8), (5000, 8), (3 * MB, 8)] {
            let layout = layout(size, align);
            let _own = heap.alloc(layout).unwrap();
            let block = other.alloc(layout).unwrap();
            let foreign = HeapError::Foreign { at: block.addr().get(), size };
            assert_eq!(free(&mut heap, block, layout), Err(foreign));
            free(&mut other, block, layout).unwrap();
        }
    }
}

/// Memory in front of the heap's addresses and behind them is not taken for slabs.
#[test]
fn heap_looks_at_no_memory_but_its_own() {
    let ((mut heap, start), layout) = (heap_inside(false), layout(24, 8));
    let block = heap.alloc(layout).unwrap();
    let at = |offset: usize| start.map_addr(|addr| addr.checked_add(offset).unwrap());
    for others in [2 * MB, 8 * MB] {
        // SAFETY: in the arena, outside the heap's region.
        unsafe { at(others).write_bytes(0xA5, 16 * PAGE) };
    }
    for foreign in [at(4 * MB + 64), at(8 * MB)] {
        let error = HeapError::Foreign { at: foreign.addr().get(), size: 24 };
        assert_eq!(free(&mut heap, foreign, layout), Err(error));
    }
    free(&mut heap, block, layout).unwrap();
}

/// A seal is good for one block of one size.
#[test]
fn heap_trusts_no_copied_or_changed_seal() {
    let (mut heap, layout) = (heap(true), layout(200, 8));
    let block = heap.alloc(layout).unwrap();
    let foreign = |block: NonNull<u8>| HeapError::Foreign { at: block.addr().get(), size: 200 };
    // SAFETY: what lies in front of the block and in it is the arena's, which only this test uses.
    unsafe {
        let inside = block.add(64);
        inside.sub(2 * WORD).copy_from_nonoverlapping(block.sub(2 * WORD), 2 * WORD);
        assert_eq!(free(&mut heap, inside, layout), Err(foreign(inside)));
        let size = block.sub(2 * WORD).cast::<usize>();
        for bit in 0..16 {
            size.write(200 ^ 1 << bit);
            assert_eq!(free(&mut heap, block, layout), Err(foreign(block)), "bit {bit}");
        }
        size.write(200);
    }
    free(&mut heap, block, layout).unwrap();
}

/// The free blocks of a slab that is used after free count as in use for ever.
#[test]
fn heap_counts_what_it_forgets_as_in_use() {
    let (mut heap, layout) = (heap(false), layout(4096, 8));
    // Two slabs. If there is only one, no free block leaves the stack.
    let blocks: Vec<_> = (0..32).map(|_| heap.alloc(layout).unwrap()).collect();
    for block in &blocks[..18] {
        free(&mut heap, *block, layout).unwrap();
    }
    // SAFETY: in the arena, which only this test uses.
    blocks[..18].iter().for_each(|block| unsafe { block.write_bytes(1, 16) });
    for _ in ["on the stack", "in one slab", "in the other"] {
        assert!(matches!(heap.alloc(layout), Err(HeapError::UseAfterFree { .. })));
    }
    assert_eq!(heap.stats().blocks(), 32);
    heap.alloc(layout).unwrap();
    assert_eq!(heap.stats().blocks(), 33);
}

#[test]
fn heap_has_words_for_itself() {
    assert_eq!(OutOfPages.to_string(), "not enough free pages");
    let mut heap = heap(false);
    heap.alloc(layout(24, 8)).unwrap();
    assert_eq!(format!("{heap:?}"), "Heap { asked: 24, .. }");
}
