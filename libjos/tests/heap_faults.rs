//! A heap's errors for each misuse, with and without poison, and for having no memory; and its account of
//! its blocks.

mod arenas;

use std::alloc::Layout;
use std::ptr::NonNull;

use arenas::{MB, PAGE, free, heap, layout};
use libjos::heap::{Heap, HeapError, HeapPages, HeapStats};

/// Bytes of a host's word: the heap's records in and beside its blocks are made of words.
const WORD: usize = size_of::<usize>();

/// Layouts that lead to each kind of block, with poison and without.
fn kinds() -> [Layout; 6] {
    [(24, 8), (100, 64), (4096, 1), (5000, 16), (9000, 8192), (3 * MB, 8)]
        .map(|(s, a)| layout(s, a))
}

/// Writes a byte into or beside a block.
fn write(block: NonNull<u8>, offset: isize) -> usize {
    // SAFETY: within the arena's memory, which no one else uses; as for `free`.
    unsafe {
        let at = block.offset(offset);
        at.write(at.read() ^ 0x55);
        at.addr().get()
    }
}

#[test]
fn heap_names_an_overrun() {
    for layout in kinds() {
        for offset in [layout.size() as isize, layout.size() as isize + 15] {
            let mut heap = heap(true);
            let block = heap.alloc(layout).unwrap();
            let changed = write(block, offset);
            let (at, size) = (block.addr().get(), layout.size());
            let expected = HeapError::Overrun { at, size, changed };
            assert_eq!(free(&mut heap, block, layout), Err(expected));
            // SAFETY: it is allocated still.
            assert_eq!(unsafe { heap.realloc(block, layout, 1) }, Err(expected));
            write(block, offset);
            assert_eq!(free(&mut heap, block, layout), Ok(()), "it was mended");
        }
    }
}

#[test]
fn heap_names_an_underrun() {
    for layout in kinds() {
        let mut heap = heap(true);
        let block = heap.alloc(layout).unwrap();
        write(block, -1);
        let foreign = HeapError::Foreign { at: block.addr().get(), size: layout.size() };
        assert_eq!(free(&mut heap, block, layout), Err(foreign));
        write(block, -1);
        if layout.align() > 32 {
            let changed = write(block, -17);
            let (at, size) = (block.addr().get(), layout.size());
            let expected = HeapError::Overrun { at, size, changed };
            assert_eq!(free(&mut heap, block, layout), Err(expected));
        }
    }
}

#[test]
fn heap_names_a_use_after_free() {
    // Not of a huge block: its pages are not there any more. And not of the first bytes of a large
    // block that begins with a page: there the list of holes may have its links.
    for layout in &kinds()[..5] {
        let first = if layout.align() < PAGE { 0 } else { 16 };
        for offset in [first, layout.size() as isize - 1] {
            let mut heap = heap(true);
            let block = heap.alloc(*layout).unwrap();
            let keep = heap.alloc(*layout).unwrap();
            assert_eq!(free(&mut heap, block, *layout), Ok(()));
            let written = write(block, offset);
            match heap.alloc(*layout) {
                Err(HeapError::UseAfterFree { changed, .. }) => assert_eq!(changed, written),
                other => panic!("byte {offset} of {layout:?}: {other:?}"),
            }
            assert_eq!(free(&mut heap, keep, *layout), Ok(()));
        }
    }
}

/// Where the memory goes back before it is allocated again, it is checked, too.
#[test]
fn heap_names_a_use_after_free_when_it_shrinks() {
    let mut heap = heap(true);
    let block = heap.alloc(layout(24, 8)).unwrap();
    assert_eq!(free(&mut heap, block, layout(24, 8)), Ok(()));
    let written = write(block, 3);
    assert!(
        matches!(heap.trim(), Err(HeapError::UseAfterFree { changed, .. }) if changed == written)
    );
}

#[test]
fn heap_names_a_double_free() {
    for layout in kinds() {
        let mut heap = heap(true);
        let block = heap.alloc(layout).unwrap();
        let _keep = heap.alloc(layout).unwrap();
        assert_eq!(free(&mut heap, block, layout), Ok(()));
        let (at, size) = (block.addr().get(), layout.size());
        // Nothing is left of a huge block, not even that it was one.
        let expected = match size > MB {
            true => HeapError::Foreign { at, size },
            false => HeapError::DoubleFree { at, size },
        };
        assert_eq!(free(&mut heap, block, layout), Err(expected));
    }
}

/// Without poison, too, wherever the block went.
#[test]
fn heap_names_a_double_free_of_any_small_block() {
    for size in [1, 16, 64, 200, 1000, 4096] {
        let layout = layout(size, 8);
        let mut heap = heap(false);
        let blocks: Vec<_> = (0..300).map(|_| heap.alloc(layout).unwrap()).collect();
        let half = || blocks.iter().step_by(2);
        half().for_each(|block| free(&mut heap, *block, layout).unwrap());
        for block in half() {
            let expected = HeapError::DoubleFree { at: block.addr().get(), size };
            assert_eq!(free(&mut heap, *block, layout), Err(expected));
        }
        assert_eq!(heap.stats().blocks(), 150);
    }
}

/// Whichever block of an empty slab was written to: what the slab has given out by then stays its
/// owner's when empty slabs go back.
#[test]
fn heap_keeps_what_it_gave_out_before_it_found_a_use_after_free() {
    let layout = layout(4096, 1);
    for victim in 0..16 {
        let mut heap = heap(false);
        let blocks: Vec<_> = (0..32).map(|_| heap.alloc(layout).unwrap()).collect();
        blocks.iter().for_each(|block| free(&mut heap, *block, layout).unwrap());
        write(blocks[16 + victim], 0);
        let mut errors = 0;
        let mut take = |heap: &mut Heap<_>, n| -> Vec<_> {
            let taken = (0..n).map(|_| heap.alloc(layout));
            taken.filter_map(|block| block.inspect_err(|_| errors += 1).ok()).collect()
        };
        let mut taken = take(&mut heap, 20);
        let trimmed = heap.trim();
        taken.extend(take(&mut heap, 40));
        errors += usize::from(trimmed.is_err());
        let n = taken.len();
        taken.sort();
        taken.dedup();
        assert_eq!(taken.len(), n, "a block was given out twice; victim {victim}");
        assert_eq!(errors, 1, "victim {victim}");
    }
}

/// A fault that `dealloc` finds in other blocks does not keep it from freeing its own.
#[test]
fn heap_counts_a_block_as_freed_beside_a_use_after_free() {
    let (mut heap, layout) = (heap(false), layout(4096, 1));
    let blocks: Vec<_> = (0..32).map(|_| heap.alloc(layout).unwrap()).collect();
    let mut freed = 0;
    let found = blocks.iter().any(|block| {
        let result = free(&mut heap, *block, layout);
        (freed, _) = (freed + 1, result.is_ok().then(|| write(*block, 0)));
        result.is_err()
    });
    assert!(found, "no free block was looked at");
    assert_eq!(heap.stats().asked, (32 - freed) * layout.size());
}

/// A block may hold by chance what a free block holds.
#[test]
fn heap_frees_a_block_that_looks_free() {
    let (mut heap, layout) = (heap(false), layout(16, 16));
    let block = heap.alloc(layout).unwrap().cast::<[NonNull<u8>; 2]>();
    let _keep = heap.alloc(layout).unwrap();
    free(&mut heap, block.cast(), layout).unwrap();
    // SAFETY: in the arena; nobody else reads or writes it.
    let links = unsafe { block.cast::<[usize; 2]>().read() };
    assert_eq!(heap.alloc(layout), Ok(block.cast()));
    // SAFETY: as above.
    unsafe { block.cast::<[usize; 2]>().write(links) };
    assert_eq!(free(&mut heap, block.cast(), layout), Ok(()));
}

/// Links of a free block that were overwritten are not followed.
#[test]
fn heap_does_not_follow_a_link_that_was_overwritten() {
    for offset in [0, WORD as isize] {
        let (mut heap, layout) = (heap(false), layout(48, 8));
        let block = heap.alloc(layout).unwrap();
        free(&mut heap, block, layout).unwrap();
        write(block, offset);
        let at = block.addr().get();
        let expected = HeapError::UseAfterFree { at, size: 48, changed: at };
        assert_eq!(heap.alloc(layout), Err(expected));
        assert_ne!(heap.alloc(layout).unwrap(), block);
    }
}

/// However many free blocks are written to, the heap hands out none of them.
#[test]
fn heap_forgets_what_was_used_after_free() {
    let (mut heap, layout) = (heap(false), layout(48, 8));
    let blocks: Vec<_> = (0..300).map(|_| heap.alloc(layout).unwrap()).collect();
    // So that each slab stays where it is.
    let (freed, kept): (Vec<_>, Vec<_>) = (0..300).partition(|i| i % 2 == 0);
    freed.iter().for_each(|i| free(&mut heap, blocks[*i], layout).unwrap());
    freed.iter().for_each(|i| assert_ne!(write(blocks[*i], WORD as isize), 0));
    let mut errors = 0;
    for _ in 0..300 {
        match heap.alloc(layout) {
            Ok(block) => assert!(!blocks.contains(&block), "{block:?} is in use, one way or other"),
            Err(HeapError::UseAfterFree { .. }) => errors += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(errors > 1, "the stack, and a slab at least");
    for i in kept {
        free(&mut heap, blocks[i], layout).unwrap();
    }
}

/// A fault that is found when blocks go from the stack to their slabs is said once.
#[test]
fn heap_names_a_use_after_free_when_a_stack_is_emptied() {
    let (mut heap, layout) = (heap(false), layout(48, 8));
    let blocks: Vec<_> = (0..300).map(|_| heap.alloc(layout).unwrap()).collect();
    let mut errors = vec![];
    for block in &blocks {
        errors.extend(free(&mut heap, *block, layout).err());
        if *block == blocks[10] {
            write(*block, 0);
        }
    }
    let at = blocks[10].addr().get();
    assert_eq!(errors, [HeapError::UseAfterFree { at, size: 48, changed: at }]);
    assert!(!(0..300).any(|_| heap.alloc(layout).unwrap() == blocks[10]));
}

#[test]
fn heap_names_a_wrong_layout() {
    for allocated in kinds() {
        for given in [
            layout(allocated.size() + 1, allocated.align()),
            layout(allocated.size() - 1, allocated.align()),
            layout(
                allocated.size(),
                allocated.align() / 2 + usize::from(allocated.align() == 1) * 2,
            ),
        ] {
            let mut heap = heap(true);
            let block = heap.alloc(allocated).unwrap();
            let at = block.addr().get();
            let expected = HeapError::WrongLayout { at, allocated, given };
            assert_eq!(free(&mut heap, block, given), Err(expected));
            assert_eq!(free(&mut heap, block, allocated), Ok(()));
        }
    }
    // Without poison, a small block of another class.
    let mut heap = heap(false);
    for (size, given) in [(100, 200), (200, 100), (4096, 64), (64, 4096)] {
        let block = heap.alloc(layout(size, 8)).unwrap();
        let error = free(&mut heap, block, layout(given, 8)).unwrap_err();
        let HeapError::WrongLayout { allocated, .. } = error else { panic!("{error}") };
        assert!(allocated.size() >= size && allocated.size() <= size + size / 4);
    }
}

#[test]
fn heap_names_a_foreign_block() {
    for poison in [false, true] {
        let mut heap = heap(poison);
        let block = heap.alloc(layout(1000, 8)).unwrap();
        let inside = |offset: usize| block.map_addr(|addr| addr.checked_add(offset).unwrap());
        for foreign in [NonNull::from(&mut 0_u64).cast(), inside(8), inside(16), inside(512)] {
            let expected = HeapError::Foreign { at: foreign.addr().get(), size: 1000 };
            assert_eq!(free(&mut heap, foreign, layout(1000, 8)), Err(expected));
        }
        assert_eq!(free(&mut heap, block, layout(1000, 8)), Ok(()));
    }
}

#[test]
fn heap_out_of_memory_says_what_was_asked_and_is_left() {
    for poison in [false, true] {
        let mut heap = heap(poison);
        heap.pages().limit(100);
        for (size, align) in [(101 * PAGE, 8), (900 * MB, 8), (isize::MAX as usize - 4095, 4096)] {
            let error = HeapError::OutOfMemory { asked: size, left: 100 * PAGE as u64 };
            assert_eq!(heap.alloc(layout(size, align)), Err(error));
        }
        assert_eq!(heap.stats().held, 0);
        let block = heap.alloc(layout(50 * PAGE, 8)).unwrap();
        // SAFETY: it is allocated.
        let error = unsafe { heap.realloc(block, layout(50 * PAGE, 8), usize::MAX) }.unwrap_err();
        assert!(matches!(error, HeapError::OutOfMemory { asked: usize::MAX, .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!("out of memory: {} bytes asked for, {} left", usize::MAX, heap.pages().left())
        );
        free(&mut heap, block, layout(50 * PAGE, 8)).unwrap();
    }
}

#[test]
fn heap_prints_what_it_holds() {
    let mut heap = heap(false);
    heap.alloc(layout(100, 8)).unwrap();
    heap.alloc(layout(5000, 8)).unwrap();
    let lines = heap.stats().to_string();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines[0], "heap: 2 blocks, 5100 bytes asked for");
    // These of a large block's pages are the segment's own records.
    let records = if WORD == 8 { 5 * PAGE } else { 3 * PAGE };
    let (all, large) = (records + 3 * PAGE, records + 2 * PAGE);
    assert_eq!(lines[1], format!("      5120 handed out, {all} held, {all} at most"));
    assert_eq!(lines[2], "    112          1 blocks             112 bytes            4096 held");
    let line = format!("  large          1 blocks            5008 bytes           {large} held");
    assert_eq!(lines[3], line);

    // All that is held is held for something.
    let before = heap.stats();
    heap.alloc(layout(3 * MB, 8)).unwrap();
    let HeapStats { held, small, large, huge, .. } = heap.stats();
    let in_slabs: usize = small.iter().map(|class| class.held).sum();
    assert_eq!((large.held, in_slabs + large.held + huge.held), (before.large.held, held));
}
