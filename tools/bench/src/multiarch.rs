//! The crate `page_table_multiarch` as a contestant.

use layout::PGSIZE;
use memory_addr::{PhysAddr, VirtAddr};
use page_table_entry::MappingFlags;
use page_table_multiarch::PageSize as Size;
use page_table_multiarch::PagingHandler;
use page_table_multiarch::x86_64::X64PageTable;

use crate::memory::{Memory, POOL, Pool};
use crate::tables::{PageSize, SinglePages, Tables, TearDown, Translate, pages};

/// The source of its tables' frames.
#[derive(Debug)]
pub(crate) struct Handler;

impl PagingHandler for Handler {
    fn alloc_frames(num: usize, _align: usize) -> Option<PhysAddr> {
        assert!(num == 1, "tables are single frames");
        POOL.with_borrow_mut(Pool::alloc).map(|pa| PhysAddr::from(pa as usize))
    }

    fn dealloc_frames(paddr: PhysAddr, _num: usize) {
        POOL.with_borrow_mut(|pool| pool.free(paddr.as_usize() as u64));
    }

    fn phys_to_virt(paddr: PhysAddr) -> VirtAddr {
        VirtAddr::from(Memory::get().offset() as usize + paddr.as_usize())
    }
}

const FLAGS: MappingFlags = MappingFlags::READ.union(MappingFlags::WRITE);

/// Its tables; `None` once torn down.
pub(crate) struct Multiarch(Option<X64PageTable<Handler>>);

impl Multiarch {
    fn table(&mut self) -> &mut X64PageTable<Handler> {
        self.0.as_mut().expect("not torn down")
    }
}

impl Tables for Multiarch {
    fn new(_memory: Memory) -> Self {
        let mut tables = Self(None);
        tables.reset();
        tables
    }

    fn reset(&mut self) {
        self.0 = None;
        POOL.with_borrow_mut(Pool::reset);
        self.0 = Some(X64PageTable::try_new().expect("all is free"));
    }

    fn root(&self) -> u64 {
        self.0.as_ref().expect("not torn down").root_paddr().as_usize() as u64
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        let to_pa = |at: VirtAddr| PhysAddr::from(at.as_usize() - va as usize + pa as usize);
        let mut cursor = self.table().cursor();
        let large = pages == PageSize::Large;
        cursor
            .map_region(VirtAddr::from(va as usize), to_pa, size as usize, FLAGS, large)
            .expect("it can be mapped");
    }
}

impl SinglePages for Multiarch {
    #[inline]
    fn map_page(&mut self, va: u64, pa: u64) {
        let (va, pa) = (VirtAddr::from(va as usize), PhysAddr::from(pa as usize));
        self.table().cursor().map(va, pa, Size::Size4K, FLAGS).expect("it can be mapped");
    }

    #[inline]
    fn unmap_page(&mut self, va: u64) {
        self.table().cursor().unmap(VirtAddr::from(va as usize)).expect("it is mapped");
    }
}

impl Translate for Multiarch {
    #[inline]
    fn translate(&self, va: u64) -> u64 {
        let table = self.0.as_ref().expect("not torn down");
        let (pa, _, _) = table.query(VirtAddr::from(va as usize)).expect("it is mapped");
        pa.as_usize() as u64
    }
}

impl TearDown for Multiarch {
    fn fill(&mut self, va: u64, pas: &[u64]) {
        self.reset();
        pages(va, pas).for_each(|(va, pa)| self.map_page(va, pa));
    }

    fn tear_down(&mut self, va: u64, size: u64) {
        let mut cursor = self.table().cursor();
        POOL.with_borrow_mut(|pool| {
            for offset in (0..size).step_by(PGSIZE as usize) {
                let (pa, _, _) =
                    cursor.unmap(VirtAddr::from((va + offset) as usize)).expect("it is mapped");
                pool.free(pa.as_usize() as u64);
            }
        });
        drop(cursor);
        // Frees all tables, including the root.
        self.0 = None;
    }

    fn nfree(&self) -> usize {
        // One less, since the other contestants keep their root.
        POOL.with_borrow(Pool::len) - 1
    }
}
