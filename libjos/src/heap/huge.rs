//! Huge blocks. Each has a segment of its own, so that freeing it gives its pages back to the machine at
//! once, and that it can be mapped by the largest pages that fit.
//!
//! The [`Segment`] lies right in front of the block.

use core::alloc::Layout;

use super::segments::{HEADER, PAGE, SEGMENT, Segment, Segments};
use super::{HeapPages, OutOfPages};

/// A huge block.
#[derive(Clone, Copy)]
pub(super) struct Huge {
    /// Its address.
    pub(super) block: usize,
    /// Bytes that it has room for.
    pub(super) size: usize,
    /// Bytes mapped for it.
    pub(super) held: usize,
}

impl Huge {
    /// The huge block from `block` to `end`.
    fn new(block: usize, end: usize) -> Self {
        Self { block, size: end - block, held: end - Self::start(block) }
    }

    /// The start of the segment of the block at `block`.
    fn start(block: usize) -> usize {
        (block - HEADER) & !(PAGE - 1)
    }
}

impl<P: HeapPages> Segments<P> {
    /// Allocates a huge block for `layout`.
    pub(super) fn alloc_huge(&mut self, layout: Layout) -> Result<Huge, OutOfPages> {
        let place = |from: usize, to: usize| {
            // The header begins a large page, unless the block's alignment is greater.
            let header = from.checked_next_multiple_of(SEGMENT)?;
            let block = header.checked_add(HEADER)?.checked_next_multiple_of(layout.align())?;
            let end = block.checked_add(layout.size())?.checked_next_multiple_of(PAGE)?;
            (end <= to).then_some((block, end))
        };
        let (prev, (block, end)) = self.find(place).ok_or(OutOfPages)?;
        let start = Huge::start(block);
        self.map(start, end)?;
        self.insert(prev, block - HEADER, Segment::huge(start, block, end));
        Ok(Huge::new(block, end))
    }

    /// The huge block at `addr`, if there is one.
    ///
    /// # Safety
    ///
    /// The bytes in front of `addr` are mapped.
    pub(super) unsafe fn huge(&self, addr: usize) -> Option<Huge> {
        if !addr.is_multiple_of(align_of::<Segment>()) {
            return None;
        }
        let at = self.at(addr - HEADER).cast::<Segment>().as_ptr();
        // SAFETY: mapped, says the caller, and aligned. Any bytes may be read as numbers.
        let (block, end) =
            unsafe { ((&raw const (*at).block).read(), (&raw const (*at).end).read()) };
        (block == addr && end > block).then(|| Huge::new(block, end))
    }

    /// Frees the huge block at `addr`.
    ///
    /// # Safety
    ///
    /// There is one, and nobody uses it any more.
    pub(super) unsafe fn free_huge(&mut self, addr: usize) {
        self.remove(self.at(addr - HEADER).cast());
    }

    /// Resizes the huge block at `addr` to `size` bytes in place. `None` if it cannot. A block that
    /// shrinks keeps the rest of its last large page, which is never divided.
    ///
    /// # Safety
    ///
    /// There is one, and nobody uses its bytes beyond `size`.
    pub(super) unsafe fn resize_huge(&mut self, addr: usize, size: usize) -> Option<Huge> {
        let mut at = self.at(addr - HEADER).cast::<Segment>();
        // SAFETY: a huge block has its segment in front, and the next segment is on the list. Nothing
        // else refers to them.
        let (end, limit) = unsafe {
            let segment = at.as_ref();
            let limit = segment.next.map(|next| next.as_ref().start);
            (segment.end, limit.unwrap_or(self.region.addr().get() + self.region.len()))
        };
        let wanted = addr.checked_add(size)?.checked_next_multiple_of(PAGE)?;
        let wanted = if wanted < end { end.min(wanted.next_multiple_of(SEGMENT)) } else { wanted };
        if wanted > limit || (wanted > end && self.map(end, wanted).is_err()) {
            return None;
        }
        // SAFETY: as above.
        unsafe { at.as_mut() }.end = wanted;
        if wanted < end {
            self.unmap(wanted, end);
        }
        Some(Huge::new(addr, wanted))
    }
}
