//! The caches of a simulated processor: translations, as in a TLB; the addresses of the tables below the
//! root; and on RISC-V the entries that are not valid, and instructions. All of it stays, however stale,
//! until it is flushed.
//!
//! Sources: Intel SDM vol. 3A, 4.10.2 (TLBs), 4.10.3 (paging-structure caches), 4.10.4
//! (invalidation); RISC-V privileged specification, 12.2.1 (SFENCE.VMA), 12.3.2 (any entry that a walk
//! reads may be kept), and unprivileged specification, 6.1 (FENCE.I).

use std::collections::BTreeMap;

use super::kind::{Kind, Page, Table};

/// The caches of one processor.
#[derive(Debug)]
pub(super) struct Caches {
    kind: Kind,
    /// Translations, by page number.
    pages: BTreeMap<u64, Page>,
    /// Tables, by the [entry](Kind::entry) that leads there.
    tables: BTreeMap<(u32, u64), Table>,
    /// Entries that are not valid, and whether the walk came to their table by a global pointer.
    invalid: BTreeMap<(u32, u64), bool>,
    /// Instructions, 8 bytes each, by physical address.
    instructions: BTreeMap<u64, u64>,
}

impl Caches {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            pages: BTreeMap::new(),
            tables: BTreeMap::new(),
            invalid: BTreeMap::new(),
            instructions: BTreeMap::new(),
        }
    }

    pub(super) fn page(&self, va: u64) -> Option<Page> {
        self.pages.get(&(va >> 12)).copied()
    }

    pub(super) fn keep_page(&mut self, va: u64, page: Page) {
        self.pages.insert(va >> 12, page);
    }

    /// The table of `level` that translates `va`.
    pub(super) fn table(&self, level: u32, va: u64) -> Option<Table> {
        self.tables.get(&self.kind.entry(level + 1, va)).copied()
    }

    pub(super) fn keep_table(&mut self, va: u64, table: Table) {
        self.tables.insert(self.kind.entry(table.level + 1, va), table);
    }

    /// Whether the entry for `va` in a table of any level is known not to be valid.
    pub(super) fn is_invalid(&self, va: u64) -> bool {
        let mut entries = (0..self.kind.levels()).map(|level| self.kind.entry(level, va));
        entries.any(|entry| self.invalid.contains_key(&entry))
    }

    /// Remembers that the entry for `va` in `table` is not valid. No x86 processor does (4.10.2.3,
    /// 4.10.3.1).
    pub(super) fn keep_invalid(&mut self, va: u64, table: Table) {
        self.invalid.insert(self.kind.entry(table.level, va), table.rights.global);
    }

    /// Forgets that entries are not valid. With an address this is the entry of the last level for `va` alone,
    /// since SFENCE.VMA with an address leaves pointers alone; without one, all of them.
    pub(super) fn forget_invalid(&mut self, va: Option<u64>) {
        match va {
            Some(va) => drop(self.invalid.remove(&self.kind.entry(0, va))),
            None => self.invalid.clear(),
        }
    }

    /// Forgets the translation of `va`, and all that is kept of a large page with any address in it
    /// (Intel: 4.10.4.1).
    fn forget_page(&mut self, va: u64) {
        self.pages.retain(|number, page| (number << 12) / page.size != va / page.size);
    }

    /// Executes INVLPG, which forgets all tables, whichever address leads to them (4.10.4.1), or
    /// SFENCE.VMA with an address, which leaves entries that are no leaves.
    pub(super) fn invalidate(&mut self, va: u64) {
        self.forget_page(va);
        self.forget_invalid(Some(va));
        if self.kind.is_x86() {
            self.tables.clear();
        }
    }

    /// Takes note of a page fault at `va`. An x86 processor then forgets what it used for that address, so
    /// that a fault which came from something stale does not come again (4.10.4.1).
    pub(super) fn page_fault(&mut self, va: u64) {
        if self.kind.is_x86() {
            self.forget_page(va);
            let kind = self.kind;
            self.tables.retain(|entry, _| *entry != kind.entry(entry.0, va));
        }
    }

    /// Executes a write to CR3, or to satp and SFENCE.VMA for the address space: both leave what is
    /// global.
    pub(super) fn change_space(&mut self) {
        self.pages.retain(|_, page| page.rights.global);
        self.tables.retain(|_, table| table.rights.global);
        self.invalid.retain(|_, global| *global);
    }

    /// Forgets all that came from page tables, as a write to CR4 that changes PGE does, and SFENCE.VMA
    /// without an address. Instructions stay until FENCE.I.
    pub(super) fn clear(&mut self) {
        self.pages.clear();
        self.tables.clear();
        self.invalid.clear();
    }

    /// The instruction at `pa`, which memory holds as `word`. x86 sees each store at once.
    pub(super) fn instruction(&mut self, pa: u64, word: u64) -> u64 {
        if self.kind.is_x86() { word } else { *self.instructions.entry(pa).or_insert(word) }
    }

    /// Executes FENCE.I.
    pub(super) fn forget_instructions(&mut self) {
        self.instructions.clear();
    }
}
