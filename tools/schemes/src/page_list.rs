//! This kernel's own scheme: `page_free_list`, from which runs are taken.
//!
//! A request takes a run of 2^n frames, aligned like a large page, and gives back the excess at once,
//! so no frame is wasted. Allocations can be freed in parts.

use layout::PGSIZE;

use crate::{FrameScheme, Report, WrongFree};
use libjos::machine::PhysMem;
use libjos::mem::addr::PhysRange;
use libjos::mem::pages::{AllocFlags, Block, Frame, MAX_ORDER, PageAllocator, PageInfo, Pages};

/// The frames of `pages` from one of them on.
#[derive(Debug)]
pub struct PageList<'a, M> {
    pages: &'a mut Pages,
    mem: &'a M,
    /// The first frame, which has number 0 here.
    start: usize,
    frames: usize,
}

impl<'a, M: PhysMem> PageList<'a, M> {
    /// The whole frames of `range`, all free; `pages` forgets all other frames.
    ///
    /// # Panics
    ///
    /// If `pages` does not describe them all.
    #[must_use]
    pub fn new(pages: &'a mut Pages, mem: &'a M, range: PhysRange) -> Self {
        let range = range.whole_pages();
        let Some(start) = pages.pa2page(range.start) else {
            panic!("{range} has frames that pages does not describe")
        };
        pages.page_init(&[range]);
        Self { pages, mem, start: start.index(), frames: (range.size() / PGSIZE) as usize }
    }

    fn frame(&self, number: usize) -> Frame {
        Frame::new((self.start + number) as u32)
    }

    /// How many frames the largest run has that a request can get now.
    fn largest(&self) -> usize {
        let free: Vec<bool> = self.pages.infos().map(|info| info.is_free()).collect();
        let has_run = |size: &usize| free.chunks_exact(*size).any(|run| !run.contains(&false));
        (0..=MAX_ORDER).rev().map(|order| 1 << order).find(has_run).unwrap_or(0)
    }

    /// Puts frames back that were taken off the list.
    fn give_back(&mut self, mut first: usize, count: usize) {
        let end = first + count;
        while first < end {
            // In as few runs as possible; single frames would work too.
            let order = (end - first).ilog2();
            self.pages.page_free_run(self.frame(first), order);
            first += 1 << order;
        }
    }
}

impl<M: PhysMem> FrameScheme for PageList<'_, M> {
    fn name(&self) -> &'static str {
        "page_free_list, runs"
    }

    fn alloc(&mut self, count: usize) -> Option<usize> {
        let order = count.checked_next_power_of_two().filter(|_| count > 0)?.trailing_zeros();
        let first = self.pages.page_alloc_run(self.mem, AllocFlags::empty(), order)?;
        let first = first.index() - self.start;
        // Freed one by one, they come first on the list and serve the next requests for single pages.
        for surplus in (first + count..first + (1 << order)).rev() {
            self.pages.page_free(self.frame(surplus));
        }
        Some(first)
    }

    fn free(&mut self, first: usize, count: usize) -> Result<(), WrongFree> {
        let wrong = WrongFree { first, count };
        let end = first.checked_add(count).filter(|end| *end <= self.frames).ok_or(wrong)?;
        let given = |number| self.pages.info(self.frame(number)) == PageInfo::in_use(0);
        if count == 0 || !(first..end).all(given) {
            return Err(wrong);
        }
        self.give_back(first, count);
        Ok(())
    }

    fn keeps_lengths(&self) -> bool {
        false
    }

    fn report(&self) -> Report {
        let table = Block::table_len(self.frames);
        Report {
            frames: self.frames,
            free: self.pages.nfree(),
            largest: self.largest(),
            internal_waste: 0,
            metadata_bytes: (self.frames + table) * size_of::<PageInfo>(),
            search_steps: self.pages.run_search_steps(),
        }
    }
}
