//! The page tables and the array `pages`, as an application sees them: read-only at UVPT and
//! UPAGES.
//!
//! UVPT works because the page directory is entered in itself: a walk that goes through that entry
//! once ends a level higher, at a table in place of a page; one that goes through it twice ends two
//! levels higher. So each table of each level has its own place there.

use layout::MemLayout;

use super::memory::memory_use;
use super::with;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::PageInfo;
use crate::paging::format::{Entry, Format};
use crate::paging::word::Word;

/// Where a machine shows its page tables and `pages`, and how an entry is read.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    uvpt: u64,
    upages: u64,
    ptsize: u64,
    index_bits: u32,
    levels: u32,
    /// Bytes of an entry.
    entry: u64,
    decode: fn(u32, u64) -> Entry,
}

impl Tables {
    /// Those of a machine with the map `L` and the format `F`.
    #[must_use]
    pub const fn of<L: MemLayout, F: Format>() -> Self {
        Self {
            uvpt: L::UVPT,
            upages: L::UPAGES,
            ptsize: L::PTSIZE,
            index_bits: F::INDEX_BITS,
            levels: F::LEVELS,
            entry: F::Word::BYTES,
            decode: |level, word| F::decode(level, F::Word::from_u64(word)),
        }
    }

    /// As [`uvpt`].
    #[must_use]
    pub fn uvpt(&self, level: u32, va: VirtAddr) -> VirtAddr {
        let within = |va: u64| (va >> self.index_bits) & (self.ptsize - 1) & !(self.entry - 1);
        let entry = (0..=level).fold(va.as_u64(), |va, _| self.uvpt + within(va));
        VirtAddr::new(entry)
    }

    /// What the entry of `level` at `va` says.
    fn load(&self, va: VirtAddr, level: u32) -> Option<Entry> {
        let aligned = VirtAddr::new(va.as_u64() & !7);
        let bytes = with(|platform| platform.read_user(aligned)).ok()?;
        Some((self.decode)(level, self.entry_in(bytes, va)))
    }

    /// The entry at `va`, which is all of the 8 bytes that lie there, or half of them.
    fn entry_in(&self, bytes: u64, va: VirtAddr) -> u64 {
        let shift = va.as_u64() % 8 * 8;
        (bytes >> shift) & (u64::MAX >> (64 - 8 * self.entry))
    }
}

/// Where UVPT shows the entry of `level` that maps `va`. Level 0 has the entries of 4 KB pages
/// (JOS's `uvpt`), level 1 those above (its `uvpd`), and so on.
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
/// // The directory's entry for UVPT lies where all four levels go through it.
/// assert_eq!(uvpt(3, VirtAddr::new(Jos64::UVPT)), VirtAddr::new(0xffff_ff7f_bfdf_eff0));
/// # });
/// # assert!(run.code.is_success());
/// ```
#[must_use]
pub fn uvpt(level: u32, va: VirtAddr) -> VirtAddr {
    with(|platform| platform.tables()).uvpt(level, va)
}

/// The entry of `level` that maps `va`; `None` where there is no table that could have it.
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
/// # });
/// # assert!(run.code.is_success());
/// ```
#[must_use]
pub fn entry(level: u32, va: VirtAddr) -> Option<Entry> {
    let tables = with(|platform| platform.tables());
    // Reading below a large page's entry would read the page as if it were a table.
    for above in (level + 1..tables.levels).rev() {
        if !matches!(tables.load(tables.uvpt(above, va), above)?, Entry::Table { .. }) {
            return None;
        }
    }
    tables.load(tables.uvpt(level, va), level)
}

/// What UPAGES shows of the frame at `index` in `pages`; `None` beyond the last frame. (The page that
/// the array ends in goes on with zeros, which would say that a frame is free.)
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
mod tests {
    use super::*;
    use crate::paging::format::i386::I386;
    use crate::paging::format::x86_64::X86_64;
    use layout::{Jos32, Jos64};

    #[test]
    fn an_entry_is_all_that_is_read_or_half_of_it() {
        const BYTES: u64 = 0x8765_4321_0fed_cba9;
        let whole = Tables::of::<Jos64, X86_64>();
        assert_eq!(whole.entry_in(BYTES, VirtAddr::new(0x1000)), BYTES);
        let half = Tables::of::<Jos32, I386>();
        assert_eq!(half.entry_in(BYTES, VirtAddr::new(0x1000)), 0x0fed_cba9);
        assert_eq!(half.entry_in(BYTES, VirtAddr::new(0x1004)), 0x8765_4321);
    }
}
