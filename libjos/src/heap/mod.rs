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
//! | large: up to 1 MB | a shared segment, by `linked_list_allocator` (`segments`) | to the segment |
//! | huge | a segment of its own (`huge`) | to the machine |
//!
//! Slabs are blocks in shared segments. An empty slab goes back to its segment, and an empty
//! segment to the machine, if one such is kept already: a program that allocates and frees one
//! block again and again maps nothing. When there is no memory, and on [`Heap::trim`], what is
//! kept goes back too.
//!
//! With poison, memory is filled with a pattern when it is freed and checked when it is allocated
//! again, and each block carries its layout in front and a red zone behind (`poison`).

mod classes;
mod error;
mod huge;
mod poison;
mod segments;
mod stats;

use core::alloc::Layout;
use core::fmt;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

pub use error::HeapError;
pub use stats::{BlockStats, HeapStats};

use crate::addr::VirtAddr;
use classes::{CLASSES, GRAIN, NR_CLASSES};
use segments::{SEGMENT, Segments, is_huge};

/// There are no pages to map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfPages;

impl fmt::Display for OutOfPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not enough free pages")
    }
}

impl core::error::Error for OutOfPages {}

/// Where a heap's memory comes from: the machine's pages, mapped at addresses that the heap
/// chooses.
///
/// # Safety
///
/// Where [`map`](Self::map) succeeds, these addresses are memory that can be read and written and
/// that nobody else uses, until they are unmapped.
pub unsafe trait HeapPages {
    /// Maps `[start, start + size)`, of which nothing is mapped yet. All of it are whole pages in
    /// the heap's region. What the memory holds does not matter. Where `start` is a multiple of
    /// 2 MB and `size` is as large, large pages can be used.
    ///
    /// # Errors
    ///
    /// [`OutOfPages`]; then nothing of it is mapped.
    fn map(&mut self, start: VirtAddr, size: u64) -> Result<(), OutOfPages>;

    /// Unmaps `[start, start + size)`, all of which is mapped, perhaps by several calls of
    /// [`map`](Self::map), or as a part of what one mapped.
    fn unmap(&mut self, start: VirtAddr, size: u64);

    /// Bytes of pages that could still be mapped.
    fn left(&self) -> u64;
}

/// A heap. See the [module](self).
pub struct Heap<P> {
    segments: Segments<P>,
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
    /// The pointer is good for whatever `pages` maps there. Its memory need not exist before.
    ///
    /// # Panics
    ///
    /// Where `region` does not begin at a multiple of 2 MB, or is no number of pages.
    #[must_use]
    pub unsafe fn new(region: NonNull<[u8]>, pages: P, poison: bool) -> Self {
        assert!(
            region.addr().get().is_multiple_of(SEGMENT)
                && region.len().is_multiple_of(segments::PAGE),
            "a heap at {region:?} of {:#x} bytes: it begins at a large page and has whole pages",
            region.len()
        );
        let segments = Segments::new(region, pages, poison);
        Self { segments, asked: 0, large: BlockStats::default(), huge: BlockStats::default() }
    }

    /// Allocates a block. Its bytes are not initialised. A block of 0 bytes needs no memory: it
    /// is an aligned address, which nothing lies at.
    ///
    /// # Errors
    ///
    /// [`HeapError::OutOfMemory`]; with poison [`HeapError::UseAfterFree`] too.
    pub fn alloc(&mut self, layout: Layout) -> Result<NonNull<u8>, HeapError> {
        if layout.size() == 0 {
            let align = NonZeroUsize::new(layout.align()).expect("no alignment is 0");
            return Ok(NonNull::without_provenance(align));
        }
        let out_of_pages = |heap: &mut Self| HeapError::OutOfMemory {
            asked: layout.size(),
            left: heap.segments.left(),
        };
        let block = if is_huge(layout) {
            self.segments.alloc_huge(layout)
        } else {
            self.segments.alloc_shared(grains(layout))
        };
        let block = block.map_err(|OutOfPages| out_of_pages(self))?;
        self.asked += layout.size();
        Ok(block)
    }

    /// Frees a block that was allocated with `layout`.
    ///
    /// # Errors
    ///
    /// [`HeapError::DoubleFree`], [`WrongLayout`](HeapError::WrongLayout) and
    /// [`Foreign`](HeapError::Foreign) as far as they are found; with poison always, and
    /// [`HeapError::Overrun`] too. Nothing is freed then.
    ///
    /// # Safety
    ///
    /// `block` came from this heap with `layout`, is allocated, and nobody uses it any more. The
    /// errors are a help in finding where this is broken, not a licence to break it.
    pub unsafe fn dealloc(&mut self, block: NonNull<u8>, layout: Layout) -> Result<(), HeapError> {
        let (at, size) = (block.addr().get(), layout.size());
        if size == 0 {
            return Ok(());
        }
        if !self.segments.may_hold(at) {
            return Err(HeapError::Foreign { at, size });
        }
        // SAFETY: the caller's promise.
        unsafe {
            if is_huge(layout) {
                self.segments.free_huge(at);
            } else {
                self.segments.free_shared(at, grains(layout).size());
            }
        }
        self.asked -= size;
        Ok(())
    }

    /// Changes a block's size to `new_size` bytes: where it is, if there is room, else by moving
    /// it. What both sizes have in common is kept.
    ///
    /// # Errors
    ///
    /// Those of [`alloc`](Self::alloc) and [`dealloc`](Self::dealloc); the block is as it was
    /// then.
    ///
    /// # Safety
    ///
    /// As for [`dealloc`](Self::dealloc); when it succeeds, the block is the new one alone.
    pub unsafe fn realloc(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Result<NonNull<u8>, HeapError> {
        let new_layout = Layout::from_size_align(new_size, layout.align())
            .map_err(|_| HeapError::OutOfMemory { asked: new_size, left: self.segments.left() })?;
        let new = self.alloc(new_layout)?;
        // SAFETY: the caller's block has `layout.size()` bytes, the new one `new_size`; they do
        // not overlap, for both are allocated. The caller gives the old one up.
        unsafe {
            new.copy_from_nonoverlapping(block, layout.size().min(new_size));
            self.dealloc(block, layout)?;
        }
        Ok(new)
    }

    /// Gives back all memory that is kept though no block needs it. Says how many bytes that was.
    pub fn trim(&mut self) -> usize {
        let held = self.segments.held;
        self.segments.trim();
        held - self.segments.held
    }

    /// What the heap holds.
    #[must_use]
    pub fn stats(&self) -> HeapStats {
        HeapStats {
            asked: self.asked,
            handed_out: self.asked,
            held: self.segments.held,
            peak: self.segments.peak,
            small: [BlockStats::default(); NR_CLASSES],
            large: self.large,
            huge: self.huge,
        }
    }
}

/// `layout` with its size a multiple of [`GRAIN`].
fn grains(layout: Layout) -> Layout {
    let (size, align) = (layout.size().next_multiple_of(GRAIN), layout.align().max(GRAIN));
    Layout::from_size_align(size, align).expect("a large block's size is far from the limit")
}
