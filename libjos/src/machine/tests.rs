//! Tests of the part of a machine that is the same for all.

use std::string::ToString;

use super::*;
use crate::paging::format::x86_64::X86_64;
use crate::sim::SimMachine;
use layout::{Jos64, MB};

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

/// A machine that does not say how counts zeros word by word.
#[test]
fn zeros_in_memory() {
    let (machine, table) = (SimMachine::<Jos64, X86_64>::new(2 * MB).0, PhysAddr::new(MB));
    machine.store(table + 40 * 8, 7_u64);
    for (count, zeros) in [(0, 0), (1, 1), (40, 40), (41, 40), (512, 40)] {
        assert_eq!(machine.zeros::<u64>(table, count), zeros, "of {count}");
        assert_eq!(machine.zeros_unused::<u64>(table, count), zeros, "of {count}");
    }
    assert_eq!(machine.zeros::<u32>(table, 1024), 80);
    assert_eq!(machine.zeros_unused::<u64>(table + 40 * 8, 4), 0);
}

#[test]
fn faults_in_words() {
    let va = VirtAddr::new(0x1234);
    for (present, write, words) in [
        (false, false, "a fault: read of an absent page at 0x1234"),
        (true, false, "a fault: read of a present page at 0x1234"),
        (false, true, "a fault: write of an absent page at 0x1234"),
        (true, true, "a fault: write of a present page at 0x1234"),
    ] {
        assert_eq!(Fault { va, present, write }.to_string(), words);
    }
}
