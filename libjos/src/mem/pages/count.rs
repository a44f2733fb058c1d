//! Uses of frames, counted by physical address: singly, and for runs of frames.

use super::allocator::cannot_count;
use super::{CountError, Frame, PageAllocator, PageError, PageInfo, Pages};
use crate::mem::addr::PhysAddr;

impl Pages {
    // lab 2: begin omit
    /// Counts one use more of `frame`, if that can be, and returns whether it did.
    #[inline]
    pub(crate) fn count_further_use(&mut self, frame: Frame) -> bool {
        self.array_mut().get_mut(frame.index()).is_some_and(PageInfo::count_further_use)
    }
    // lab 2: end

    /// [`page_decref`](PageAllocator::page_decref) for the frame at `pa`, if `pages` describes it.
    #[inline]
    pub(crate) fn page_decref_at(&mut self, pa: PhysAddr) {
        if let Some(frame) = self.drop_further_use_at(pa) {
            self.drop_last_use(frame);
        }
    }

    /// Counts one use less of the frame at `pa`, if `pages` describes it and it has a further use. A frame
    /// that has none is returned, for [`drop_last_use`](Self::drop_last_use).
    #[inline]
    pub(crate) fn drop_further_use_at(&mut self, pa: PhysAddr) -> Option<Frame> {
        let index = self.index_of(pa);
        let info = self.array_mut().get_mut(index)?;
        (!info.drop_further_use()).then_some(Frame(index as u32))
    }

    /// Frees `frame`, which has at most one use left.
    #[inline(never)]
    pub(crate) fn drop_last_use(&mut self, frame: Frame) {
        let pa = self.page2pa(frame);
        let info = &mut self.array_mut()[frame.index()];
        match *info {
            info if info == PageInfo::in_use(1) => {}
            PageInfo { pp_link: PageInfo::RESERVED, .. } => {
                panic!("page_decref: {}", PageError::Reserved { pa })
            }
            _ => panic!("page_decref: {}", PageError::Unreferenced { pa }),
        }
        *info = PageInfo::in_use(0);
        self.page_free(frame);
    }

    /// Takes back a use that [`page_incref`](PageAllocator::page_incref) has counted. The frame
    /// stays allocated even if no use is left.
    pub(crate) fn page_uncount(&mut self, frame: Frame) {
        self.array_mut()[frame.index()].pp_ref_or_prev -= 1;
    }

    /// Refuses a frame that is free. For mappings that are not counted.
    pub(crate) fn check_in_use(&self, frame: Frame) -> Result<(), CountError> {
        let info = self.info(frame);
        if info.is_free() { Err(cannot_count(&info, self.page2pa(frame))) } else { Ok(()) }
    }

    // lab 2: begin omit
    /// Counts one use more of each frame in `[pa, pa + size)` that `pages` describes.
    ///
    /// # Errors
    ///
    /// As [`page_incref`](PageAllocator::page_incref), for the first frame that has one;
    /// nothing has changed then.
    pub(crate) fn count_run(&mut self, pa: PhysAddr, size: u64) -> Result<(), CountError> {
        let run = self.described_run(pa, size);
        let start = run.start;
        let infos = &mut self.array_mut()[run];
        if let Some(offset) = infos.iter().position(|info| !info.can_count()) {
            let info = infos[offset];
            return Err(cannot_count(&info, self.page2pa(Frame((start + offset) as u32))));
        }
        for info in infos {
            info.pp_ref_or_prev += 1;
        }
        Ok(())
    }
    // lab 2: end
}
