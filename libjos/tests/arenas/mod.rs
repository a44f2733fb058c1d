//! Heaps in memory of the host, which may be misused.

use std::alloc::Layout;
use std::ptr::NonNull;

use libjos::heap::{Heap, HeapError};
use libjos::sim::arena::Arena;

pub(crate) const PAGE: usize = 4096;
pub(crate) const MB: usize = 1 << 20;

/// A heap with 32 MB of addresses.
pub(crate) fn heap(poison: bool) -> Heap<Arena> {
    let arena = Arena::new(32 * MB, true);
    // SAFETY: the heap owns the arena, and nobody else knows its memory.
    unsafe { Heap::new(arena.region(), arena, poison) }
}

pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Frees a block.
pub(crate) fn free(
    heap: &mut Heap<Arena>,
    block: NonNull<u8>,
    layout: Layout,
) -> Result<(), HeapError> {
    // SAFETY: none. These tests break a promise, to see what happens; the arena
    // keeps it within memory that only these tests use.
    unsafe { heap.dealloc(block, layout) }
}
