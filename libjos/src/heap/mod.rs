//! The heap of an application: [`Heap`] allocates and frees blocks of memory that grows and
//! shrinks with what is asked of it.
//!
//! This is the core of a `#[global_allocator]`, which adds a lock and says what an error does.
//! Pages come from a [`HeapPages`], anywhere in one region of addresses (from UHEAP up, in the
//! kernel). Where a block lies depends on its layout alone, so that freeing it needs no search:
//!
//! | block | lies in | given back |
//! |---|---|---|
//! | small: up to 4 KB | a slab of blocks of one size (`classes`, `slabs`) | to the slab |
//! | large: up to 1 MB | a shared segment, by `linked_list_allocator` (`shared`) | to the segment |
//! | huge | a segment of its own (`huge`) | to the machine |
//!
//! Slabs are blocks in shared segments. An empty slab goes back to its segment, and an empty
//! segment to the machine, if one such is kept already: a program that allocates and frees one
//! block again and again maps nothing. More empty slabs are kept where giving them back was a
//! mistake (`slabs`). When there is no memory, and on [`Heap::trim`], what is kept goes back too.
//!
//! With poison, memory is filled with a pattern when it is freed and checked when it is allocated
//! again, and each block carries its layout in front and a red zone behind (`poison`).

mod classes;
mod error;
mod free_list;
mod huge;
mod poison;
mod room;
mod segments;
mod shared;
mod slabs;
mod slow;
mod source;
mod stats;
mod suspect;

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

pub use error::HeapError;
pub use source::{HeapPages, OutOfPages};
pub use stats::{BlockStats, HeapStats};

use classes::class_of;
use segments::{PAGE, SEGMENT, Segments};
use slabs::Slabs;

/// A heap. See the [module](self).
pub struct Heap<P> {
    segments: Segments<P>,
    slabs: Slabs,
    /// Bytes that the program has asked for and not freed.
    asked: usize,
    large: BlockStats,
    huge: BlockStats,
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
    /// An empty heap: no page is mapped before the first allocation. Blocks will lie in `region`;
    /// with `poison`, misuse is found as the [module](self) says.
    ///
    /// # Safety
    ///
    /// Nobody else uses the addresses of `region` as long as there is the heap or a block of it.
    /// The pointer is good for whatever `pages` maps there. Nothing need be mapped yet.
    ///
    /// # Panics
    ///
    /// Where `region` does not begin at a multiple of 2 MB, or is no number of pages.
    #[must_use]
    pub unsafe fn new(region: NonNull<[u8]>, pages: P, poison: bool) -> Self {
        assert!(
            region.addr().get().is_multiple_of(SEGMENT) && region.len().is_multiple_of(PAGE),
            "a heap of {:#x} bytes at {region:?}: it begins with a large page and has whole pages",
            region.len()
        );
        let segments = Segments::new(region, pages, poison);
        let (large, huge) = (BlockStats::default(), BlockStats::default());
        Self { segments, slabs: Slabs::new(), asked: 0, large, huge }
    }

    /// Allocates a block. Its bytes are not initialised. A block of 0 bytes needs no memory: it
    /// is an aligned address at which nothing lies.
    ///
    /// # Errors
    ///
    /// [`HeapError::OutOfMemory`], and the heap is as it was. [`HeapError::UseAfterFree`] with
    /// poison; without it as far as the heap's own links in a free block show it.
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
    /// [`Foreign`](HeapError::Foreign) for a small block as far as its slab shows it, with poison
    /// for each block and always; with poison [`Overrun`](HeapError::Overrun) too. The block is
    /// not freed then. [`UseAfterFree`](HeapError::UseAfterFree) as in [`alloc`](Self::alloc), of
    /// other memory: the block is freed.
    ///
    /// # Safety
    ///
    /// `block` came from this heap with `layout`, is allocated, and nobody uses it any more. The
    /// errors help to find where this is broken; they do not allow it.
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

    /// Changes a block's size to `new_size` bytes: where it is, if there is room, else by moving
    /// it. What both sizes have in common is kept.
    ///
    /// # Errors
    ///
    /// Those of [`alloc`](Self::alloc) and [`dealloc`](Self::dealloc). Unless freed memory was
    /// used the block is as it was then.
    ///
    /// # Safety
    ///
    /// As for [`dealloc`](Self::dealloc), where it succeeds; the block then is the new one.
    pub unsafe fn realloc(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Result<NonNull<u8>, HeapError> {
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
            return Err(self.out_of_memory(new_size));
        };
        // SAFETY: the caller's block has `layout.size()` bytes and is given up for the new one,
        // which has `new_size`; both are allocated when one is copied, so they do not overlap.
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

    /// Gives back all memory that is kept though no block needs it. Says how many bytes that was.
    ///
    /// # Errors
    ///
    /// [`HeapError::UseAfterFree`], with poison.
    pub fn trim(&mut self) -> Result<usize, HeapError> {
        let held = self.segments.held;
        self.give_back()?;
        Ok(held - self.segments.held)
    }

    /// Where the heap's memory comes from.
    #[must_use]
    pub fn pages(&self) -> &P {
        &self.segments.pages
    }

    /// What the heap holds.
    #[must_use]
    pub fn stats(&self) -> HeapStats {
        let Segments { held, peak, .. } = self.segments;
        let small = self.slabs.stats();
        let in_slabs: usize = small.iter().map(|class| class.held).sum();
        let large = BlockStats { held: held - self.huge.held - in_slabs, ..self.large };
        let bytes: usize = small.iter().map(|class| class.bytes).sum();
        let handed_out = bytes + large.bytes + self.huge.bytes;
        HeapStats { asked: self.asked, handed_out, held, peak, small, large, huge: self.huge }
    }

    /// As [`trim`](Self::trim). Says whether anything was kept, be it only room between blocks.
    fn give_back(&mut self) -> Result<bool, HeapError> {
        let slabs = self.slabs.trim(&mut self.segments)?;
        Ok(self.segments.trim() || slabs)
    }

    #[cold]
    fn out_of_memory(&self, asked: usize) -> HeapError {
        HeapError::OutOfMemory { asked, left: self.segments.left() }
    }
}
