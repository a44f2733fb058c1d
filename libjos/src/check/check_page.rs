//! `check_page`: the proof of `pgdir_walk`, `page_insert`, `page_lookup` and `page_remove`.
//!
//! It takes all free pages away and frees a few one by one, so that it knows which page each call
//! takes, and sees what happens when there is none. It works below UTOP, where `kern_pgdir` is empty,
//! and leaves it empty.

use layout::{MemLayout, PGSIZE};

use crate::check::Checks;
use crate::check::answer::Answer;
use crate::check::check_kern_pgdir::Translation;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, Frame, PageAllocator, PageInfo};
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::pgdir::WordOf;
use crate::paging::range::PageSizes;
use crate::paging::word::Word;

/// Pages that the check maps, beside those that become tables.
const PAGES: usize = 3;

/// Where the check maps pages: two neighbours in one table, and the start of the second entry of
/// the page directory.
const VA0: VirtAddr = VirtAddr::new(0);
const VA1: VirtAddr = VirtAddr::new(PGSIZE);

impl<M: Machine> Checks<'_, M> {
    /// Tables between the page directory and a page.
    const NTABLES: usize = M::Format::ROOT as usize;

    /// Proves that pages are mapped, counted and unmapped as they must be, on every path of
    /// `page_insert` and `page_remove`, and that a call that fails leaves nothing behind. Needs a few
    /// free pages.
    ///
    /// # Panics
    ///
    /// If that does not hold, with the values that differ.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn check_page(&mut self) {
        if !self.has_pages_for("check_page", PAGES + Self::NTABLES) {
            return;
        }
        let nfree = self.vm.pages().nfree();
        let mut pps = [Frame::new(0); PAGES];
        let mut tables = [Frame::new(0); 8];
        let tables = &mut tables[..Self::NTABLES];
        for frame in pps.iter_mut().chain(tables.iter_mut()) {
            *frame = self.alloc_for_check();
        }
        let rest = self.vm.pages_mut().set_aside_free_list();

        self.check_insert_without_memory(pps[0], tables);
        self.check_insert_and_remove(pps, tables);
        self.check_permissions(pps[0]);
        self.check_dirty_tables(tables);
        self.check_large_page(pps);
        let emptied = self.check_counts(pps[0]);
        self.check_bad_addresses(pps[0]);

        self.expect_free(Self::NTABLES, "at the end");
        while self.vm.page_alloc(AllocFlags::empty()).is_some() {}
        self.vm.pages_mut().give_back(rest);
        for &frame in pps.iter().chain(tables.iter()).chain(&emptied) {
            self.vm.pages_mut().page_free(frame);
        }
        let nfree = nfree + usize::from(emptied.is_some());
        self.expect_free(nfree, "when all was given back");
        self.vm.machine_mut().print(format_args!("check_page() succeeded!\n"));
    }

    /// With too few pages for the tables, at every level, maps nothing and loses nothing. Leaves the
    /// pages of `tables` free.
    fn check_insert_without_memory(&mut self, pp: Frame, tables: &[Frame]) {
        let no_memory = Err(MapError::NoMemory { va: VA0 });
        for (have, &table) in tables.iter().enumerate() {
            self.expect_insert(pp, VA0, Perm::KRW, no_memory);
            self.expect_free(have, "after page_insert without memory");
            self.expect_ref(pp, 0, "after page_insert without memory");
            let walked = self.vm.pgdir_walk(self.kern_pgdir, VA0, true).map(|_| ());
            assert!(
                walked == no_memory,
                "check_page: pgdir_walk without memory gave: {}",
                walked.words()
            );
            self.expect_free(have, "after pgdir_walk without memory");
            let entry = self.vm.machine().load::<WordOf<M>>(self.kern_pgdir.address());
            assert!(
                entry == WordOf::<M>::ZERO,
                "check_page: page_insert without memory left {entry:#x} in kern_pgdir"
            );
            self.vm.pages_mut().page_free(table);
        }
    }

    /// Goes through JOS's sequence: insert, insert again, replace, two mappings of one page, remove.
    fn check_insert_and_remove(&mut self, [pp0, pp1, pp2]: [Frame; 3], tables: &[Frame]) {
        let none = self.vm.page_lookup(self.kern_pgdir, VA0).map(|(frame, _)| frame);
        assert!(
            none.is_none(),
            "check_page: page_lookup finds {} where nothing is mapped",
            none.words()
        );
        let none = self.entry_address(VA0, false);
        assert!(
            none == Ok(None),
            "check_page: pgdir_walk gives {} where there is no table",
            none.words()
        );

        // The tables take all that is free; each is used once.
        self.expect_insert(pp1, VA0, Perm::KRW, Ok(()));
        self.expect_mapped(VA0, Some(pp1), Perm::KRW);
        self.expect_free(0, "after page_insert made the tables");
        for &table in tables {
            self.expect_ref(table, 1, "as a page table");
        }
        self.expect_ref(pp1, 1, "after page_insert");

        // A neighbour needs no table; inserted twice, it counts once.
        for _ in 0..2 {
            self.expect_insert(pp2, VA1, Perm::KRW, Ok(()));
            self.expect_mapped(VA1, Some(pp2), Perm::KRW);
            self.expect_ref(pp2, 1, "after page_insert of the same page");
        }
        self.expect_free(0, "after page_insert of the same page");
        self.check_walk(VA1, pp2);

        // A page of another table does not fit.
        let far = VirtAddr::new(M::Layout::PTSIZE);
        self.expect_insert(pp0, far, Perm::KRW, Err(MapError::NoMemory { va: far }));
        self.expect_ref(pp0, 0, "after page_insert without memory");

        // Replaced: one page has two mappings, the other none and is free.
        self.expect_insert(pp1, VA1, Perm::KRW, Ok(()));
        self.expect_mapped(VA0, Some(pp1), Perm::KRW);
        self.expect_mapped(VA1, Some(pp1), Perm::KRW);
        self.expect_ref(pp1, 2, "with two mappings");
        self.expect_ref(pp2, 0, "when replaced");
        self.expect_next(pp2, "the page that was replaced");

        self.expect_remove(VA0, Ok(()));
        self.expect_mapped(VA0, None, Perm::KRW);
        self.expect_mapped(VA1, Some(pp1), Perm::KRW);
        self.expect_ref(pp1, 1, "with one mapping removed");
        self.expect_free(0, "with one mapping left");
        self.expect_remove(VA1, Ok(()));
        self.expect_mapped(VA1, None, Perm::KRW);
        self.expect_ref(pp1, 0, "with no mapping left");
        self.expect_next(pp1, "the page that was removed");
        self.expect_remove(VA1, Ok(()));

        self.vm.prune(self.kern_pgdir, VA0);
        self.expect_free(tables.len(), "after the empty tables were freed");
    }

    /// `pgdir_walk` and `page_lookup` lead to the entry of `va` in the last table, and to `pp`.
    fn check_walk(&mut self, va: VirtAddr, pp: Frame) {
        let mut table = self.kern_pgdir.address();
        for level in (1..M::Format::LEVELS).rev() {
            let index = va.as_u64() / M::Format::page_size(level) % M::Format::ENTRIES as u64;
            let at = table + index * WordOf::<M>::BYTES;
            let entry = self.vm.machine().load(at);
            match M::Format::decode(level, entry) {
                Entry::Table { pa, .. } => table = pa,
                _ => panic!(
                    "check_page: {va} is mapped, but {entry:#x} of level {level} is no table"
                ),
            }
        }
        let index = va.as_u64() / PGSIZE % M::Format::ENTRIES as u64;
        let at = table + index * WordOf::<M>::BYTES;
        let walked = self.entry_address(va, false);
        assert!(
            walked == Ok(Some(at)),
            "check_page: the entry of {va} is at {at}, pgdir_walk gives {}",
            walked.words()
        );
        let found = self.vm.page_lookup(self.kern_pgdir, va);
        let (frame, entry) = (found.map(|(frame, _)| frame), found.map(|(_, pte)| pte.pa));
        assert!(
            frame == Some(pp) && entry == Some(at),
            "check_page: {va} is mapped to {pp} at {at}, page_lookup gives {} at {}",
            frame.words(),
            entry.words()
        );
    }

    /// Reads back the permissions that it asked for, whatever was there before.
    fn check_permissions(&mut self, pp: Frame) {
        let (kx, ux) = (Perm::KRX, Perm::UR | Perm::X);
        for perm in [Perm::KR, Perm::URW, Perm::KRW, ux, Perm::UR, kx] {
            self.expect_insert(pp, VA1, perm, Ok(()));
            self.expect_mapped(VA1, Some(pp), perm);
            self.expect_ref(pp, 1, "after its permissions changed");
        }
        // Below UTOP nothing is global.
        self.expect_insert(pp, VA1, Perm::KRW | Perm::G, Err(MapError::Global { va: VA1 }));
        self.expect_mapped(VA1, Some(pp), kx);
        self.remove_and_keep(pp, VA1);
        self.vm.prune(self.kern_pgdir, VA1);
    }

    /// Makes tables of dirty pages, which must map nothing.
    fn check_dirty_tables(&mut self, tables: &[Frame]) {
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
        let walked = self.entry_address(VA0, true);
        assert!(
            matches!(walked, Ok(Some(_))),
            "check_page: pgdir_walk with memory gives {}",
            walked.words()
        );
        for &table in tables {
            let pa = self.vm.pages().page2pa(table);
            let present = (0..M::Format::ENTRIES as u64)
                .map(|i| self.vm.machine().load::<WordOf<M>>(pa + i * WordOf::<M>::BYTES))
                .filter(|word| *word != WordOf::<M>::ZERO)
                .count();
            let expected = usize::from(pa.as_u64() != self.last_table(VA0));
            assert!(
                present == expected,
                "check_page: the new table {pa} has {present} entries in place of {expected}"
            );
        }
        self.vm.prune(self.kern_pgdir, VA0);
    }

    /// The address of the last level's table for `va`.
    fn last_table(&mut self, va: VirtAddr) -> u64 {
        match self.entry_address(va, false) {
            Ok(Some(pa)) => layout::page_round_down(pa.as_u64()),
            other => panic!("check_page: the table for {va} is gone: {}", other.words()),
        }
    }

    /// The address of the last level's entry for `va`, by `pgdir_walk`.
    fn entry_address(&mut self, va: VirtAddr, create: bool) -> Result<Option<PhysAddr>, MapError> {
        self.vm.pgdir_walk(self.kern_pgdir, va, create).map(|pte| pte.map(|pte| pte.pa))
    }

    /// Meets a large page by all operations on single pages: an error names it, and it stays.
    fn check_large_page(&mut self, [pp, ..]: [Frame; PAGES]) {
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
        let expected = Err(MapError::large_page(va, size));
        self.expect_insert(pp, va, Perm::KRW, expected);
        self.expect_ref(pp, 0, "after page_insert into a large page");
        let walked = self.vm.pgdir_walk(self.kern_pgdir, va, true).map(|_| ());
        assert!(
            walked == expected,
            "check_page: pgdir_walk into a large page gives: {}",
            walked.words()
        );
        self.expect_remove(va, expected);
        let found = self.vm.page_lookup(self.kern_pgdir, va).map(|(frame, _)| frame);
        assert!(found.is_none(), "check_page: page_lookup in a large page gives {}", found.words());
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
    fn check_counts(&mut self, pp: Frame) -> Option<Frame> {
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
    fn check_bad_addresses(&mut self, pp: Frame) {
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

    fn alloc_for_check(&mut self) -> Frame {
        match self.vm.page_alloc(AllocFlags::empty()) {
            Some(frame) => frame,
            None => panic!("check_page: out of memory"),
        }
    }

    /// Unmaps `va`, but keeps its page allocated.
    fn remove_and_keep(&mut self, pp: Frame, va: VirtAddr) {
        self.expect_remove(va, Ok(()));
        self.expect_next(pp, "the page that was removed");
    }

    fn expect_insert(
        &mut self,
        pp: Frame,
        va: VirtAddr,
        perm: Perm,
        expected: Result<(), MapError>,
    ) {
        let inserted = self.vm.page_insert(self.kern_pgdir, pp, va, perm);
        assert!(
            inserted == expected,
            "check_page: page_insert at {va} gives: {}; it must give: {}",
            inserted.words(),
            expected.words()
        );
    }

    fn expect_remove(&mut self, va: VirtAddr, expected: Result<(), MapError>) {
        let removed = self.vm.page_remove(self.kern_pgdir, va);
        assert!(
            removed == expected,
            "check_page: page_remove of {va} gives: {}; it must give: {}",
            removed.words(),
            expected.words()
        );
    }

    fn expect_mapped(&self, va: VirtAddr, pp: Option<Frame>, perm: Perm) {
        let expected = pp.map(|pp| Translation {
            pa: self.vm.pages().page2pa(pp),
            perm: M::Format::effective(perm),
        });
        let to = self.check_va2pa(va.as_u64()).to;
        assert!(
            to == expected,
            "check_page: {va} must lead to {}, not {}",
            expected.words(),
            to.words()
        );
    }

    fn expect_ref(&self, pp: Frame, expected: u32, when: &str) {
        let pp_ref = self.vm.pages().pp_ref(pp);
        let pa = self.vm.pages().page2pa(pp);
        assert!(
            pp_ref == expected,
            "check_page: pp_ref of page {pa} {when} must be {expected}, is {pp_ref}"
        );
    }

    fn expect_free(&self, expected: usize, when: &str) {
        let nfree = self.vm.pages().nfree();
        assert!(nfree == expected, "check_page: {expected} pages must be free {when}, not {nfree}");
    }

    /// The next page to be allocated is `pp`, because it was just freed.
    fn expect_next(&mut self, pp: Frame, what: &str) {
        let next = self.vm.page_alloc(AllocFlags::empty());
        assert!(next == Some(pp), "check_page: {what}, {pp}, must be free; got {}", next.words());
    }
}
