//! Allocators of frames: libjos, JOS's C, and the allocators that kernels take from crates.io.

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::NonNull;

use bitmap_allocator::{BitAlloc, BitAlloc1M};
use layout::PGSIZE;
use libjos::mem::pages::{AllocFlags, Frame};
use talc::base::Talc;
use talc::base::binning::DefaultBinning;
use talc::source::Manual;

use crate::jos::Libjos;
use crate::memory::{FRAMES, HEAP, Memory};

/// An allocator of frames.
pub(crate) trait Frames {
    /// The allocator's name for a frame.
    type Frame: Copy + PartialEq;
    /// An allocator with all of [`FRAMES`] free, or as many as it has memory for.
    fn new(memory: Memory) -> Self;
    /// Allocates a frame; a free one exists.
    fn alloc(&mut self) -> Self::Frame;
    /// Frees `frame`.
    fn free(&mut self, frame: Self::Frame);
    /// Allocates a frame and frees it, `n` times.
    #[inline]
    fn alloc_free(&mut self, n: u64) {
        alloc_free(self, n);
    }
    /// Allocates as many frames as `order` has numbers, and frees them in that order.
    #[inline]
    fn alloc_free_all(&mut self, taken: &mut Vec<Self::Frame>, order: &[usize]) {
        alloc_free_all(self, taken, order);
    }
}

/// The loop of [`Frames::alloc_free`].
#[inline]
pub(crate) fn alloc_free<A: Frames + ?Sized>(frames: &mut A, n: u64) {
    for _ in 0..n {
        let frame = frames.alloc();
        frames.free(black_box(frame));
    }
}

/// The loops of [`Frames::alloc_free_all`].
#[inline]
pub(crate) fn alloc_free_all<A: Frames + ?Sized>(
    frames: &mut A,
    taken: &mut Vec<A::Frame>,
    order: &[usize],
) {
    taken.clear();
    taken.extend(order.iter().map(|_| frames.alloc()));
    order.iter().for_each(|i| frames.free(taken[*i]));
}

impl Frames for Libjos {
    type Frame = Frame;

    fn new(memory: Memory) -> Self {
        let mut libjos = Self::with_pages(memory, FRAMES.end);
        libjos.page_init(Some(crate::jos::range(FRAMES)));
        libjos
    }

    #[inline]
    fn alloc(&mut self) -> Frame {
        self.pmap.page_alloc(AllocFlags::empty()).expect("there is one")
    }

    #[inline]
    fn free(&mut self, frame: Frame) {
        self.pmap.pages_mut().page_free(frame);
    }
}

/// An allocator of runs of adjacent frames.
pub(crate) trait Runs: Frames {
    /// Allocates 2^`order` frames, aligned to their size; a free run exists.
    fn alloc_run(&mut self, order: u32) -> Self::Frame;
    /// Frees the run that begins at `first`.
    fn free_run(&mut self, first: Self::Frame, order: u32);
    /// The number of a frame.
    fn number(frame: Self::Frame) -> usize;
}

impl Runs for Libjos {
    #[inline]
    fn alloc_run(&mut self, order: u32) -> Frame {
        self.pmap.page_alloc_run(AllocFlags::empty(), order).expect("there are some")
    }

    #[inline]
    fn free_run(&mut self, first: Frame, order: u32) {
        self.pmap.pages_mut().page_free_run(first, order);
    }

    fn number(frame: Frame) -> usize {
        frame.index()
    }
}

/// Frame numbers of [`FRAMES`].
fn numbers() -> std::ops::Range<usize> {
    (FRAMES.start / PGSIZE) as usize..(FRAMES.end / PGSIZE) as usize
}

/// `buddy_system_allocator`'s frame allocator, which keeps its records on the host's heap.
pub(crate) type Buddy = buddy_system_allocator::FrameAllocator<33>;

impl Frames for Buddy {
    type Frame = usize;

    fn new(_memory: Memory) -> Self {
        let mut buddy = Self::new();
        buddy.insert(numbers());
        buddy
    }

    #[inline]
    fn alloc(&mut self) -> usize {
        Self::alloc(self, 1).expect("there is one")
    }

    #[inline]
    fn free(&mut self, frame: usize) {
        self.dealloc(frame, 1);
    }
}

/// `bitmap-allocator` for a million frames, as kernels use it.
pub(crate) type Bitmap = Box<BitAlloc1M>;

impl Frames for Bitmap {
    type Frame = usize;

    fn new(_memory: Memory) -> Self {
        let mut bitmap = Self::default();
        bitmap.insert(numbers());
        bitmap
    }

    #[inline]
    fn alloc(&mut self) -> usize {
        BitAlloc::alloc(&mut **self).expect("there is one")
    }

    #[inline]
    fn free(&mut self, frame: usize) {
        assert!(self.dealloc(frame), "it was allocated");
    }
}

impl Runs for Buddy {
    #[inline]
    fn alloc_run(&mut self, order: u32) -> usize {
        Self::alloc(self, 1 << order).expect("there are some")
    }

    #[inline]
    fn free_run(&mut self, first: usize, order: u32) {
        self.dealloc(first, 1 << order);
    }

    fn number(frame: usize) -> usize {
        frame
    }
}

impl Runs for Bitmap {
    #[inline]
    fn alloc_run(&mut self, order: u32) -> usize {
        let run = self.alloc_contiguous(None, 1 << order, order as usize);
        run.expect("there are some")
    }

    #[inline]
    fn free_run(&mut self, first: usize, order: u32) {
        assert!(self.dealloc_contiguous(first, 1 << order), "they were allocated");
    }

    fn number(frame: usize) -> usize {
        frame
    }
}

/// The layout of a frame from a heap.
fn page() -> Layout {
    Layout::from_size_align(PGSIZE as usize, PGSIZE as usize).expect("a page is a power of 2")
}

/// `linked_list_allocator`: a heap that allocates whole aligned pages.
pub(crate) type LinkedList = linked_list_allocator::Heap;

impl Frames for LinkedList {
    type Frame = NonNull<u8>;

    fn new(memory: Memory) -> Self {
        // SAFETY: the memory is reserved for a heap, and one contestant at a time uses it.
        unsafe { Self::new(memory.at(HEAP.start), (HEAP.end - HEAP.start) as usize) }
    }

    #[inline]
    fn alloc(&mut self) -> NonNull<u8> {
        self.allocate_first_fit(page()).expect("there is one")
    }

    #[inline]
    fn free(&mut self, frame: NonNull<u8>) {
        // SAFETY: it was allocated with this layout.
        unsafe { self.deallocate(frame, page()) };
    }
}

/// `talc`: a heap that allocates whole aligned pages.
pub(crate) type TalcHeap = Talc<Manual, DefaultBinning>;

impl Frames for TalcHeap {
    type Frame = NonNull<u8>;

    fn new(memory: Memory) -> Self {
        let mut talc = Self::new(Manual);
        // SAFETY: as for `LinkedList`.
        let claimed =
            unsafe { talc.claim(memory.at(HEAP.start), (HEAP.end - HEAP.start) as usize) };
        assert!(claimed.is_some(), "the heap is large enough");
        talc
    }

    #[inline]
    fn alloc(&mut self) -> NonNull<u8> {
        // SAFETY: the layout's size is not 0.
        unsafe { self.allocate(page()) }.expect("there is one")
    }

    #[inline]
    fn free(&mut self, frame: NonNull<u8>) {
        // SAFETY: it was allocated with this layout.
        unsafe { self.deallocate(frame.as_ptr(), page()) };
    }
}
