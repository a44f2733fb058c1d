//! The heap of an application: [`Heap`] allocates and frees blocks, and grows and shrinks with them.
//!
//! This is the core of a `#[global_allocator]`, which adds a lock and decides what an error does.
//! Pages come from a [`HeapPages`], anywhere in one region of addresses (in the kernel from UHEAP up).
//! A block's layout alone decides where it lies, so that freeing it needs no search:
//!
//! | block | lies in | goes back to |
//! |---|---|---|
//! | small: up to 4 KB | a slab of blocks of one size (`classes`, `slabs`) | the slab |
//! | large: up to 1 MB | a shared segment, placed by `linked_list_allocator` (`shared`) | the segment |
//! | huge | a segment of its own (`huge`) | the machine |
//!
//! Slabs are blocks in shared segments. One empty slab of each class and one empty segment are kept, so
//! that a program that allocates and frees one block again and again maps nothing. Other empty slabs
//! go back to their segment, unless that was a mistake before (`slabs`), and other empty segments to the
//! machine. When memory runs out, and on [`Heap::trim`], all of them go back.
//!
//! With poison, memory is filled with a pattern when it is freed and checked when it is allocated
//! again, and each block carries its layout in front and a red zone behind (`poison`). `misuse` finds
//! double frees and wrong layouts of small blocks without poison, too.

mod classes;
mod error;
mod free_list;
mod huge;
mod misuse;
mod poison;
mod room;
mod segments;
mod shared;
mod slabs;
mod slow;
mod source;
mod stats;

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

pub use error::HeapError;
pub use source::{HeapPages, OutOfPages};
pub use stats::{BlockStats, HeapStats};

use classes::class_of;
use segments::{PAGE, SEGMENT, Segments};
use slabs::Slabs;

/// A heap, as the [module](self) describes it.
pub struct Heap<P> {
    segments: Segments<P>,
    slabs: Slabs,
    /// Bytes that the program has allocated and not freed.
    asked: usize,
    large: BlockStats,
}

// SAFETY: all memory that a heap points to is reached through it alone, so moving it to another
// processor moves all access to it.
unsafe impl<P: Send> Send for Heap<P> {}

impl<P> fmt::Debug for Heap<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl<P: HeapPages> Heap<P> {
    /// An empty heap, which maps no page before the first allocation. Its blocks will lie in `region`.
    /// With `poison` it finds misuse as the [module](self) describes.
    ///
    /// # Safety
    ///
    /// Nobody else uses the addresses of `region` while the heap or one of its blocks exists. The
    /// pointer may be used for all that `pages` maps there. Nothing need be mapped yet.
    ///
    /// # Panics
    ///
    /// Panics if `region` does not begin at a multiple of 2 MB, or is not a whole number of pages.
    #[must_use]
    pub unsafe fn new(region: NonNull<[u8]>, pages: P, poison: bool) -> Self {
        assert!(
            region.addr().get().is_multiple_of(SEGMENT) && region.len().is_multiple_of(PAGE),
            "a heap of {:#x} bytes at {:#x}: it begins with a large page and has whole pages",
            region.len(),
            region.addr()
        );
        let segments = Segments::new(region, pages, poison);
        Self { segments, slabs: Slabs::new(), asked: 0, large: BlockStats::default() }
    }

    /// Allocates a block. Its bytes are not initialised. A block of 0 bytes takes no memory: it is an
    /// aligned address at which nothing lies.
    ///
    /// # Errors
    ///
    /// [`HeapError::OutOfMemory`]; the heap is as it was. [`HeapError::UseAfterFree`] with poison;
    /// without it, only if the heap's own links in a free block have changed.
    #[inline]
    pub fn alloc(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        if let Some(class) = class_of(layout)
            && !self.segments.poison
            && let Some(block) = self.slabs.alloc(class)
        {
            self.asked += layout.size();
            return Ok(block);
        }
        self.alloc_slowly(layout)
    }

    /// Frees a block that was allocated with `layout`.
    ///
    /// # Errors
    ///
    /// [`HeapError::DoubleFree`], [`WrongLayout`](HeapError::WrongLayout) and
    /// [`Foreign`](HeapError::Foreign): with poison always, without it for small blocks, as far as
    /// their slab shows it. With poison [`Overrun`](HeapError::Overrun) too. The block is not freed
    /// then. [`UseAfterFree`](HeapError::UseAfterFree) of other memory, as in [`alloc`](Self::alloc);
    /// the block is freed.
    ///
    /// # Safety
    ///
    /// `block` came from this heap with `layout`, is allocated, and nobody uses it any more. The
    /// errors help to find a caller that breaks this; they do not permit it.
    #[inline]
    pub unsafe fn dealloc(&mut self, block: NonNull<u8>, layout: Layout) -> Result<(), HeapError> {
        let addr = block.addr().get();
        if let Some(class) = class_of(layout)
            && !self.segments.poison
            && self.segments.may_hold(addr)
            // SAFETY: the caller's promise.
            && unsafe { self.slabs.free(class, addr, &self.segments) }
        {
            self.asked -= layout.size();
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { self.dealloc_slowly(addr, layout) }
    }

    /// Changes a block's size to `new_size` bytes: in place if there is room, else by moving it. The
    /// bytes that both sizes have in common are kept.
    ///
    /// # Errors
    ///
    /// The errors of [`alloc`](Self::alloc) and [`dealloc`](Self::dealloc). The block is as it was
    /// then, except at a use after free.
    ///
    /// # Safety
    ///
    /// As for [`dealloc`](Self::dealloc). If this succeeds, the old block is freed.
    pub unsafe fn realloc(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Result<NonNull<u8>, HeapError> {
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
            return Err(self.out_of_memory(new_size));
        };
        // SAFETY: the caller gives up the block, of `layout.size()` bytes, for the new one, of
        // `new_size`. Both are allocated during the copy, so they do not overlap.
        unsafe {
            let addr = block.addr().get();
            if self.segments.poison && layout.size() != 0 {
                self.check(addr, layout)?;
            } else if !self.segments.poison && self.resize(addr, layout, new_layout) {
                self.asked = self.asked - layout.size() + new_size;
                return Ok(block);
            }
            let new = self.alloc(new_layout)?;
            new.copy_from_nonoverlapping(block, layout.size().min(new_size));
            self.dealloc(block, layout)?;
            Ok(new)
        }
    }

    /// Gives back all memory that is kept although no block needs it. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`], with poison.
    pub fn trim(&mut self) -> Result<usize, HeapError> {
        let held = self.segments.held;
        self.give_back()?;
        Ok(held - self.segments.held)
    }

    /// The source of the heap's memory.
    #[must_use]
    pub fn pages(&self) -> &P {
        &self.segments.pages
    }

    /// The sizes of the heap and of its parts.
    #[must_use]
    pub fn stats(&self) -> HeapStats {
        let Segments { held, peak, .. } = self.segments;
        let (small, huge) = (self.slabs.stats(), self.segments.huge_stats());
        let in_slabs: usize = small.iter().map(|class| class.held).sum();
        let large = BlockStats { held: held - huge.held - in_slabs, ..self.large };
        let bytes: usize = small.iter().map(|class| class.bytes).sum();
        let handed_out = bytes + large.bytes + huge.bytes;
        HeapStats { asked: self.asked, handed_out, held, peak, small, large, huge }
    }

    /// As [`trim`](Self::trim), but returns whether anything was kept, if only room between blocks.
    fn give_back(&mut self) -> Result<bool, HeapError> {
        let slabs = self.slabs.trim(&mut self.segments)?;
        Ok(self.segments.trim() || slabs)
    }

    #[cold]
    fn out_of_memory(&self, asked: usize) -> HeapError {
        HeapError::OutOfMemory { asked, left: self.segments.left() }
    }
}
