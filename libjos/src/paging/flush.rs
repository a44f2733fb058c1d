//! [`Flush`]: the translations that a change has made stale, gathered and then flushed.
//!
//! An operation that changes a present entry flushes before it returns. Unmapping gives an
//! [`Unmapping`](crate::paging::unmapping::Unmapping), which flushes before it ends the pages' uses.

use layout::PGSIZE;

use crate::machine::{CpuSet, Machine};
use crate::mem::addr::VirtAddr;

/// The most pages that are flushed one by one; beyond that the whole TLB is cheaper.
pub(crate) const FLUSH_ALL_ABOVE: usize = 32;

/// The translations that a change has made stale.
#[must_use = "the processor may still use the old translations"]
#[derive(Debug)]
pub(crate) struct Flush {
    /// The first pages, one for each leaf.
    pages: [VirtAddr; FLUSH_ALL_ABOVE],
    /// How many there are; more than `pages` holds means all.
    count: usize,
    /// The processors that may hold them.
    cpus: CpuSet,
}

impl Flush {
    /// No translations yet. `cpus` are the processors that may be using the tables that change.
    pub(crate) fn new(cpus: CpuSet) -> Self {
        Self { pages: [VirtAddr::new(0); FLUSH_ALL_ABOVE], count: 0, cpus }
    }

    /// Adds the page that `va` lies in.
    pub(crate) fn add(&mut self, va: VirtAddr) {
        if let Some(slot) = self.pages.get_mut(self.count) {
            *slot = va;
        }
        self.count += 1;
    }

    /// Adds the leaf of `level` at `va`. A large leaf forces a full flush: UVPT shows its first 4 KB a
    /// second time, in place of a table, and flushing `va` does not reach that alias.
    pub(crate) fn add_leaf(&mut self, level: u32, va: VirtAddr) {
        if level == 0 { self.add(va) } else { self.add_all() }
    }

    /// Adds all translations.
    pub(crate) fn add_all(&mut self) {
        self.count += FLUSH_ALL_ABOVE + 1;
    }

    /// Adds the `count` pages from `va` on, each by a leaf of the smallest size.
    pub(crate) fn add_pages(&mut self, va: VirtAddr, count: usize) {
        let listed = count.min(self.pages.len().saturating_sub(self.count));
        for i in 0..listed as u64 {
            self.add(va + i * PGSIZE);
        }
        self.count += count - listed;
    }

    /// Makes the processors forget the translations. None is left to flush then.
    pub(crate) fn flush<M: Machine>(&mut self, machine: &mut M) {
        let count = core::mem::take(&mut self.count);
        let cpus = self.cpus;
        match self.pages.get(..count) {
            Some(pages) => pages.iter().for_each(|va| machine.invlpg(cpus, *va)),
            None => machine.flush_tlb(cpus),
        }
    }
}
