//! Tests of the part of a machine that is the same for all.

use super::*;

/// Wherever a run of words begins in a group and ends, and wherever the first is that is not 0.
#[test]
fn zeros_up_to_the_first_used_word() {
    for first in 0..34 {
        for count in 0..100 {
            for used in 0..=count {
                let load = |i| {
                    assert!(i < count, "word {i} of {count}");
                    if i < used { 0 } else { 1_u64 << (i % 64) }
                };
                let pa = PhysAddr::new(0x5000 + first * 8);
                assert_eq!(count_zeros(pa, count, load), used, "from word {first}, {count}");
            }
        }
    }
}
