//! The sum over memory in use, by which the check sees that free pages are not.

use layout::{Jos32, MB};

use super::*;
use crate::machine::PhysMem;
use crate::paging::format::i386::I386;
use crate::pmap::mem_init;
use crate::sim::SimMachine;

/// Accessed and dirty (Intel SDM vol. 3A, table 4-4).
const BY_PROCESSOR: u32 = 1 << 5 | 1 << 6;
const WRITABLE: u32 = 1 << 1;

/// The check's own writes to free pages make a processor set bits in the leaf that maps them, and the root's last
/// entry may be this leaf.
#[test]
fn bits_that_the_processor_sets_are_not_summed() {
    let (machine, boot) = SimMachine::<Jos32, I386>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let at = pmap.kern_pgdir().address() + LAST_WORD;
    let entry = pmap.machine().load::<u32>(at) & !BY_PROCESSOR;
    assert!(matches!(I386::decode(I386::ROOT, entry), Entry::Leaf(_)), "{entry:#x}");
    let mut sum_with = |entry: u32| {
        pmap.machine().store(at, entry);
        pmap.checks().checksum()
    };
    let sum = sum_with(entry);
    for bits in [1 << 5, 1 << 6, BY_PROCESSOR] {
        assert_eq!(sum_with(entry | bits), sum, "{bits:#x}");
    }
    assert_ne!(sum_with(entry ^ WRITABLE), sum, "a permission counts");
    assert_ne!(sum_with(entry + (4 << 20)), sum, "an address counts");
}
