//! Memory maps with a fault: `mem_init`'s own checks must name it.

use layout::Region;

use super::*;

/// `mem_init` panics with a message that contains `says`.
fn is_caught<L: MemLayout, F: Format + Mmu>(says: &str) {
    let (machine, boot) = SimMachine::<L, F>::new(RAM);
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| mem_init(machine, boot))) else {
        panic!("no check noticed, which should say: {says}")
    };
    let said = message(&*panic);
    assert!(said.contains(says), "the check said: {said}");
}

#[test]
fn the_application_has_all_addresses() {
    enum Fault {}
    impl MemLayout for Fault {
        const NAME: &'static str = Jos32::NAME;
        const VA_BITS: u32 = Jos32::VA_BITS;
        const PTSIZE: u64 = Jos32::PTSIZE;
        const SELF_MAP: bool = Jos32::SELF_MAP;
        const PHYS_BASE: u64 = Jos32::PHYS_BASE;
        const PHYSMAP_MAX: u64 = Jos32::PHYSMAP_MAX;
        const LOWER_END: u64 = Jos32::VA_LAST;
        const REGIONS: &'static [Region] = Jos32::REGIONS;
    }
    is_caught::<Fault, I386>(" mapped above UTOP must be 0, is 1");
}

#[test]
fn the_hole_between_the_halves_is_too_large() {
    enum Fault {}
    impl MemLayout for Fault {
        const NAME: &'static str = Jos64::NAME;
        const VA_BITS: u32 = Jos64::VA_BITS;
        const PTSIZE: u64 = Jos64::PTSIZE;
        const SELF_MAP: bool = Jos64::SELF_MAP;
        const PHYS_BASE: u64 = Jos64::PHYS_BASE;
        const PHYSMAP_MAX: u64 = Jos64::PHYSMAP_MAX;
        const LOWER_END: u64 = Jos64::LOWER_END / 2;
        const REGIONS: &'static [Region] = Jos64::REGIONS;
    }
    is_caught::<Fault, X86_64>(" is not a canonical address");
}
