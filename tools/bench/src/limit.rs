//! The physical limit: only the loads and stores that no implementation can leave out.

use layout::{MB, PGSIZE};

use crate::memory::{Memory, NFRAMES, TABLES};
use crate::tables::{PageSize, SinglePages, Tables, TearDown, Translate, pages};

const P: u64 = 0x1;
const W: u64 = 0x2;
const PS: u64 = 0x80;

/// Tables at fixed addresses: the root, then one of each upper level, then those of the last level.
#[derive(Debug)]
pub(crate) struct Limit {
    memory: Memory,
    /// The next free frame and the first link, for tear-down.
    list: Vec<u64>,
    head: u64,
}

const ROOT: u64 = TABLES.start;
const LEVEL_2: u64 = ROOT + PGSIZE;
const LEVEL_1: u64 = LEVEL_2 + PGSIZE;
const LEVEL_0: u64 = LEVEL_1 + PGSIZE;

/// Writes a new upper table: one entry, and zeros around it.
fn fill_upper(memory: Memory, table: u64, index: u64, entry: u64) {
    let table = memory.table(table);
    *table = [0; 512];
    table[index as usize] = entry;
}

/// Writes a run of entries, and zeros around it.
fn fill_run(memory: Memory, table: u64, start: u64, first: u64, step: u64, count: u64) {
    let table = memory.table(table);
    let (start, end) = (start as usize, (start + count) as usize);
    table[..start].fill(0);
    // By addition, like libjos: a multiplication would take longer than the stores.
    let mut next = first;
    for entry in &mut table[start..end] {
        *entry = next;
        next = next.wrapping_add(step);
    }
    table[end..].fill(0);
}

impl Tables for Limit {
    fn new(memory: Memory) -> Self {
        let mut limit = Self { memory, list: vec![0; 2 * NFRAMES as usize], head: 0 };
        limit.reset();
        limit
    }

    fn reset(&mut self) {
        *self.memory.table(ROOT) = [0; 512];
    }

    fn root(&self) -> u64 {
        ROOT
    }

    /// Writes every entry of every new table, and one in the root. `va` is aligned to 1 GB.
    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        let memory = self.memory;
        let tables = size / (2 * MB);
        let start = (va >> 21) & 511;
        match pages {
            PageSize::Small => {
                for i in 0..tables {
                    let first = (pa + i * 2 * MB) | W | P;
                    fill_run(memory, LEVEL_0 + i * PGSIZE, 0, first, PGSIZE, 512);
                }
                fill_run(memory, LEVEL_1, start, LEVEL_0 | W | P, PGSIZE, tables);
            }
            PageSize::Large => fill_run(memory, LEVEL_1, start, pa | PS | W | P, 2 * MB, tables),
        }
        fill_upper(memory, LEVEL_2, (va >> 30) & 511, LEVEL_1 | W | P);
        memory.table(ROOT)[(va >> 39) as usize & 511] = LEVEL_2 | W | P;
    }
}

impl Limit {
    /// The last level's entry for `va`.
    #[inline]
    fn entry(&self, va: u64) -> *mut u64 {
        self.memory.at(LEVEL_0 + ((va >> 12) & 0xFFFF) * 8)
    }
}

impl SinglePages for Limit {
    /// Makes all tables, so that mapping only writes entries.
    fn keep_frames(&mut self) {
        self.map(
            crate::tables::USER_VA,
            crate::memory::FRAMES.start,
            NFRAMES * PGSIZE,
            PageSize::Small,
        );
    }

    fn map_page(&mut self, va: u64, pa: u64) {
        // SAFETY: the entry lies in memory; the store is volatile, since a processor would have to see it.
        unsafe { self.entry(va).write_volatile(pa | W | P) };
    }

    fn unmap_page(&mut self, va: u64) {
        // SAFETY: as above.
        unsafe { self.entry(va).write_volatile(0) };
    }
}

impl Translate for Limit {
    /// Four loads, each of which depends on the one before.
    fn translate(&self, va: u64) -> u64 {
        let mut table = ROOT;
        for shift in [39, 30, 21, 12] {
            let at = self.memory.at::<u64>(table + ((va >> shift) & 511) * 8);
            // SAFETY: the tables that `map` made lead from one to the next, all in memory.
            table = unsafe { at.read() } & 0x000F_FFFF_FFFF_F000;
        }
        table + (va & (PGSIZE - 1))
    }
}

impl TearDown for Limit {
    fn fill(&mut self, va: u64, pas: &[u64]) {
        self.keep_frames();
        pages(va, pas).for_each(|(va, pa)| self.map_page(va, pa));
        self.head = 0;
    }

    /// Each entry of the last level is read, and each frame's link is written.
    fn tear_down(&mut self, va: u64, size: u64) {
        for table in 0..size / (2 * MB) {
            for entry in self.memory.table(LEVEL_0 + table * PGSIZE) {
                let frame = *entry >> 12;
                self.list[frame as usize] = self.head;
                self.head = frame;
            }
        }
        self.memory.table(ROOT)[(va >> 39) as usize & 511] = 0;
    }

    fn nfree(&self) -> usize {
        // There is no list: all of TABLES but the root, and all of FRAMES.
        ((TABLES.end - TABLES.start) / PGSIZE - 1 + NFRAMES) as usize
    }
}
