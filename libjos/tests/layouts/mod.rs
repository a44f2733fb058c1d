//! Memory maps for the formats that no machine of JOS64 boots with: by JOS's formulas, as all
//! others, from the few numbers that differ.

use layout::{GB, MemLayout};

/// JOS's map on x86-64 with five levels.
#[derive(Debug)]
pub(crate) enum Jos57 {}

impl MemLayout for Jos57 {
    const NAME: &'static str = "Jos57";
    const VA_BITS: u32 = 57;
    const PTSIZE: u64 = 1 << 48;
    const SELF_MAP: bool = true;
    const PHYS_BASE: u64 = 0;
    const PHYSMAP_MAX: u64 = 256 * GB;
}

/// JOS's map on RISC-V with Sv48.
#[derive(Debug)]
pub(crate) enum JosSv48 {}

impl MemLayout for JosSv48 {
    const NAME: &'static str = "JosSv48";
    const VA_BITS: u32 = 48;
    const PTSIZE: u64 = 512 * GB;
    const SELF_MAP: bool = false;
    const PHYS_BASE: u64 = 0x8000_0000;
    const PHYSMAP_MAX: u64 = 256 * GB;
}
