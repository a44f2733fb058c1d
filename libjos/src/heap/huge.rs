//! Huge blocks: each has a segment of its own, so that its pages are the machine's again as soon
//! as it is free, and can be mapped by the largest pages that its size allows.
//!
//! Its [`Segment`] lies right in front of the block.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::segments::{HEADER, PAGE, SEGMENT, Segment, Segments};
use super::{HeapPages, OutOfPages};

impl<P: HeapPages> Segments<P> {
    /// A block for `layout`, which is huge.
    pub(super) fn alloc_huge(&mut self, layout: Layout) -> Result<NonNull<u8>, OutOfPages> {
        let place = |from: usize, to: usize| {
            // At a large page's start, if the block's own alignment is not the greater one.
            let header = from.checked_next_multiple_of(SEGMENT)?;
            let block = header.checked_add(HEADER)?.checked_next_multiple_of(layout.align())?;
            let end = block.checked_add(layout.size())?.checked_next_multiple_of(PAGE)?;
            (end <= to).then_some(((block - HEADER) & !(PAGE - 1), block, end))
        };
        let (prev, (start, block, end)) = self.find(place).ok_or(OutOfPages)?;
        self.map(start, end)?;
        self.insert(prev, block - HEADER, Segment::huge(start, block, end));
        Ok(self.at(block))
    }

    /// Bytes that the huge block at `addr` has room for; `None` where there is no such block.
    ///
    /// # Safety
    ///
    /// The bytes in front of `addr` are mapped.
    pub(super) unsafe fn huge_size(&self, addr: usize) -> Option<usize> {
        if !addr.is_multiple_of(align_of::<Segment>()) {
            return None;
        }
        let at = self.at(addr - HEADER).cast::<Segment>();
        // SAFETY: mapped, says the caller, and aligned. Whatever is there, the numbers of a
        // `Segment` may be read from it.
        let (block, end) = unsafe {
            ((&raw const (*at.as_ptr()).block).read(), (&raw const (*at.as_ptr()).end).read())
        };
        (block == addr).then(|| end - block)
    }

    /// Frees a huge block.
    ///
    /// # Safety
    ///
    /// It is one, and nobody uses it any more.
    pub(super) unsafe fn free_huge(&mut self, addr: usize) {
        self.remove(self.at(addr - HEADER).cast());
    }

    /// Gives the huge block at `addr` room for `size` bytes where it is, or says that it cannot.
    ///
    /// # Safety
    ///
    /// It is a huge block, and nobody uses what is beyond `size`.
    pub(super) unsafe fn resize_huge(&mut self, addr: usize, size: usize) -> bool {
        let mut at = self.at(addr - HEADER).cast::<Segment>();
        // SAFETY: a huge block has its segment in front, the caller says, and the next one is on
        // the list. Nothing else refers to them.
        let (end, limit) = unsafe {
            let segment = at.as_ref();
            let limit = segment.next.map(|next| next.as_ref().start);
            (segment.end, limit.unwrap_or(self.region.addr().get() + self.region.len()))
        };
        let wanted = addr.checked_add(size).and_then(|end| end.checked_next_multiple_of(PAGE));
        let Some(wanted) = wanted.filter(|wanted| *wanted <= limit) else { return false };
        if wanted > end && self.map(end, wanted).is_err() {
            return false;
        }
        // SAFETY: as above.
        unsafe { at.as_mut() }.end = wanted;
        if wanted < end {
            self.unmap(wanted, end);
        }
        true
    }
}
