//! Each format in turn with its memory map, and what tests of them all have in common.

use layout::{GB, MemLayout, PGSIZE};
use libjos::addr::{PhysAddr, VirtAddr};
use libjos::format::{Format, Geometry};

/// The formats and their memory maps.
pub(crate) mod formats {
    pub(crate) use layout::{Jos32, Jos64, JosSv39};
    pub(crate) use libjos::i386::I386;
    pub(crate) use libjos::riscv::{Sv39, Sv48};
    pub(crate) use libjos::x86_64::{La57, X86_64};

    pub(crate) use crate::layouts::{Jos57, JosSv48};
}

/// Runs `$name` for every format. Not under Miri, where each takes a minute and there is no unsafe
/// code to be seen.
macro_rules! on_every_format {
    ($($name:ident)*) => { $(mod $name {
        use $crate::machines::formats::*;
        #[test]
        #[cfg_attr(miri, ignore)]
        fn jos64() { super::$name::<Jos64, X86_64>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn jos32() { super::$name::<Jos32, I386>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn jossv39() { super::$name::<JosSv39, Sv39>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn five_levels() { super::$name::<Jos57, La57>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn sv48() { super::$name::<JosSv48, Sv48>(); }
    })* };
}

/// The level of the largest pages.
pub(crate) fn top<F: Format>() -> u32 {
    F::LEAF_LEVELS.ilog2()
}

/// Device memory behind all RAM, which `pages` does not describe, aligned to the largest page.
pub(crate) fn device<L: MemLayout, F: Format>() -> PhysAddr {
    PhysAddr::new((L::PHYS_BASE + GB).next_multiple_of(huge::<F>()))
}

/// Two page directories, of which the first is in use.
#[derive(Clone, Copy)]
pub(crate) struct Spaces {
    pub(crate) pgdir: PhysAddr,
    pub(crate) other: PhysAddr,
}

/// Where the `n`th page from `start` on is.
pub(crate) fn page(start: u64, n: u64) -> VirtAddr {
    VirtAddr::new(start + n * PGSIZE)
}

/// Bytes that a table of the last level maps.
pub(crate) fn block<F: Format>() -> u64 {
    F::page_size(1)
}

/// Bytes of the largest page.
pub(crate) fn huge<F: Format>() -> u64 {
    F::page_size(top::<F>())
}

/// A page just below USTACKTOP, far from all others.
pub(crate) fn far<L: MemLayout>() -> VirtAddr {
    page(L::USTACKTOP - PGSIZE, 0)
}
