//! What a simulated processor keeps of page tables: whole translations, as in a TLB, and of the
//! levels above the last where the tables are. It stays, however stale, until it is flushed.
//!
//! Source: Intel SDM vol. 3A, 4.10.2 (TLBs), 4.10.3 (paging-structure caches), 4.10.4
//! (invalidation); RISC-V privileged specification, 12.2.1 (SFENCE.VMA).

use std::collections::HashMap;

use super::mmu::{Page, Processor, Table};

/// Both kinds, of one processor.
#[derive(Debug)]
pub(super) struct Caches {
    processor: Processor,
    /// By page number.
    pages: HashMap<u64, Page>,
    /// By level, and the bits of an address that lead to the table.
    tables: HashMap<(u32, u64), Table>,
}

impl Caches {
    pub(super) fn new(processor: Processor) -> Self {
        Self { processor, pages: HashMap::new(), tables: HashMap::new() }
    }

    /// Tables are known by the part of the address that comes before what they translate.
    fn key(processor: Processor, level: u32, va: u64) -> (u32, u64) {
        (level, va >> processor.shift(level + 1))
    }

    pub(super) fn page(&self, va: u64) -> Option<Page> {
        self.pages.get(&(va >> 12)).copied()
    }

    pub(super) fn keep_page(&mut self, va: u64, page: Page) {
        self.pages.insert(va >> 12, page);
    }

    /// The table of `level` that translates `va`.
    pub(super) fn table(&self, level: u32, va: u64) -> Option<Table> {
        self.tables.get(&Self::key(self.processor, level, va)).copied()
    }

    pub(super) fn keep_table(&mut self, va: u64, table: Table) {
        self.tables.insert(Self::key(self.processor, table.level, va), table);
    }

    /// Forgets the translation of `va`, and all that is kept of a large page with any address in it
    /// (Intel: 4.10.4.1).
    fn forget_page(&mut self, va: u64) {
        self.pages.retain(|number, page| (number << 12) / page.size != va / page.size);
    }

    /// What INVLPG does: all tables are forgotten, whichever address leads to them (4.10.4.1). And
    /// what SFENCE.VMA with an address does: entries that are no leaves stay.
    pub(super) fn invalidate(&mut self, va: u64) {
        self.forget_page(va);
        if self.processor.is_x86() {
            self.tables.clear();
        }
    }

    /// What a page fault does on x86: what was used for that address is forgotten, so that the
    /// fault does not come again if it came from what was stale (4.10.4.1).
    pub(super) fn page_fault(&mut self, va: u64) {
        if self.processor.is_x86() {
            self.forget_page(va);
            let processor = self.processor;
            self.tables.retain(|key, _| *key != Self::key(processor, key.0, va));
        }
    }

    /// What a write to CR3 does, and to satp with SFENCE.VMA for the address space: what is global
    /// stays.
    pub(super) fn change_space(&mut self) {
        self.pages.retain(|_, page| page.rights.global);
        self.tables.retain(|_, table| table.rights.global);
    }

    /// Forgets everything: a write to CR4 that changes PGE, and SFENCE.VMA without an address.
    pub(super) fn clear(&mut self) {
        self.pages.clear();
        self.tables.clear();
    }
}
