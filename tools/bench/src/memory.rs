//! The memory that all contestants use, in turn.
//!
//! It represents the physical memory of a machine, from address 0. Page tables are made of the frames
//! of [`TABLES`]; `pages` lies in [`ARRAY`]. The frames of [`FRAMES`] are only mapped, allocated and
//! freed, never accessed, so no memory backs them.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use layout::{MB, PGSIZE};

/// Bytes of the machine's backed memory.
const SIZE: u64 = 32 * MB;
/// The frames that page tables are made of.
pub(crate) const TABLES: Range<u64> = 4 * MB..8 * MB;
/// Room for an array with a few bytes for each frame.
pub(crate) const ARRAY: Range<u64> = 8 * MB..12 * MB;
/// Room for a heap.
pub(crate) const HEAP: Range<u64> = 16 * MB..32 * MB;
/// The frames that are mapped: 256 MB of them, not backed by anything.
pub(crate) const FRAMES: Range<u64> = 64 * MB..320 * MB;
/// The number of frames in [`FRAMES`].
pub(crate) const NFRAMES: u64 = (FRAMES.end - FRAMES.start) / PGSIZE;

/// The address in this process of physical address 0.
static START: AtomicUsize = AtomicUsize::new(0);

/// The machine's memory. There is one, until the process ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory(usize);

impl Memory {
    /// Makes the memory, all zeros, and touches every page.
    pub(crate) fn new() -> Self {
        let layout = Layout::from_size_align(SIZE as usize, 2 << 20).expect("2 MB is a power of 2");
        // SAFETY: the size is not 0.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        let memory = Self(start.expose_provenance());
        START.store(memory.0, Ordering::Relaxed);
        for pa in (0..SIZE).step_by(PGSIZE as usize) {
            memory.store(pa, 0);
        }
        memory
    }

    /// The memory that [`new`](Self::new) made, for callbacks that get no argument.
    #[inline]
    pub(crate) fn get() -> Self {
        Self(START.load(Ordering::Relaxed))
    }

    /// The address in this process of physical address 0.
    #[inline]
    pub(crate) fn offset(self) -> u64 {
        self.0 as u64
    }

    /// A pointer to the bytes at `pa`, which must be in memory.
    #[inline]
    pub(crate) fn at<T>(self, pa: u64) -> *mut T {
        debug_assert!(pa < SIZE, "{pa:#x} is no memory");
        std::ptr::with_exposed_provenance_mut(self.0 + pa as usize)
    }

    /// Reads a word.
    pub(crate) fn load(self, pa: u64) -> u64 {
        assert!(pa.is_multiple_of(8) && pa < SIZE, "{pa:#x} is no place for a word");
        // SAFETY: asserted to be aligned and in memory, which is never freed; one thread uses it.
        unsafe { self.at::<u64>(pa).read() }
    }

    /// Writes a word.
    pub(crate) fn store(self, pa: u64, word: u64) {
        assert!(pa.is_multiple_of(8) && pa < SIZE, "{pa:#x} is no place for a word");
        // SAFETY: as in `load`.
        unsafe { self.at::<u64>(pa).write(word) }
    }

    /// The table in the frame at `pa`.
    #[inline]
    pub(crate) fn table<'a>(self, pa: u64) -> &'a mut [u64; 512] {
        assert!(pa.is_multiple_of(PGSIZE) && pa < SIZE, "{pa:#x} is no frame");
        // SAFETY: asserted to be a frame of memory, which is never freed. Callers use the
        // reference for one statement or loop, in which nothing else accesses the frame.
        unsafe { &mut *self.at(pa) }
    }
}

/// A frame allocator for peers that bring none: a stack, which is the fastest allocator.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<u64>);

impl Pool {
    /// A pool without frames, and without room for any.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The frames of [`TABLES`], the lowest first, and room for all others.
    pub(crate) fn reset(&mut self) {
        self.0.clear();
        self.0.reserve(2 * NFRAMES as usize);
        let frames = TABLES.start / PGSIZE..TABLES.end / PGSIZE;
        self.0.extend(frames.rev().map(|frame| frame * PGSIZE));
    }

    /// Takes a frame.
    #[inline]
    pub(crate) fn alloc(&mut self) -> Option<u64> {
        self.0.pop()
    }

    /// Gives a frame back.
    #[inline]
    pub(crate) fn free(&mut self, pa: u64) {
        self.0.push(pa);
    }

    /// The number of frames.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

thread_local! {
    /// Frames for callbacks that have no `self`.
    pub(crate) static POOL: RefCell<Pool> = const { RefCell::new(Pool::new()) };
}
