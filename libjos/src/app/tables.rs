//! The page tables and the array `pages`, as an application sees them: read-only at UVPT and
//! UPAGES.
//!
//! UVPT works because the page directory is entered in itself: a walk that goes through that entry
//! once ends a level higher, at a table in place of a page; one that goes through it twice ends two
//! levels higher. So each table of each level has its own place there.

use layout::{Jos64, MemLayout};

use super::memory::memory_use;
use super::with;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::PageInfo;
use crate::paging::format::x86_64::X86_64;
use crate::paging::format::{Entry, Format};

/// Where UVPT shows the entry of `level` that maps `va`. Level 0 has the entries of 4 KB pages
/// (JOS's `uvpt`), level 1 those above (its `uvpd`), and so on.
///
/// ```
/// use layout::{Jos64, MemLayout};
/// use libjos::mem::addr::VirtAddr;
/// use libjos::prelude::tables::uvpt;
///
/// assert_eq!(uvpt(0, VirtAddr::new(0)), VirtAddr::new(Jos64::UVPT));
/// assert_eq!(uvpt(0, VirtAddr::new(0x3000)), VirtAddr::new(Jos64::UVPT + 3 * 8));
/// // The directory's entry for UVPT lies where all four levels go through it.
/// assert_eq!(uvpt(3, VirtAddr::new(Jos64::UVPT)), VirtAddr::new(0xffff_ff7f_bfdf_eff0));
/// ```
#[must_use]
pub fn uvpt(level: u32, va: VirtAddr) -> VirtAddr {
    let within = |va: u64| (va >> X86_64::INDEX_BITS) & (Jos64::PTSIZE - 1) & !7;
    let entry = (0..=level).fold(va.as_u64(), |va, _| Jos64::UVPT + within(va));
    VirtAddr::new(entry)
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
    // Reading below a large page's entry would read the page as if it were a table.
    for above in (level + 1..X86_64::LEVELS).rev() {
        if !matches!(load(uvpt(above, va), above)?, Entry::Table { .. }) {
            return None;
        }
    }
    load(uvpt(level, va), level)
}

/// What the entry of `level` at `va` says.
fn load(va: VirtAddr, level: u32) -> Option<Entry> {
    let word = with(|platform| platform.read_user(va)).ok()?;
    Some(X86_64::decode(level, word))
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
    let va = VirtAddr::new(Jos64::UPAGES) + (index * size_of::<PageInfo>()) as u64;
    let word = with(|platform| platform.read_user(va)).ok()?;
    Some(PageInfo::from_word(word))
}
