//! `check_page`: the proof of `pgdir_walk`, `page_insert`, `page_lookup` and `page_remove`.
//!
//! It takes all free pages away and frees a few one by one, so that it knows which page each call
//! takes, and sees what happens when there is none. It works below UTOP, where `kern_pgdir` is empty,
//! and leaves it empty.

mod corners;

use layout::{MemLayout, PGSIZE};

use crate::check::Checks;
use crate::check::answer::Answer;
use crate::check::check_kern_pgdir::Translation;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, Frame, PageAllocator};
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::pgdir::WordOf;
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
        let no_memory = MapError::NoMemory { va: VA0 };
        for (have, &table) in tables.iter().enumerate() {
            self.expect_insert(pp, VA0, Perm::KRW, Err(no_memory));
            self.expect_free(have, "after page_insert without memory");
            self.expect_ref(pp, 0, "after page_insert without memory");
            self.expect_walk(VA0, true, Err(no_memory));
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
        self.expect_lookup(VA0, None, None);
        self.expect_walk(VA0, false, Ok(None));

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
        let at = |level, table: PhysAddr| {
            let index = va.as_u64() / M::Format::page_size(level) % M::Format::ENTRIES as u64;
            table + index * WordOf::<M>::BYTES
        };
        let mut table = self.kern_pgdir.address();
        for level in (1..M::Format::LEVELS).rev() {
            let entry = self.vm.machine().load(at(level, table));
            match M::Format::decode(level, entry) {
                Entry::Table { pa, .. } => table = pa,
                _ => panic!(
                    "check_page: {va} is mapped, but {entry:#x} of level {level} is no table"
                ),
            }
        }
        let at = at(0, table);
        self.expect_walk(va, false, Ok(Some(at)));
        self.expect_lookup(va, Some(pp), Some(at));
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

    fn alloc_for_check(&mut self) -> Frame {
        self.vm.page_alloc(AllocFlags::empty()).expect("check_page: out of memory")
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

    /// `expected` is the address of the entry.
    fn expect_walk(
        &mut self,
        va: VirtAddr,
        create: bool,
        expected: Result<Option<PhysAddr>, MapError>,
    ) {
        let walked =
            self.vm.pgdir_walk(self.kern_pgdir, va, create).map(|pte| pte.map(|pte| pte.pa));
        assert!(
            walked == expected,
            "check_page: pgdir_walk of {va} gives: {}; it must give: {}",
            walked.words(),
            expected.words()
        );
    }

    /// `va` is mapped to `pp`, by the entry at `at`; or to nothing, by none.
    fn expect_lookup(&self, va: VirtAddr, pp: Option<Frame>, at: Option<PhysAddr>) {
        let found = self.vm.page_lookup(self.kern_pgdir, va);
        let (page, entry) = (found.map(|(page, _)| page), found.map(|(_, pte)| pte.pa));
        assert!(
            page == pp && entry == at,
            "check_page: page_lookup of {va} gives {} by the entry at {}, not {} by the one at {}",
            page.words(),
            entry.words(),
            pp.words(),
            at.words()
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

#[cfg(all(test, not(miri)))]
mod tests;
