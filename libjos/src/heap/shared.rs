//! Shared segments: they hold large blocks and slabs, which `linked_list_allocator` places.
//!
//! A shared segment lies at a multiple of [`SEGMENT`], and is at most as large. It begins with its
//! [`Segment`] and a table with an entry for each of its pages: the slab that begins there. (If each
//! [`Slab`] lay at its slab's start, all would compete for the same few lines of the processor's
//! caches.)
//!
//! A list of `linked_list_allocator` can grow at its end but never shrink. So a segment goes back as a
//! whole, if it is empty and another empty one is kept already.

use core::alloc::Layout;
use core::ptr::NonNull;

use linked_list_allocator::Heap as LinkedList;

use super::classes::GRAIN;
use super::error::Refusal;
use super::room::Slab;
use super::segments::{HEADER, NO_LIMIT, PAGE, SEGMENT, SHARED_HEADER, Segment, Segments};
use super::{HeapPages, OutOfPages, poison};

/// From this size on, a heap gets whole segments. The part that is not needed yet is at most an eighth
/// then.
const BIG: usize = 8 * SEGMENT;

/// The largest size and the largest alignment of a block in a shared segment.
const MAX_SHARED: (usize, usize) = (SEGMENT / 2, SEGMENT / 4);

/// The layout in a shared segment of a block of `layout`: its size is a multiple of [`GRAIN`].
pub(super) fn grains(layout: Layout) -> Layout {
    let (size, align) = (layout.size().next_multiple_of(GRAIN), layout.align().max(GRAIN));
    Layout::from_size_align(size, align).expect("a large block's size is far from the limit")
}

/// Whether a block of `layout` has a segment of its own.
pub(super) fn is_huge(layout: Layout) -> bool {
    layout.size() > MAX_SHARED.0 || layout.align() > MAX_SHARED.1
}

impl<P: HeapPages> Segments<P> {
    /// The record of the slab that begins in the page of `addr`, in a shared segment. It is zeros if
    /// none begins there.
    #[inline]
    pub(super) fn slab(&self, addr: usize) -> NonNull<Slab> {
        let page = addr % SEGMENT / PAGE;
        self.at(addr - addr % SEGMENT + HEADER + page * size_of::<Slab>()).cast()
    }

    /// The start of the slab with the record `slab`.
    pub(super) fn slab_start(&self, slab: NonNull<Slab>) -> NonNull<u8> {
        let (segment, offset) = (slab.addr().get() & !(SEGMENT - 1), slab.addr().get() % SEGMENT);
        self.at(segment + (offset - HEADER) / size_of::<Slab>() * PAGE)
    }

    /// Allocates a block of `layout`, which is not huge. Its size is a multiple of [`GRAIN`]; with
    /// poison, size and alignment are whole pages.
    ///
    /// # Errors
    ///
    /// There are no pages; or, with poison, somebody used the memory while it was free.
    pub(super) fn alloc_shared(&mut self, layout: Layout) -> Result<NonNull<u8>, Refusal> {
        let block = self.find_room(layout)?;
        if self.poison {
            // With poison all blocks are whole pages, and so are the holes between them. So the links
            // that the list writes to holes are at the start of a page, where they must not stay.
            // SAFETY: the block is nobody's yet.
            unsafe {
                poison::check_free(block, layout.size(), PAGE)?;
                poison::fill(block, layout.size());
            }
        }
        Ok(block)
    }

    /// Finds room for `layout`: in the segment that last had some, in any other, in one that can grow,
    /// or in a new one.
    fn find_room(&mut self, layout: Layout) -> Result<NonNull<u8>, OutOfPages> {
        if let Some(block) = self.current.and_then(|segment| self.fit(segment, layout)) {
            return Ok(block);
        }
        let shared: fn(&mut Self, NonNull<Segment>, Layout) -> Option<NonNull<u8>> = Self::fit;
        for find in [shared, Self::grow] {
            let mut next = self.first;
            while let Some(segment) = next {
                if let Some(block) = find(self, segment, layout) {
                    self.current = Some(segment);
                    return Ok(block);
                }
                // SAFETY: it is on the list, and `find` removes none.
                next = unsafe { segment.as_ref() }.next;
            }
        }
        let segment = self.add_shared(layout)?;
        self.current = Some(segment);
        Ok(self.fit(segment, layout).expect("the segment was made to have room"))
    }

    /// Frees a block of [`alloc_shared`](Self::alloc_shared), or a part of it.
    ///
    /// # Safety
    ///
    /// The bytes are allocated, and nobody uses them any more. `size` is a multiple of [`GRAIN`].
    pub(super) unsafe fn free_shared(&mut self, addr: usize, size: usize) {
        let block = self.at(addr);
        if self.poison {
            // SAFETY: the caller leaves the bytes to the heap.
            unsafe { poison::fill(block, size) };
        }
        let mut at = self.at(addr & !(SEGMENT - 1)).cast::<Segment>();
        // SAFETY: shared segments lie at multiples of their size, so one begins there. Nothing else
        // refers to it. The bytes are allocated from its list, the caller says.
        let empty = unsafe {
            let segment = at.as_mut();
            segment.list.deallocate(block, Layout::from_size_align_unchecked(size, GRAIN));
            segment.no_room = NO_LIMIT;
            segment.list.used() == 0
        };
        if !empty {
            return;
        }
        // One empty segment is kept: the lower one.
        match self.spare {
            Some(spare) if spare < at => self.remove(at),
            Some(spare) => {
                self.spare = Some(at);
                self.remove(spare);
            }
            None => self.spare = Some(at),
        }
    }

    /// Gives back the empty segment that is kept. Returns whether there was one.
    pub(super) fn trim(&mut self) -> bool {
        let spare = self.spare.take();
        if let Some(spare) = spare {
            self.remove(spare);
        }
        spare.is_some()
    }

    /// Takes room for `layout` from this segment, if it is shared and has room.
    fn fit(&mut self, mut at: NonNull<Segment>, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: `at` is on the list; this is the only reference to it. The blocks and holes of its
        // list lie behind it.
        let segment = unsafe { at.as_mut() };
        let no_room = segment.no_room;
        if layout.size() >= no_room.size() && layout.align() >= no_room.align() {
            return None;
        }
        let block = segment.list.allocate_first_fit(layout).ok();
        if block.is_none() {
            segment.no_room = layout;
        } else if self.spare == Some(at) {
            self.spare = None;
        }
        block
    }

    /// Maps more of this segment, if it is shared and can grow, and takes room for `layout`.
    fn grow(&mut self, mut at: NonNull<Segment>, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: as in `fit`.
        let segment = unsafe { at.as_mut() };
        let (start, end) = (segment.start, segment.end);
        if segment.block != 0 {
            return None;
        }
        let wanted =
            (end.checked_next_multiple_of(layout.align())? + layout.size()).next_multiple_of(PAGE);
        if wanted > start + SEGMENT {
            return None;
        }
        self.map(end, wanted).ok()?;
        // SAFETY: as above; `map` touches no segment. The list ends where the new pages begin.
        unsafe {
            let segment = at.as_mut();
            segment.list.extend(wanted - end);
            segment.end = wanted;
            segment.no_room = NO_LIMIT;
        }
        self.fit(at, layout)
    }

    /// Adds a shared segment with room for `layout`. A small heap gets only the pages for that; a larger
    /// one gets the whole segment, which can then be one large page.
    fn add_shared(&mut self, layout: Layout) -> Result<NonNull<Segment>, OutOfPages> {
        let place = |from: usize, to: usize| {
            let start = from.checked_next_multiple_of(SEGMENT)?;
            (start.checked_add(SEGMENT)? <= to).then_some(start)
        };
        let (prev, start) = self.find(place).ok_or(OutOfPages)?;
        let first = start + SHARED_HEADER;
        let least = (first.next_multiple_of(layout.align()) + layout.size()).next_multiple_of(PAGE);
        let whole = start + SEGMENT;
        let end = if self.held >= BIG && self.map(start, whole).is_ok() {
            whole
        } else {
            self.map(start, least)?;
            least
        };
        // SAFETY: mapped just now and nobody's, up to the last page's end. Zeros are no slabs.
        let list = unsafe {
            self.at(start).write_bytes(0, SHARED_HEADER);
            LinkedList::new(self.at(first).as_ptr(), end - first)
        };
        Ok(self.insert(prev, start, Segment::shared(start, end, list)))
    }
}
