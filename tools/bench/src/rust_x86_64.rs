//! The `x86_64` crate's mappers: `OffsetPageTable` and `MappedPageTable`.

use layout::{MB, PGSIZE};
use x86_64::structures::paging::mapper::{CleanUp, PageTableFrameMapping};
use x86_64::structures::paging::page::PageRangeInclusive;
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, MappedPageTable, Mapper, OffsetPageTable, Page, PageTable,
    PageTableFlags, PhysFrame, Size2MiB, Size4KiB, Translate as _,
};
use x86_64::{PhysAddr, VirtAddr};

use crate::memory::{Memory, Pool};
use crate::tables::{PageSize, SinglePages, Tables, TearDown, Translate, pages};

// SAFETY: the pool gives out each frame once until it is freed.
unsafe impl FrameAllocator<Size4KiB> for Pool {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        self.alloc().map(|pa| PhysFrame::containing_address(PhysAddr::new(pa)))
    }
}

impl FrameDeallocator<Size4KiB> for Pool {
    unsafe fn deallocate_frame(&mut self, frame: PhysFrame) {
        self.free(frame.start_address().as_u64());
    }
}

/// `MappedPageTable`'s way to find a frame: an addition that the compiler can optimise.
#[derive(Debug)]
pub(crate) struct Window(Memory);

// SAFETY: tables are frames of the memory, and this gives their addresses in this process.
unsafe impl PageTableFrameMapping for Window {
    fn frame_to_pointer(&self, frame: PhysFrame) -> *mut PageTable {
        self.0.at(frame.start_address().as_u64())
    }
}

/// A choice between the two mappers.
pub(crate) trait Flavour {
    /// The mapper's type.
    type Mapper: Mapper<Size4KiB>
        + Mapper<Size2MiB>
        + x86_64::structures::paging::Translate
        + CleanUp;
    /// A mapper for the tables at `root`.
    fn mapper(memory: Memory, root: &'static mut PageTable) -> Self::Mapper;
}

/// `OffsetPageTable`.
#[derive(Debug)]
pub(crate) enum Offset {}

impl Flavour for Offset {
    type Mapper = OffsetPageTable<'static>;
    fn mapper(memory: Memory, root: &'static mut PageTable) -> Self::Mapper {
        // SAFETY: all tables are frames of memory, which begins at this offset.
        unsafe { OffsetPageTable::new(root, VirtAddr::new(memory.offset())) }
    }
}

/// `MappedPageTable`.
#[derive(Debug)]
pub(crate) enum Mapped {}

impl Flavour for Mapped {
    type Mapper = MappedPageTable<'static, Window>;
    fn mapper(memory: Memory, root: &'static mut PageTable) -> Self::Mapper {
        // SAFETY: as above.
        unsafe { MappedPageTable::new(root, Window(memory)) }
    }
}

/// Tables, a mapper for them, and frames.
#[derive(Debug)]
pub(crate) struct X86<F: Flavour> {
    memory: Memory,
    mapper: F::Mapper,
    root: u64,
    pool: Pool,
}

const FLAGS: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);

fn page(va: u64) -> Page {
    Page::containing_address(VirtAddr::new_truncate(va))
}

impl<F: Flavour> Tables for X86<F> {
    fn new(memory: Memory) -> Self {
        let mut pool = Pool::new();
        pool.reset();
        let root = pool.alloc().expect("all is free");
        // SAFETY: the root's frame is in memory, which is never freed, and only this mapper uses it.
        let table = unsafe { &mut *memory.at::<PageTable>(root) };
        table.zero();
        Self { memory, mapper: F::mapper(memory, table), root, pool }
    }

    fn reset(&mut self) {
        self.pool.reset();
        assert_eq!(self.pool.alloc(), Some(self.root));
        *self.memory.table(self.root) = [0; 512];
    }

    fn root(&self) -> u64 {
        self.root
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        match pages {
            PageSize::Small => {
                for offset in (0..size).step_by(PGSIZE as usize) {
                    self.map_page(va + offset, pa + offset);
                }
            }
            PageSize::Large => {
                for offset in (0..size).step_by(2 * MB as usize) {
                    let page = Page::<Size2MiB>::containing_address(VirtAddr::new(va + offset));
                    let frame = PhysFrame::containing_address(PhysAddr::new(pa + offset));
                    // SAFETY: nothing accesses the mapped pages.
                    let mapped = unsafe { self.mapper.map_to(page, frame, FLAGS, &mut self.pool) };
                    mapped.expect("it can be mapped").ignore();
                }
            }
        }
    }
}

impl<F: Flavour> SinglePages for X86<F> {
    #[inline]
    fn map_page(&mut self, va: u64, pa: u64) {
        let frame = PhysFrame::<Size4KiB>::containing_address(PhysAddr::new(pa));
        // SAFETY: nothing accesses the mapped page.
        let mapped = unsafe { self.mapper.map_to(page(va), frame, FLAGS, &mut self.pool) };
        mapped.expect("it can be mapped").ignore();
    }

    #[inline]
    fn unmap_page(&mut self, va: u64) {
        self.mapper.unmap(page(va)).expect("it is mapped").1.ignore();
    }
}

impl<F: Flavour> Translate for X86<F> {
    #[inline]
    fn translate(&self, va: u64) -> u64 {
        self.mapper.translate_addr(VirtAddr::new_truncate(va)).expect("it is mapped").as_u64()
    }
}

impl<F: Flavour> TearDown for X86<F> {
    fn fill(&mut self, va: u64, pas: &[u64]) {
        self.reset();
        pages(va, pas).for_each(|(va, pa)| self.map_page(va, pa));
    }

    fn tear_down(&mut self, va: u64, size: u64) {
        for offset in (0..size).step_by(PGSIZE as usize) {
            let (frame, flush) = self.mapper.unmap(page(va + offset)).expect("it is mapped");
            flush.ignore();
            self.pool.free(frame.start_address().as_u64());
        }
        let all = PageRangeInclusive { start: page(va), end: page(va + size - PGSIZE) };
        // SAFETY: each table has one use, here.
        unsafe { self.mapper.clean_up_addr_range(all, &mut self.pool) };
    }

    fn nfree(&self) -> usize {
        self.pool.len()
    }
}
