//! The rarer cases of `check_page`: dirty memory, large pages, counts at their ends, bad addresses.

use layout::{MemLayout, PGSIZE};

use super::{PAGES, VA0, VA1};
use crate::check::Checks;
use crate::check::answer::Answer;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{Frame, PageAllocator, PageInfo};
use crate::paging::error::MapError;
use crate::paging::format::{Geometry, Perm};
use crate::paging::pgdir::WordOf;
use crate::paging::range::PageSizes;
use crate::paging::word::Word;

impl<M: Machine> Checks<'_, M> {
    /// Makes tables of dirty pages, which must map nothing.
    pub(super) fn check_dirty_tables(&mut self, tables: &[Frame]) {
        // Allocated first: with poison nobody may write to a free page, these checks included.
        for _ in tables {
            self.alloc_for_check();
        }
        for &table in tables {
            let ones = WordOf::<M>::from_u64(u64::MAX >> (64 - 8 * WordOf::<M>::BYTES));
            let zero = WordOf::<M>::ZERO;
            self.vm.machine().store_run(
                self.vm.pages().page2pa(table),
                ones,
                zero,
                M::Format::ENTRIES,
            );
            self.vm.pages_mut().page_free(table);
        }
        let walked =
            self.vm.pgdir_walk(self.kern_pgdir, VA0, true).map(|pte| pte.map(|pte| pte.pa));
        let Ok(Some(entry)) = walked else {
            panic!("check_page: pgdir_walk with memory gives: {}", walked.words());
        };
        self.expect_walk(VA0, false, walked);
        let last = layout::page_round_down(entry.as_u64());
        for &table in tables {
            let pa = self.vm.pages().page2pa(table);
            let present = (0..M::Format::ENTRIES as u64)
                .map(|i| self.vm.machine().load::<WordOf<M>>(pa + i * WordOf::<M>::BYTES))
                .filter(|word| *word != WordOf::<M>::ZERO)
                .count();
            let expected = usize::from(pa.as_u64() != last);
            assert!(
                present == expected,
                "check_page: the new table {pa} has {present} entries in place of {expected}"
            );
        }
        self.vm.prune(self.kern_pgdir, VA0);
    }

    /// Meets a large page by all operations on single pages: an error names it, and it stays.
    pub(super) fn check_large_page(&mut self, [pp, ..]: [Frame; PAGES]) {
        if self.vm.machine().leaf_levels() & 0b10 == 0 {
            return;
        }
        let size = M::Format::page_size(1);
        // Its frames lie behind the last that `pages` describes, so they are not counted.
        let start = VirtAddr::new(size);
        let described = self.vm.pages().npages() as u64 * PGSIZE;
        let pa = PhysAddr::new(M::Layout::PHYS_BASE + described.next_multiple_of(size));
        let mapped =
            self.vm.map_range(self.kern_pgdir, start, size, pa, Perm::KRW, PageSizes::Largest);
        assert!(mapped == Ok(()), "check_page: a page of {size:#x} bytes: {}", mapped.words());

        let va = start + PGSIZE;
        let is_large = MapError::large_page(va, size);
        self.expect_insert(pp, va, Perm::KRW, Err(is_large));
        self.expect_ref(pp, 0, "after page_insert into a large page");
        self.expect_walk(va, true, Err(is_large));
        self.expect_remove(va, Err(is_large));
        self.expect_lookup(va, None, None);
        let found = self.vm.va2pa(self.kern_pgdir, va);
        assert!(
            found == Some(pa + PGSIZE),
            "check_page: {va} in a large page leads to {}, not {}",
            found.words(),
            pa + PGSIZE
        );

        let entry = self.vm.walk(self.kern_pgdir.address(), va).at;
        self.vm.machine().store(entry, WordOf::<M>::ZERO);
        self.vm.tlb_invalidate(self.kern_pgdir, start);
        self.vm.prune(self.kern_pgdir, va);
    }

    /// Counts: an overflow is an error; above UTOP nothing is counted; a free page is not mapped. Returns the
    /// table there that was empty before, if there was one: directories share such tables.
    pub(super) fn check_counts(&mut self, pp: Frame) -> Option<Frame> {
        let pa = self.vm.pages().page2pa(pp);
        self.vm.pages_mut().set_info(pp, PageInfo::in_use(u32::MAX));
        let overflow = Err(MapError::Overflow { pa });
        self.expect_insert(pp, VA1, Perm::KRW, overflow);
        self.expect_free(Self::NTABLES, "after page_insert that would overflow pp_ref");
        self.vm.pages_mut().set_info(pp, PageInfo::in_use(0));

        // The devices' last page: their mappings begin at MMIOBASE.
        let above = VirtAddr::new(M::Layout::MMIOLIM - PGSIZE);
        let before = self.vm.pages().nfree();
        self.expect_insert(pp, above, Perm::KRW | Perm::G, Ok(()));
        self.expect_mapped(above, Some(pp), Perm::KRW | Perm::G);
        // Here the index is not 0 at each level.
        self.check_walk(above, pp);
        self.expect_ref(pp, 0, "mapped above UTOP");
        self.expect_remove(above, Ok(()));
        let info = self.vm.pages().info(pp);
        let kept = PageInfo::in_use(0);
        assert!(info == kept, "check_page: unmapped above UTOP, {pp} is {info}");
        self.vm.prune(self.kern_pgdir, above);
        let emptied = (self.vm.pages().nfree() > before).then(|| self.alloc_for_check());
        self.expect_free(before, "when nothing is mapped there any more");

        self.vm.pages_mut().page_free(pp);
        let free = Err(MapError::FreePage { pa });
        self.expect_insert(pp, VA1, Perm::KRW, free);
        self.expect_next(pp, "the page that was not mapped");
        emptied
    }

    /// Tries addresses that the machine does not have: they are refused.
    pub(super) fn check_bad_addresses(&mut self, pp: Frame) {
        if M::Layout::LOWER_END == M::Layout::UPPER_START {
            return;
        }
        for va in [M::Layout::LOWER_END, M::Layout::UPPER_START - PGSIZE] {
            let va = VirtAddr::new(va);
            let expected = Err(MapError::NonCanonical { va });
            self.expect_insert(pp, va, Perm::KRW, expected);
            self.expect_remove(va, expected);
        }
        self.expect_ref(pp, 0, "after page_insert at a bad address");
    }
}
