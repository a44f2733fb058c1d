//! x86-64 with four levels: [`Jos64`], the machine that boots.
//!
//! ```text
//!                    2^64 +---------------------------+
//!                         | window on physical memory | RW/--  256 MB
//!     KERNBASE, KSTACKTOP +---------------------------+ 0xffff_ffff_f000_0000
//!                         |       kernel stack        | RW/--  32 KB
//!                  KSTACK +---------------------------+ 0xffff_ffff_efff_8000
//!                         |         guard gap         | --/--  32 KB
//!                         +---------------------------+ 0xffff_ffff_efff_0000
//!                         |   further kernel stacks   | RW/--  4032 KB
//!                 MMIOLIM +---------------------------+ 0xffff_ffff_efc0_0000
//!                         |   memory-mapped devices   | RW/--  4 MB
//!                MMIOBASE +---------------------------+ 0xffff_ffff_ef80_0000
//!                         |          unused           | --/--
//!                         +---------------------------+ 0xffff_ffc0_0000_0000
//!                         |    all physical memory    | RW/--  256 GB
//!           ULIM, PHYSMAP +---------------------------+ 0xffff_ff80_0000_0000
//!                         |        page tables        | R-/R-  512 GB
//!                    UVPT +---------------------------+ 0xffff_ff00_0000_0000
//!                         |        pages array        | R-/R-  512 GB
//!                  UPAGES +---------------------------+ 0xffff_fe80_0000_0000
//!                         |       environments        | R-/R-  512 GB
//!                   UENVS +---------------------------+ 0xffff_fe00_0000_0000
//!                         |          unused           | --/--
//!                         +---------------------------+ 0xffff_8000_0000_0000
//!                         |       non-canonical       | --/--
//!                         +---------------------------+ 0x0000_8000_0000_0000
//!                         |          unused           | --/--  4 KB
//!        UTOP, UXSTACKTOP +---------------------------+ 0x0000_7fff_ffff_f000
//!                         |      exception stack      | RW/RW  4 KB
//!                         +---------------------------+ 0x0000_7fff_ffff_e000
//!                         |        guard page         | --/--  4 KB
//!               USTACKTOP +---------------------------+ 0x0000_7fff_ffff_d000
//!                         |      heap and stack       | RW/RW
//!                   UHEAP +---------------------------+ 0x0000_0000_4000_0000
//!                         |          program          | RW/RW  1016 MB
//!                   UTEXT +---------------------------+ 0x0000_0000_0080_0000
//!                         |    temporary mappings     | RW/RW  4 MB
//!                   UTEMP +---------------------------+ 0x0000_0000_0040_0000
//!                         |       low addresses       | RW/RW  4 MB
//!                       0 +---------------------------+ 0x0000_0000_0000_0000
//! ```

use crate::memlayout::{MemLayout, assert_layout};
use crate::{GB, MB};

/// JOS's map on x86-64.
#[derive(Debug)]
pub enum Jos64 {}

impl MemLayout for Jos64 {
    const NAME: &'static str = "Jos64";
    const VA_BITS: u32 = 48;
    const PTSIZE: u64 = 512 * GB;
    const SELF_MAP: bool = true;
    const PHYS_BASE: u64 = 0;
    const PHYSMAP_MAX: u64 = 256 * GB;
}

const _: () = {
    assert_layout::<Jos64>();
    // Numbers that documents and gdb sessions quote.
    assert!(Jos64::KERNBASE == 0xFFFF_FFFF_F000_0000);
    assert!(Jos64::MMIOLIM == 0xFFFF_FFFF_EFC0_0000);
    assert!(Jos64::MMIOBASE == 0xFFFF_FFFF_EF80_0000);
    assert!(Jos64::ULIM == 0xFFFF_FF80_0000_0000);
    assert!(Jos64::UVPT == 0xFFFF_FF00_0000_0000);
    assert!(Jos64::UPAGES == 0xFFFF_FE80_0000_0000);
    assert!(Jos64::UENVS == 0xFFFF_FE00_0000_0000);
    assert!(Jos64::UTOP == 0x0000_7FFF_FFFF_F000);
    assert!(Jos64::UHEAP == 0x4000_0000);
    assert!(Jos64::UTEXT == 8 * MB);
};
