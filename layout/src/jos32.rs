//! i386 with two levels: [`Jos32`], JOS's own numbers.
//!
//! There is no room for PHYSMAP: RAM above the window stays unused.
//!
//! ```text
//!                    2^32 +---------------------------+
//!                         | window on physical memory | RW/--  256 MB
//!     KERNBASE, KSTACKTOP +---------------------------+ 0xf000_0000
//!                         |       kernel stack        | RW/--  32 KB
//!                  KSTACK +---------------------------+ 0xefff_8000
//!                         |         guard gap         | --/--  32 KB
//!                         +---------------------------+ 0xefff_0000
//!                         |   further kernel stacks   | RW/--  4032 KB
//!                 MMIOLIM +---------------------------+ 0xefc0_0000
//!                         |   memory-mapped devices   | RW/--  4 MB
//!          MMIOBASE, ULIM +---------------------------+ 0xef80_0000
//!                         |        page tables        | R-/R-  4 MB
//!                    UVPT +---------------------------+ 0xef40_0000
//!                         |        pages array        | R-/R-  4 MB
//!                  UPAGES +---------------------------+ 0xef00_0000
//!                         |       environments        | R-/R-  4 MB
//! UENVS, UTOP, UXSTACKTOP +---------------------------+ 0xeec0_0000
//!                         |      exception stack      | RW/RW  4 KB
//!                         +---------------------------+ 0xeebf_f000
//!                         |        guard page         | --/--  4 KB
//!               USTACKTOP +---------------------------+ 0xeebf_e000
//!                         |      heap and stack       | RW/RW
//!                   UHEAP +---------------------------+ 0x4000_0000
//!                         |          program          | RW/RW  1016 MB
//!                   UTEXT +---------------------------+ 0x0080_0000
//!                         |    temporary mappings     | RW/RW  4 MB
//!                   UTEMP +---------------------------+ 0x0040_0000
//!                         |       low addresses       | RW/RW  4 MB
//!                       0 +---------------------------+ 0x0000_0000
//! ```

use crate::MB;
use crate::memlayout::{MemLayout, assert_layout};

/// JOS's map on i386, where JOS runs.
#[derive(Debug)]
pub enum Jos32 {}

impl MemLayout for Jos32 {
    const NAME: &'static str = "Jos32";
    const VA_BITS: u32 = 32;
    const PTSIZE: u64 = 4 * MB;
    const SELF_MAP: bool = true;
    const PHYS_BASE: u64 = 0;
    const PHYSMAP_MAX: u64 = 0;
}

const _: () = {
    assert_layout::<Jos32>();
    // JOS's inc/memlayout.h.
    assert!(Jos32::KERNBASE == 0xF000_0000);
    assert!(Jos32::MMIOLIM == 0xEFC0_0000);
    assert!(Jos32::MMIOBASE == 0xEF80_0000);
    assert!(Jos32::ULIM == Jos32::MMIOBASE);
    assert!(Jos32::UVPT == 0xEF40_0000);
    assert!(Jos32::UPAGES == 0xEF00_0000);
    assert!(Jos32::UENVS == 0xEEC0_0000);
    assert!(Jos32::UTOP == Jos32::UENVS);
    assert!(Jos32::USTACKTOP == 0xEEBF_E000);
    assert!(Jos32::UTEXT == 0x0080_0000);
};
