//! Reads of memory that may be damaged: physical words, only where RAM is, and walks of page tables.
//! Takes no lock, so that the report of a panic can use it too.

use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::kaddr::kaddr;
use libjos::paging::word::Word;
use monitor::explain::{self, WalkTrace};

use crate::arch::{EntryWord, Format, Layout, probe};
use crate::boot_info;

/// The entry at `pa`; `None` if `pa` is not aligned or not in RAM that a window shows.
#[must_use]
fn load(pa: PhysAddr) -> Option<EntryWord> {
    if !boot_info::is_ram(pa) || !pa.is_aligned(EntryWord::BYTES) {
        return None;
    }
    let word = probe::load_word(kaddr::<Layout>(pa, EntryWord::BYTES)?.as_u64()).ok()?;
    Some(EntryWord::from_u64(word as u64))
}

/// The walk of `va` from the page directory at `pgdir`.
#[must_use]
pub(crate) fn walk(pgdir: PhysAddr, va: VirtAddr) -> WalkTrace<Format> {
    explain::trace(pgdir, va, load)
}

#[cfg(test)]
mod tests;
