//! Segments: the heap's memory, taken from the machine and given back to it.
//!
//! A shared segment lies at a multiple of [`SEGMENT`], is at most so large, and holds large blocks
//! and slabs, which `linked_list_allocator` finds room for. A block too large for that has a
//! segment of its own. Each has a [`Segment`]: a huge block in front of it, a shared segment at its
//! start, with a table of the slabs that begin in each of its pages. (If each slab began with what
//! is kept of it, these would all compete for the same few lines of the processor's caches.)
//!
//! `linked_list_allocator` can grow at its end but never shrink, so a segment is what goes back:
//! a huge block's at once, a shared one when nothing is left in it and one such is kept already.

use core::alloc::Layout;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use layout::{MB, PGSIZE};
use linked_list_allocator::Heap as LinkedList;

use super::classes::GRAIN;
use super::error::Refusal;
use super::slabs::Slab;
use super::{HeapPages, OutOfPages, poison};
use crate::addr::VirtAddr;

/// What a shared segment is aligned to, and bytes that it grows to: a large page on every machine
/// (or half of one, on i386).
pub(super) const SEGMENT: usize = 2 * MB as usize;

/// A heap of so many bytes gets segments as a whole: what one has more than is needed is then at
/// most an eighth.
const BIG: usize = 8 * SEGMENT;

/// The largest block, and the largest alignment, that a shared segment is asked for.
const MAX_SHARED: (usize, usize) = (SEGMENT / 2, SEGMENT / 4);

pub(super) const PAGE: usize = PGSIZE as usize;

/// What there is never room for: more than can be asked.
const NO_LIMIT: Layout = match Layout::from_size_align(isize::MAX as usize, 1) {
    Ok(layout) => layout,
    Err(_) => panic!("isize::MAX is a size"),
};

/// Bytes of a segment that are the heap's; and in a shared one, with the table of its slabs.
pub(super) const HEADER: usize = size_of::<Segment>();

const SHARED_HEADER: usize = HEADER + SEGMENT / PAGE * size_of::<Slab>();

const _: () = assert!(HEADER.is_multiple_of(GRAIN) && HEADER <= PAGE);
const _: () =
    assert!(SHARED_HEADER.is_multiple_of(GRAIN) && HEADER.is_multiple_of(align_of::<Slab>()));

/// What the heap keeps of a segment. Its pages from `start` to `end` are mapped.
#[repr(C, align(16))]
pub(super) struct Segment {
    /// Who has which bytes; without any where the segment is a huge block's.
    list: LinkedList,
    /// The huge block's address, or 0.
    pub(super) block: usize,
    pub(super) start: usize,
    /// The first address that is not mapped.
    pub(super) end: usize,
    /// Neighbours in the order of addresses.
    prev: Link,
    pub(super) next: Link,
    /// What there was no room for when last asked: there is none for more.
    no_room: Layout,
}

type Link = Option<NonNull<Segment>>;

impl Segment {
    /// A shared one, without a list yet.
    fn shared(start: usize, end: usize) -> Self {
        let (list, prev, next) = (LinkedList::empty(), None, None);
        Self { list, block: 0, start, end, prev, next, no_room: NO_LIMIT }
    }

    /// One for the huge block at `block`.
    pub(super) fn huge(start: usize, block: usize, end: usize) -> Self {
        Self { block, no_room: Layout::new::<()>(), ..Self::shared(start, end) }
    }

    /// The first address that another segment may use.
    fn limit(&self) -> usize {
        if self.block == 0 { self.start + SEGMENT } else { self.end }
    }
}

/// All segments, and where they come from.
pub(super) struct Segments<P> {
    pub(super) pages: P,
    /// All addresses that there are. Every pointer is derived from this one.
    pub(super) region: NonNull<[u8]>,
    pub(super) poison: bool,
    /// The one with the lowest address.
    first: Link,
    /// The shared one that last had room.
    current: Link,
    /// The shared one that is empty and kept.
    spare: Link,
    /// Bytes mapped, and the most that ever were.
    pub(super) held: usize,
    pub(super) peak: usize,
}

/// What `layout` is in a shared segment: its size a multiple of [`GRAIN`].
pub(super) fn grains(layout: Layout) -> Layout {
    let (size, align) = (layout.size().next_multiple_of(GRAIN), layout.align().max(GRAIN));
    Layout::from_size_align(size, align).expect("a large block's size is far from the limit")
}

/// Whether a block has a segment of its own. Depends on its layout alone.
pub(super) fn is_huge(layout: Layout) -> bool {
    layout.size() > MAX_SHARED.0 || layout.align() > MAX_SHARED.1
}

impl<P: HeapPages> Segments<P> {
    pub(super) fn new(region: NonNull<[u8]>, pages: P, poison: bool) -> Self {
        let (first, current, spare) = (None, None, None);
        Self { pages, region, poison, first, current, spare, held: 0, peak: 0 }
    }

    /// A pointer to `addr`, good for whatever of the region is mapped.
    #[inline]
    pub(super) fn at(&self, addr: usize) -> NonNull<u8> {
        let addr = NonZeroUsize::new(addr).expect("no block lies at 0");
        self.region.cast::<u8>().with_addr(addr)
    }

    /// What is kept of the slab that begins in the page of `addr`, which lies in a shared segment:
    /// zeros, if none does.
    #[inline]
    pub(super) fn slab(&self, addr: usize) -> NonNull<Slab> {
        let page = addr % SEGMENT / PAGE;
        self.at(addr - addr % SEGMENT + HEADER + page * size_of::<Slab>()).cast()
    }

    /// Where the slab that this is kept of begins.
    pub(super) fn slab_start(&self, slab: NonNull<Slab>) -> NonNull<u8> {
        let (segment, offset) = (slab.addr().get() & !(SEGMENT - 1), slab.addr().get() % SEGMENT);
        self.at(segment + (offset - HEADER) / size_of::<Slab>() * PAGE)
    }

    /// Whether `addr` is one of the region's addresses, mapped or not.
    #[inline]
    pub(super) fn may_hold(&self, addr: usize) -> bool {
        addr.wrapping_sub(self.region.addr().get()) < self.region.len()
    }

    /// Whether the `size` bytes from `addr` on are mapped, in one segment and behind its header.
    pub(super) fn holds(&self, addr: usize, size: usize) -> bool {
        self.iter().any(|segment| {
            // SAFETY: on the list, so it is there; the reference ends with this closure.
            let segment = unsafe { segment.as_ref() };
            let first =
                if segment.block == 0 { segment.start + SHARED_HEADER } else { segment.block };
            addr >= first && addr < segment.end && size <= segment.end - addr
        })
    }

    /// Bytes that could still be mapped: of pages and of addresses.
    pub(super) fn left(&self) -> u64 {
        self.pages.left().min((self.region.len() - self.held) as u64)
    }

    /// Room for `layout`, which is not huge; its size is a multiple of [`GRAIN`], and with poison
    /// its size and alignment are whole pages.
    ///
    /// # Errors
    ///
    /// That there are no pages, and with poison that somebody used this memory while it was free.
    pub(super) fn alloc_shared(&mut self, layout: Layout) -> Result<NonNull<u8>, Refusal> {
        let block = self.find_room(layout)?;
        if self.poison {
            // With poison all blocks are whole pages, and so are the holes between them: what
            // the list writes in holes is at the start of a page. It must not stay there.
            // SAFETY: the block is nobody's yet.
            unsafe {
                poison::check_free(block, layout.size(), PAGE)?;
                poison::fill(block, layout.size());
            }
        }
        Ok(block)
    }

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

    /// Takes back what [`alloc_shared`](Self::alloc_shared) gave, or a part of it.
    ///
    /// # Safety
    ///
    /// The bytes are allocated, `size` is a multiple of [`GRAIN`], and nobody uses them any more.
    pub(super) unsafe fn free_shared(&mut self, addr: usize, size: usize) {
        let block = self.at(addr);
        if self.poison {
            // SAFETY: the caller leaves the bytes to the heap.
            unsafe { poison::fill(block, size) };
        }
        let mut at = self.at(addr & !(SEGMENT - 1)).cast::<Segment>();
        // SAFETY: shared segments lie at multiples of their size, so one begins there; nothing
        // else refers to it. The bytes are allocated from its list, the caller says.
        let empty = unsafe {
            let segment = at.as_mut();
            segment.list.deallocate(block, Layout::from_size_align_unchecked(size, GRAIN));
            segment.no_room = NO_LIMIT;
            segment.list.used() == 0
        };
        if !empty {
            return;
        }
        // Of two empty ones the lower stays.
        match self.spare {
            Some(spare) if spare < at => self.remove(at),
            Some(spare) => {
                self.spare = Some(at);
                self.remove(spare);
            }
            None => self.spare = Some(at),
        }
    }

    /// Gives back the empty segment that was kept; says whether there was one.
    pub(super) fn trim(&mut self) -> bool {
        let spare = self.spare.take();
        if let Some(spare) = spare {
            self.remove(spare);
        }
        spare.is_some()
    }

    /// Takes room for `layout` from this segment, if there is and it is shared.
    fn fit(&mut self, mut at: NonNull<Segment>, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: `at` is on the list; this is the only reference to it. Its list's blocks and
        // holes lie behind it.
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
        if segment.block != 0 || end == start + SEGMENT {
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

    /// A new shared segment with room for `layout`. A small heap gets just the pages for it, a
    /// larger one all of the segment at once, which can then be one large page.
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
        Ok(self.insert(prev, start, Segment { list, ..Segment::shared(start, end) }))
    }

    /// The lowest gap between segments, given as its first address and its end, that `place`
    /// finds good; with the segment before it, and what `place` said.
    pub(super) fn find<T>(&self, place: impl Fn(usize, usize) -> Option<T>) -> Option<(Link, T)> {
        let region = self.region.addr().get();
        let (mut prev, mut from) = (None, region);
        for at in self.iter() {
            // SAFETY: on the list; nothing else refers to it while `self` is borrowed.
            let segment = unsafe { at.as_ref() };
            if let Some(found) = place(from, segment.start) {
                return Some((prev, found));
            }
            (prev, from) = (Some(at), segment.limit());
        }
        Some((prev, place(from, region + self.region.len())?))
    }

    /// Maps the pages from `start` to `end`.
    pub(super) fn map(&mut self, start: usize, end: usize) -> Result<(), OutOfPages> {
        self.pages.map(VirtAddr::new(start as u64), (end - start) as u64)?;
        self.held += end - start;
        self.peak = self.peak.max(self.held);
        if self.poison {
            // SAFETY: mapped just now, and nobody's yet.
            unsafe { poison::fill(self.at(start), end - start) };
        }
        Ok(())
    }

    /// Unmaps them. Nothing refers to them.
    pub(super) fn unmap(&mut self, start: usize, end: usize) {
        self.held -= end - start;
        self.pages.unmap(VirtAddr::new(start as u64), (end - start) as u64);
    }

    /// Puts a segment into the list behind `prev`, its header at `header`.
    pub(super) fn insert(
        &mut self,
        prev: Link,
        header: usize,
        segment: Segment,
    ) -> NonNull<Segment> {
        let at = self.at(header).cast::<Segment>();
        // SAFETY: the header lies in pages mapped for it, aligned; its neighbours are on the
        // list, and each reference ends with its statement.
        unsafe {
            let next = prev.map_or(self.first, |prev| prev.as_ref().next);
            at.write(Segment { prev, next, ..segment });
            if let Some(mut next) = next {
                next.as_mut().prev = Some(at);
            }
            match prev {
                Some(mut prev) => prev.as_mut().next = Some(at),
                None => self.first = Some(at),
            }
        }
        at
    }

    /// Takes a segment in which nothing is left off the list, and unmaps it.
    pub(super) fn remove(&mut self, at: NonNull<Segment>) {
        // SAFETY: it is on the list; each reference ends with its statement.
        let (start, end) = unsafe {
            let Segment { start, end, prev, next, .. } = *at.as_ref();
            if let Some(mut next) = next {
                next.as_mut().prev = prev;
            }
            match prev {
                Some(mut prev) => prev.as_mut().next = next,
                None => self.first = next,
            }
            (start, end)
        };
        if self.current == Some(at) {
            self.current = None;
        }
        self.unmap(start, end);
    }

    /// The segments by address.
    fn iter(&self) -> impl Iterator<Item = NonNull<Segment>> {
        // SAFETY: those on the list are there while `self` is borrowed.
        core::iter::successors(self.first, |at| unsafe { at.as_ref() }.next)
    }
}
