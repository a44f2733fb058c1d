//! Heaps: libjos, those that kernels take from crates.io, and the host's own.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::LazyLock;

use layout::MB;
use libjos::heap::Heap;
use libjos::sim::arena::Arena;
pub(crate) use slab_allocator_rs::Heap as SlabHeap;
use talc::source::Manual;

use crate::frames::{LinkedList, TalcHeap};

/// Bytes of memory that each heap may use.
const SIZE: usize = 128 * MB as usize;

/// A heap.
pub(crate) trait Blocks {
    /// A heap without any blocks, which may use [`SIZE`] bytes.
    fn new() -> Self;

    /// Allocates a block; enough memory is free.
    fn alloc(&mut self, layout: Layout) -> NonNull<u8>;

    /// Frees `block`.
    ///
    /// # Safety
    ///
    /// The block was allocated here with this layout, and is not used any more.
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout);

    /// Bytes used by the live blocks, rounding included, if the heap knows them; and bytes of memory that
    /// it holds for them, if they vary.
    fn in_use(&self, _alive: &[Layout]) -> (Option<usize>, Option<usize>) {
        (None, None)
    }

    /// Gives back memory that no block needs.
    fn trim(&mut self) {}
}

/// libjos.
pub(crate) type JosHeap = Heap<Arena>;

impl Blocks for JosHeap {
    fn new() -> Self {
        let arena = Arena::new(SIZE, false);
        // SAFETY: the heap owns the arena, and nothing else uses its memory.
        unsafe { Self::new(arena.region(), arena, false) }
    }

    #[inline]
    fn alloc(&mut self, layout: Layout) -> NonNull<u8> {
        Self::alloc(self, layout).expect("there is enough")
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.dealloc(block, layout) }.expect("it was allocated");
    }

    fn in_use(&self, _alive: &[Layout]) -> (Option<usize>, Option<usize>) {
        let stats = self.stats();
        assert_eq!(stats.held, self.pages().mapped());

        (Some(stats.handed_out), Some(stats.held))
    }

    fn trim(&mut self) {
        Self::trim(self).expect("nothing is poisoned");
    }
}

/// The memory for heaps that take a single piece of it, in turn.
fn memory() -> NonNull<u8> {
    static MEMORY: LazyLock<usize> = LazyLock::new(|| {
        let layout = Layout::from_size_align(SIZE, 2 * MB as usize).expect("2 MB is a power of 2");
        // SAFETY: the size is not 0.
        let start = unsafe { std::alloc::alloc(layout) };
        NonNull::new(start).expect("the host has memory").expose_provenance().get()
    });
    NonNull::new(std::ptr::with_exposed_provenance_mut(*MEMORY)).expect("it is not at 0")
}

impl Blocks for LinkedList {
    fn new() -> Self {
        // SAFETY: the memory is reserved for a heap, and one contestant at a time uses it.
        unsafe { Self::new(memory().as_ptr(), SIZE) }
    }

    #[inline]
    fn alloc(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate_first_fit(layout).expect("there is enough")
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(block, layout) };
    }

    fn in_use(&self, _alive: &[Layout]) -> (Option<usize>, Option<usize>) {
        (Some(self.used()), None)
    }
}

impl Blocks for TalcHeap {
    fn new() -> Self {
        let mut talc = Self::new(Manual);
        // SAFETY: as for `LinkedList`.
        let claimed = unsafe { talc.claim(memory().as_ptr(), SIZE) };
        assert!(claimed.is_some(), "the heap is large enough");
        talc
    }

    #[inline]
    fn alloc(&mut self, layout: Layout) -> NonNull<u8> {
        // SAFETY: no layout here has a size of 0.
        unsafe { self.allocate(layout) }.expect("there is enough")
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(block.as_ptr(), layout) };
    }
}

impl Blocks for SlabHeap {
    fn new() -> Self {
        // SAFETY: as for `LinkedList`.
        unsafe { Self::new(memory().addr().get(), SIZE) }
    }

    #[inline]
    fn alloc(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate(layout).expect("there is enough")
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(block, layout) };
    }

    fn in_use(&self, alive: &[Layout]) -> (Option<usize>, Option<usize>) {
        (Some(alive.iter().map(|layout| self.usable_size(layout).1).sum()), None)
    }
}

/// The host's own heap, with its lock.
pub(crate) struct System;

impl Blocks for System {
    fn new() -> Self {
        Self
    }

    #[inline]
    fn alloc(&mut self, layout: Layout) -> NonNull<u8> {
        // SAFETY: no layout here has a size of 0.
        NonNull::new(unsafe { std::alloc::alloc(layout) }).expect("there is enough")
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { std::alloc::dealloc(block.as_ptr(), layout) };
    }
}
