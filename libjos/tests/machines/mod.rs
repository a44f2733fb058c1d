//! Each format in turn with its memory map, and what tests of them all have in common.

use layout::{GB, MemLayout};
use libjos::addr::PhysAddr;
use libjos::format::{Format, Geometry};
use libjos::machine::Machine;
use libjos::pages::{AllocFlags, Frame};
use libjos::pmap::Pmap;

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

/// Takes all free pages.
pub(crate) fn take_all<M: Machine>(pmap: &mut Pmap<M>) -> Vec<Frame> {
    std::iter::from_fn(|| pmap.page_alloc(AllocFlags::empty())).collect()
}

/// The level of the largest pages.
pub(crate) fn top<F: Format>() -> u32 {
    F::LEAF_LEVELS.ilog2()
}

/// Device memory behind all RAM, which `pages` does not describe, aligned to the largest page.
pub(crate) fn device<L: MemLayout, F: Format>() -> PhysAddr {
    PhysAddr::new((L::PHYS_BASE + GB).next_multiple_of(F::page_size(top::<F>())))
}
