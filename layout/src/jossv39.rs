//! RISC-V with Sv39's three levels: [`JosSv39`].
//!
//! An Sv39 entry with R = W = X = 0 is no leaf, so a table cannot map itself, and the root's entry for
//! UVPT stays empty. RAM begins at 2 GB, as on QEMU's `virt` machine.
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
//!                         |          unused           | --/--  760 MB
//!                         +---------------------------+ 0xffff_ffff_c000_0000
//!                         |    all physical memory    | RW/--  16 GB
//!           ULIM, PHYSMAP +---------------------------+ 0xffff_fffb_c000_0000
//!                         |          unused           | --/--  1 GB
//!                         +---------------------------+ 0xffff_fffb_8000_0000
//!                         |        pages array        | R-/R-  1 GB
//!                  UPAGES +---------------------------+ 0xffff_fffb_4000_0000
//!                         |       environments        | R-/R-  1 GB
//!                   UENVS +---------------------------+ 0xffff_fffb_0000_0000
//!                         |          unused           | --/--  236 GB
//!                         +---------------------------+ 0xffff_ffc0_0000_0000
//!                         |       non-canonical       | --/--
//!                         +---------------------------+ 0x0000_0040_0000_0000
//!                         |          unused           | --/--  4 KB
//!        UTOP, UXSTACKTOP +---------------------------+ 0x0000_003f_ffff_f000
//!                         |      exception stack      | RW/RW  4 KB
//!                         +---------------------------+ 0x0000_003f_ffff_e000
//!                         |        guard page         | --/--  4 KB
//!               USTACKTOP +---------------------------+ 0x0000_003f_ffff_d000
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

/// JOS's map on RISC-V with Sv39.
#[derive(Debug)]
pub enum JosSv39 {}

impl MemLayout for JosSv39 {
    const NAME: &'static str = "JosSv39";
    const VA_BITS: u32 = 39;
    const PTSIZE: u64 = GB;
    const SELF_MAP: bool = false;
    const PHYS_BASE: u64 = 0x8000_0000;
    const PHYSMAP_MAX: u64 = 16 * GB;
    /// Behind the firmware: OpenSBI takes less than 2 MB, and QEMU's `-kernel` puts a kernel here.
    const LOAD_ADDR: u64 = Self::PHYS_BASE + 2 * MB;
}

const _: () = {
    assert_layout::<JosSv39>();
    assert!(JosSv39::LOAD_ADDR == 0x8020_0000);
    assert!(JosSv39::KERNBASE == 0xFFFF_FFFF_F000_0000);
    assert!(JosSv39::ULIM == 0xFFFF_FFFB_C000_0000);
    assert!(JosSv39::UPAGES == JosSv39::ULIM - 2 * GB);
    assert!(JosSv39::UENVS == JosSv39::ULIM - 3 * GB);
    assert!(JosSv39::UTOP == 0x0000_003F_FFFF_F000);
};
