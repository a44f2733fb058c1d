//! The page tables at UVPT and the array `pages` at UPAGES, both read-only.
//!
//! One entry of the page directory leads to the directory itself. A walk through that entry ends one
//! level early, at a table in place of a page; a walk through it twice ends two levels early. So UVPT
//! shows each table of each level at an address of its own. On RISC-V no entry can lead to its own table,
//! and UVPT shows nothing.

use layout::MemLayout;

use super::memory::memory_use;
use super::with;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::PageInfo;
use crate::paging::format::{Entry, Format, Geometry};
use crate::paging::word::Word;

/// The addresses at which a machine shows its page tables and `pages`, and the decoder of its entries.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    uvpt: u64,
    upages: u64,
    ptsize: u64,
    index_bits: u32,
    levels: u32,
    /// Bytes of an entry.
    entry_size: u64,
    decode: fn(u32, u64) -> Entry,
    is_canonical: fn(VirtAddr) -> bool,
}

impl Tables {
    /// The tables of a machine with the map `L` and the format `F`.
    #[must_use]
    pub const fn of<L: MemLayout, F: Format>() -> Self {
        Self {
            uvpt: L::UVPT,
            upages: L::UPAGES,
            ptsize: L::PTSIZE,
            index_bits: F::INDEX_BITS,
            levels: F::LEVELS,
            entry_size: F::Word::BYTES,
            decode: |level, word| F::decode(level, F::Word::from_u64(word)),
            is_canonical: F::is_canonical,
        }
    }

    /// The address of an entry in UVPT, as the function [`uvpt`] returns it.
    #[must_use]
    pub fn uvpt(&self, level: u32, va: VirtAddr) -> VirtAddr {
        let within = |va: u64| (va >> self.index_bits) & (self.ptsize - 1) & !(self.entry_size - 1);
        let entry = (0..=level).fold(va.as_u64(), |va, _| self.uvpt + within(va));
        VirtAddr::new(entry)
    }

    /// Reads the entry of `level` that UVPT shows at `va`.
    fn load(&self, va: VirtAddr, level: u32) -> Option<Entry> {
        let aligned = VirtAddr::new(va.as_u64() & !7);
        let bytes = with(|platform| platform.read_user(aligned)).ok()?;
        Some((self.decode)(level, self.entry_in(bytes, va)))
    }

    /// The entry at `va`, out of the aligned 8 `bytes` around it. An entry is 8 or 4 bytes long.
    fn entry_in(&self, bytes: u64, va: VirtAddr) -> u64 {
        let shift = va.as_u64() % 8 * 8;
        (bytes >> shift) & (u64::MAX >> (64 - 8 * self.entry_size))
    }
}

/// Returns the address in UVPT of the entry of `level` that maps `va`. Level 0 has the entries of 4 KB
/// pages (JOS's `uvpt`), level 1 the entries above them (its `uvpd`), and so on.
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use layout::{Jos64, MemLayout};
/// use libjos::mem::addr::VirtAddr;
/// use libjos::prelude::tables::uvpt;
///
/// # let run = SimPlatform::new().run(|| {
/// assert_eq!(uvpt(0, VirtAddr::new(0)), VirtAddr::new(Jos64::UVPT));
/// assert_eq!(uvpt(0, VirtAddr::new(0x3000)), VirtAddr::new(Jos64::UVPT + 3 * 8));
/// // This is the address of the directory's entry for itself: a walk to it takes that entry on all four levels.
/// assert_eq!(uvpt(3, VirtAddr::new(Jos64::UVPT)), VirtAddr::new(0xffff_ff7f_bfdf_eff0));
/// # });
/// # assert!(run.code.is_success());
/// ```
#[must_use]
pub fn uvpt(level: u32, va: VirtAddr) -> VirtAddr {
    with(|platform| platform.tables()).uvpt(level, va)
}

/// Reads the entry of `level` that maps `va`. `None` if `va` has no table of that level or is not canonical, or if the
/// machine shows no tables at UVPT (RISC-V).
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use layout::{Jos64, MemLayout};
/// use libjos::mem::addr::VirtAddr;
/// use libjos::paging::format::Entry;
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().run(|| {
/// let stack = VirtAddr::new(Jos64::KSTACKTOP - PGSIZE);
/// assert!(matches!(tables::entry(3, stack), Some(Entry::Table { .. })));
/// assert!(matches!(tables::entry(0, stack), Some(Entry::Leaf(_))));
/// assert_eq!(tables::entry(0, VirtAddr::new(Jos64::UTEMP)), None);
/// assert_eq!(tables::entry(4, stack), None);
/// // The same but for the bits that no table translates.
/// assert_eq!(tables::entry(0, VirtAddr::new(stack.as_u64() & 0xffff_ffff_ffff)), None);
/// # });
/// # assert!(run.code.is_success());
/// ```
#[must_use]
pub fn entry(level: u32, va: VirtAddr) -> Option<Entry> {
    let tables = with(|platform| platform.tables());
    if !(tables.is_canonical)(va) {
        return None;
    }
    let mut found = None;
    for level in (level..tables.levels).rev() {
        // Below the entry of a large page, UVPT shows the page itself as if it were a table.
        if !matches!(found, None | Some(Entry::Table { .. })) {
            return None;
        }
        found = Some(tables.load(tables.uvpt(level, va), level)?);
    }
    found
}

/// Reads the `PageInfo` at `index` in `pages`. `None` beyond the last frame: the rest of the array's
/// last page is zeros, which would say that a frame is free.
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().run(|| {
/// // Page 0 is never allocated.
/// assert!(tables::page_info(0).is_some_and(|info| info.pp_ref() == 1 && !info.is_free()));
/// # });
/// # assert!(run.code.is_success());
/// ```
#[must_use]
pub fn page_info(index: usize) -> Option<PageInfo> {
    if index >= memory_use().total_pages {
        return None;
    }
    let upages = with(|platform| platform.tables()).upages;
    let va = VirtAddr::new(upages) + (index * size_of::<PageInfo>()) as u64;
    let word = with(|platform| platform.read_user(va)).ok()?;
    Some(PageInfo::from_word(word))
}

#[cfg(test)]
mod tests;
