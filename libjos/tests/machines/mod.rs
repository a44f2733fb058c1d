//! Each format in turn, with its memory map.

/// The formats and their memory maps.
pub(crate) mod formats {
    pub(crate) use layout::{Jos32, Jos64, JosSv39};
    pub(crate) use libjos::paging::format::i386::I386;
    pub(crate) use libjos::paging::format::riscv::{Sv39, Sv48};
    pub(crate) use libjos::paging::format::x86_64::{La57, X86_64};

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
