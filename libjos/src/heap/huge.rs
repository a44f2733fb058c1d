//! Huge blocks. Each has a segment of its own, so that freeing it gives its pages back to the machine at
//! once, and that it can be mapped by the largest pages that fit.
//!
//! The [`Segment`] lies right in front of the block.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::segments::{HEADER, PAGE, SEGMENT, Segment, Segments};
use super::{BlockStats, HeapPages, OutOfPages};

impl<P: HeapPages> Segments<P> {
    /// Allocates a huge block for `layout`.
    pub(super) fn alloc_huge(&mut self, layout: Layout) -> Result<NonNull<u8>, OutOfPages> {
        let place = |from: usize, to: usize| {
            // The header begins a large page, unless the block's alignment is greater.
            let header = from.checked_next_multiple_of(SEGMENT)?;
            let block = header.checked_add(HEADER)?.checked_next_multiple_of(layout.align())?;
            let end = block.checked_add(layout.size())?.checked_next_multiple_of(PAGE)?;
            (end <= to).then_some((block, end))
        };
        let (prev, (block, end)) = self.find(place).ok_or(OutOfPages)?;
        let start = (block - HEADER) & !(PAGE - 1);
        self.map(start, end)?;
        self.insert(prev, block - HEADER, Segment::huge(start, block, end));
        Ok(self.at(block))
    }

    /// Whether a huge block begins at `addr`.
    ///
    /// # Safety
    ///
    /// The bytes in front of `addr` are mapped.
    pub(super) unsafe fn is_huge_block(&self, addr: usize) -> bool {
        if !addr.is_multiple_of(align_of::<Segment>()) {
            return false;
        }
        let at = self.at(addr - HEADER).cast::<Segment>().as_ptr();
        // SAFETY: mapped, says the caller, and aligned. Any bytes may be read as numbers.
        let (block, end) =
            unsafe { ((&raw const (*at).block).read(), (&raw const (*at).end).read()) };
        block == addr && end > block
    }

    /// Frees the huge block at `addr`.
    ///
    /// # Safety
    ///
    /// There is one, and nobody uses it any more.
    pub(super) unsafe fn free_huge(&mut self, addr: usize) {
        self.remove(self.at(addr - HEADER).cast());
    }

    /// Resizes the huge block at `addr` to `size` bytes in place, and returns whether it could. A block
    /// that shrinks keeps the rest of its last large page, which is never divided.
    ///
    /// # Safety
    ///
    /// There is one, and nobody uses its bytes beyond `size`.
    pub(super) unsafe fn resize_huge(&mut self, addr: usize, size: usize) -> bool {
        let mut at = self.at(addr - HEADER).cast::<Segment>();
        // SAFETY: a huge block has its segment in front, and the next segment is on the list. Nothing
        // else refers to them.
        let (end, limit) = unsafe {
            let segment = at.as_ref();
            let limit = segment.next.map(|next| next.as_ref().start);
            (segment.end, limit.unwrap_or(self.region.addr().get() + self.region.len()))
        };
        let wanted = addr.checked_add(size).and_then(|end| end.checked_next_multiple_of(PAGE));
        let Some(wanted) = wanted else { return false };
        let wanted = if wanted < end { end.min(wanted.next_multiple_of(SEGMENT)) } else { wanted };
        if wanted > limit || (wanted > end && self.map(end, wanted).is_err()) {
            return false;
        }
        // SAFETY: as above.
        unsafe { at.as_mut() }.end = wanted;
        if wanted < end {
            self.unmap(wanted, end);
        }
        true
    }

    /// The sizes of all huge blocks.
    pub(super) fn huge_stats(&self) -> BlockStats {
        let mut stats = BlockStats::default();
        for at in self.iter() {
            // SAFETY: on the list, so it is there; the reference ends with this turn.
            let Segment { block, start, end, .. } = *unsafe { at.as_ref() };
            if block != 0 {
                stats.blocks += 1;
                stats.bytes += end - block;
                stats.held += end - start;
            }
        }
        stats
    }
}
