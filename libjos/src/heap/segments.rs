//! Segments: the heap's memory, taken from the machine and given back to it.
//!
//! Some segments are shared by many blocks (`shared`), others belong to one huge block each (`huge`).
//! All are on one list, in the order of their addresses. The pages of a segment hold its [`Segment`].

use core::alloc::Layout;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use layout::{MB, PGSIZE};
use linked_list_allocator::Heap as LinkedList;

use super::classes::GRAIN;
use super::room::Slab;
use super::{HeapPages, OutOfPages, poison};
use crate::mem::addr::VirtAddr;

/// The alignment of a shared segment, and the size that it can grow to, in bytes: a large page on every
/// machine (on i386 half of one).
pub(super) const SEGMENT: usize = 2 * MB as usize;

/// Bytes of a page.
pub(super) const PAGE: usize = PGSIZE as usize;

/// The start value of [`Segment::no_room`], more than any request.
pub(super) const NO_LIMIT: Layout = match Layout::from_size_align(isize::MAX as usize, 1) {
    Ok(layout) => layout,
    Err(_) => panic!("isize::MAX is a size"),
};

/// Bytes of the [`Segment`] itself.
pub(super) const HEADER: usize = size_of::<Segment>();

/// Bytes of the [`Segment`] and the table of slabs, in a shared one.
pub(super) const SHARED_HEADER: usize = HEADER + SEGMENT / PAGE * size_of::<Slab>();

const _: () = assert!(HEADER.is_multiple_of(GRAIN) && HEADER <= PAGE);
const _: () =
    assert!(SHARED_HEADER.is_multiple_of(GRAIN) && HEADER.is_multiple_of(align_of::<Slab>()));

/// The record of a segment. Its pages from `start` to `end` are mapped.
#[repr(C, align(16))]
pub(super) struct Segment {
    /// The allocator of a shared segment's bytes; it has none in a huge block's segment.
    pub(super) list: LinkedList,
    /// The huge block's address, or 0 in a shared segment.
    pub(super) block: usize,
    pub(super) start: usize,
    /// The first address that is not mapped.
    pub(super) end: usize,
    /// Neighbours in the order of addresses.
    prev: Link,
    pub(super) next: Link,
    /// The last layout that there was no room for. There is none for a larger one either.
    pub(super) no_room: Layout,
}

type Link = Option<NonNull<Segment>>;

impl Segment {
    /// A shared segment.
    pub(super) fn shared(start: usize, end: usize, list: LinkedList) -> Self {
        let (prev, next) = (None, None);
        Self { list, block: 0, start, end, prev, next, no_room: NO_LIMIT }
    }

    /// The segment of the huge block at `block`.
    pub(super) fn huge(start: usize, block: usize, end: usize) -> Self {
        Self { block, ..Self::shared(start, end, LinkedList::empty()) }
    }

    /// The first address that another segment may use.
    fn limit(&self) -> usize {
        if self.block == 0 { self.start + SEGMENT } else { self.end }
    }
}

/// All segments, and the source of their memory.
pub(super) struct Segments<P> {
    pub(super) pages: P,
    /// The heap's addresses. Each of its pointers is derived from this one.
    pub(super) region: NonNull<[u8]>,
    pub(super) poison: bool,
    /// The segment with the lowest address.
    pub(super) first: Link,
    /// The shared segment that last had room.
    pub(super) current: Link,
    /// The empty shared segment that is kept.
    pub(super) spare: Link,
    /// Bytes that are mapped, and the most that ever were.
    pub(super) held: usize,
    pub(super) peak: usize,
}

impl<P: HeapPages> Segments<P> {
    pub(super) fn new(region: NonNull<[u8]>, pages: P, poison: bool) -> Self {
        let (first, current, spare) = (None, None, None);
        Self { pages, region, poison, first, current, spare, held: 0, peak: 0 }
    }

    /// A pointer to `addr`, for all that is mapped in the region.
    #[inline]
    pub(super) fn at(&self, addr: usize) -> NonNull<u8> {
        let addr = NonZeroUsize::new(addr).expect("no block lies at 0");
        self.region.cast::<u8>().with_addr(addr)
    }

    /// Whether `addr` is one of the region's addresses, mapped or not.
    #[inline]
    pub(super) fn may_hold(&self, addr: usize) -> bool {
        addr.wrapping_sub(self.region.addr().get()) < self.region.len()
    }

    /// Whether the `size` bytes at `addr` are mapped, in one segment and behind its header.
    pub(super) fn holds(&self, addr: usize, size: usize) -> bool {
        self.iter().any(|segment| {
            // SAFETY: on the list, so it is there; the reference ends with this closure.
            let segment = unsafe { segment.as_ref() };
            let first =
                if segment.block == 0 { segment.start + SHARED_HEADER } else { segment.block };
            addr >= first && addr < segment.end && size <= segment.end - addr
        })
    }

    /// Bytes that could still be mapped, limited by pages and by addresses.
    pub(super) fn left(&self) -> u64 {
        self.pages.left().min((self.region.len() - self.held) as u64)
    }

    /// Offers `place` the gaps between segments, as their starts and ends, until it accepts one. Returns
    /// the segment before that gap, and the result of `place`.
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

    /// Unmaps the pages from `start` to `end`, to which nothing refers.
    pub(super) fn unmap(&mut self, start: usize, end: usize) {
        self.held -= end - start;
        self.pages.unmap(VirtAddr::new(start as u64), (end - start) as u64);
    }

    /// Puts a segment on the list behind `prev`, with its header at `header`.
    pub(super) fn insert(
        &mut self,
        prev: Link,
        header: usize,
        segment: Segment,
    ) -> NonNull<Segment> {
        let at = self.at(header).cast::<Segment>();
        // SAFETY: the header is aligned, in pages mapped for it. Its neighbours are on the list, and
        // each reference ends with its statement.
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

    /// Takes an empty segment off the list, and unmaps it.
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

    /// The segments in the order of their addresses.
    pub(super) fn iter(&self) -> impl Iterator<Item = NonNull<Segment>> {
        // SAFETY: those on the list are there while `self` is borrowed.
        core::iter::successors(self.first, |at| unsafe { at.as_ref() }.next)
    }
}
