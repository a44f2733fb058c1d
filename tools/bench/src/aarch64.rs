//! The crate `aarch64-paging` as a contestant. Its entries are another processor's; its tables have the
//! same shape.

use std::ptr::NonNull;

use aarch64_paging::descriptor::{El23Attributes, PhysicalAddress};
use aarch64_paging::paging::{Constraints, El2, MemoryRegion, PageTable, RootTable, Translation};
use layout::PGSIZE;

use crate::memory::{Memory, POOL, Pool};
use crate::tables::{Kind, PageSize, Tables, TearDown, pages};

/// The source of its tables' frames.
#[derive(Debug)]
struct Frames;

impl Translation<El23Attributes> for Frames {
    fn allocate_table(&mut self) -> (NonNull<PageTable<El23Attributes>>, PhysicalAddress) {
        let pa = POOL.with_borrow_mut(Pool::alloc).expect("there are frames");
        *Memory::get().table(pa) = [0; 512];
        let pa = PhysicalAddress(pa as usize);
        (self.physical_to_virtual(pa), pa)
    }

    unsafe fn deallocate_table(&mut self, page_table: NonNull<PageTable<El23Attributes>>) {
        let pa = page_table.addr().get() as u64 - Memory::get().offset();
        POOL.with_borrow_mut(|pool| pool.free(pa));
    }

    fn physical_to_virtual(&self, pa: PhysicalAddress) -> NonNull<PageTable<El23Attributes>> {
        NonNull::new(Memory::get().at(pa.0 as u64)).expect("memory is not at 0")
    }
}

const FLAGS: El23Attributes = El23Attributes::VALID.union(El23Attributes::ACCESSED);

/// Its tables; `None` once torn down.
pub(crate) struct Aarch64(Option<RootTable<El2, Frames>>);

/// The processor has no upper half in this regime: the lower 48 bits.
fn region(va: u64, size: u64) -> MemoryRegion {
    let start = (va & ((1 << 48) - 1)) as usize;
    MemoryRegion::new(start, start + size as usize)
}

impl Tables for Aarch64 {
    const KIND: Kind = Kind::Aarch64;

    fn new(_memory: Memory) -> Self {
        let mut tables = Self(None);
        tables.reset();
        tables
    }

    fn reset(&mut self) {
        self.0 = None;
        POOL.with_borrow_mut(Pool::reset);
        self.0 = Some(RootTable::new(Frames, 0, El2));
    }

    fn root(&self) -> u64 {
        self.0.as_ref().expect("not torn down").to_physical().0 as u64
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        let constraints = match pages {
            PageSize::Small => Constraints::NO_BLOCK_MAPPINGS,
            PageSize::Large => Constraints::empty(),
        };
        let table = self.0.as_mut().expect("not torn down");
        let pa = PhysicalAddress(pa as usize);
        table.map_range(&region(va, size), pa, FLAGS, constraints).expect("it can be mapped");
    }
}

impl TearDown for Aarch64 {
    fn fill(&mut self, va: u64, pas: &[u64]) {
        self.reset();
        pages(va, pas).for_each(|(va, pa)| self.map(va, pa, PGSIZE, PageSize::Small));
    }

    fn tear_down(&mut self, va: u64, size: u64) {
        let table = self.0.take().expect("not torn down");
        POOL.with_borrow_mut(|pool| {
            let free = &mut |_: &MemoryRegion, entry: &_, level| {
                free_page(pool, entry, level);
                Ok(())
            };
            table.walk_range(&region(va, size), free).expect("the range is the one mapped");
        });
        // Frees all tables, including the root.
        drop(table);
    }

    fn nfree(&self) -> usize {
        // One less, since the other contestants keep their root.
        POOL.with_borrow(Pool::len) - 1
    }
}

type Descriptor = aarch64_paging::descriptor::Descriptor<El23Attributes>;

#[inline]
fn free_page(pool: &mut Pool, entry: &Descriptor, level: usize) {
    if level == aarch64_paging::paging::LEAF_LEVEL && entry.is_valid() {
        pool.free(entry.output_address().0 as u64);
    }
}
