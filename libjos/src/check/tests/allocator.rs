//! A page allocator that does one thing wrong, for `check_page_alloc` to name.

use super::*;
use crate::check::check_page_alloc::check_allocator;

impl<L: MemLayout, F: Format + Mmu> Sim<L, F> {
    /// Runs `check_page_alloc` on an allocator with `fault`.
    pub(super) fn check_page_alloc_with(&mut self, fault: AllocatorFault) {
        let end = self.memory_end();
        let (machine, pages) = self.machine_and_pages();
        let mut pages = FaultyPages { pages, fault, given: None };
        check_allocator(&mut pages, machine, end);
    }
}

/// The fault of a [`FaultyPages`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AllocatorFault {
    FreesWithoutCheck,
    LeavesLastWordDirty,
    ZeroesBothEnds,
    GivesAPageTwice,
    LosesAPage,
}

/// An allocator with a fault.
struct FaultyPages<'a> {
    pages: &'a mut Pages,
    fault: AllocatorFault,
    /// The page that was allocated last.
    given: Option<Frame>,
}

impl PageAllocator for FaultyPages<'_> {
    fn page_alloc(&mut self, mem: &impl PhysMem, flags: AllocFlags) -> Option<Frame> {
        if self.fault == AllocatorFault::GivesAPageTwice && self.pages.nfree() == 1 {
            // The last page goes lost, and in its place the one before is given once more.
            self.pages.page_alloc(mem, flags);
            return self.given;
        }
        if self.fault == AllocatorFault::ZeroesBothEnds && flags.contains(ALLOC_ZERO) {
            let given = self.pages.page_alloc(mem, AllocFlags::empty());
            let pa = self.pages.page2pa(given?);
            mem.store(pa, 0_u64);
            mem.store(pa + (PGSIZE - 8), 0_u64);
            return given;
        }
        self.given = self.pages.page_alloc(mem, flags);
        if self.fault == AllocatorFault::LosesAPage && self.pages.nfree() == 7 {
            self.pages.page_alloc(mem, AllocFlags::empty());
        }
        if self.fault == AllocatorFault::LeavesLastWordDirty && flags.contains(ALLOC_ZERO) {
            let pa = self.pages.page2pa(self.given?);
            mem.store(pa + (PGSIZE - 8), 1_u64);
        }
        self.given
    }

    fn try_page_free(&mut self, frame: Frame) -> Result<(), PageError> {
        if self.fault == AllocatorFault::FreesWithoutCheck {
            self.pages.set_info(frame, PageInfo::in_use(0));
        }
        self.pages.try_page_free(frame)
    }

    fn page_incref(&mut self, frame: Frame) -> Result<(), CountError> {
        self.pages.page_incref(frame)
    }

    fn page_decref(&mut self, frame: Frame) {
        self.pages.page_decref(frame);
    }

    fn set_aside_free_list(&mut self) -> FreeList {
        self.pages.set_aside_free_list()
    }

    fn give_back(&mut self, list: FreeList) {
        self.pages.give_back(list);
    }

    fn nfree(&self) -> usize {
        self.pages.nfree()
    }

    fn npages(&self) -> usize {
        self.pages.npages()
    }

    fn page2pa(&self, frame: Frame) -> PhysAddr {
        self.pages.page2pa(frame)
    }
}
