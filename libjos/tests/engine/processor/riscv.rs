//! RISC-V, Sv39 and Sv48: privileged specification, 12.3.2, 12.4.1, 12.5.1.

use layout::{JosSv39, MemLayout};
use libjos::paging::format::Format;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::sim::mmu::Mmu;

use super::rig::*;
use crate::layouts::JosSv48;

const VA: u64 = 0x0000_0012_3456_7000;

// Bits 7 to 0: D A G U X W R V.
/// The user's, with everything.
const OPEN: u64 = 0b1101_1111;
/// The kernel's, with everything.
const KERNEL: u64 = 0b1100_1111;

/// All six accesses fault.
const NOTHING: [bool; 6] = [true; 6];
/// The user's page: the kernel is refused, where SUM is clear.
const USERS: [bool; 6] = [false, false, false, true, true, true];
const KERNELS: [bool; 6] = [true, true, true, false, false, false];

/// An entry that leads to the frame or table at `pa`.
fn to(pa: u64, bits: u64) -> u64 {
    pa >> 2 | bits
}

fn entries<L: MemLayout, F: Format + Mmu>(rig: &Rig<L, F>, leaf: u64) -> Vec<u64> {
    let tables = (1..u64::from(F::LEVELS)).map(|n| to(rig.table(n), 1));
    tables.chain([to(L::PHYS_BASE + 0x20_0000, leaf)]).collect()
}

fn every_bit<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let open = entries(&rig, OPEN);
    for i in 0..open.len() {
        let with = |set: u64, clear: u64| {
            let mut entries = open.clone();
            entries[i] = entries[i] & !clear | set;
            entries
        };
        rig.expect("not valid", VA, &with(0, 1), causes(NOTHING));
        rig.expect("not valid, reserved", VA, &with(1 << 63, 1), causes(NOTHING));
        for bit in 54..64 {
            rig.expect("reserved", VA, &with(1 << bit, 0), causes(NOTHING));
        }
        for bit in 8..10 {
            rig.expect("for software", VA, &with(1 << bit, 0), causes(USERS));
        }
        // In a pointer U, A and D are reserved, and G is not.
        if i < open.len() - 1 {
            for bit in [4, 6, 7] {
                rig.expect("a pointer with it", VA, &with(1 << bit, 0), causes(NOTHING));
            }
            rig.expect("a global pointer", VA, &with(1 << 5, 0), causes(USERS));
            rig.expect("W without R", VA, &with(0b100, 0), causes(NOTHING));
        }
    }
    for (what, bits, faults) in [
        ("the user's", OPEN, USERS),
        ("the kernel's", KERNEL, KERNELS),
        ("the kernel's, global", KERNEL | 1 << 5, KERNELS),
        ("a pointer to nowhere", 0b0000_0001, NOTHING),
        ("W without R", 0b1101_0101, NOTHING),
        ("W and X without R", 0b1101_1101, NOTHING),
        ("A clear", OPEN & !(1 << 6), NOTHING),
        ("D clear", OPEN & !(1 << 7), [false, true, false, true, true, true]),
        ("R", 0b1101_0011, [false, true, true, true, true, true]),
        ("X", 0b1101_1001, [true, true, false, true, true, true]),
        ("RW", 0b1101_0111, [false, false, true, true, true, true]),
        ("RX", 0b1101_1011, [false, true, false, true, true, true]),
        ("the kernel's, R", 0b1100_0011, [true, true, true, false, true, true]),
        ("the kernel's, X", 0b1100_1001, [true, true, true, true, true, false]),
    ] {
        let entries = entries(&rig, bits);
        rig.expect(what, VA, &entries, causes(faults));
    }

    // SUM set lets the kernel read and write. Nothing lets it execute there, or write to what is
    // read-only.
    rig.machine.processor.control = NONE;
    rig.expect("SUM", VA, &open, causes([false, false, false, false, false, true]));
    let read_only = entries(&rig, 0b1101_0011);
    rig.expect("SUM, R", VA, &read_only, causes([false, true, true, false, true, true]));
}

fn large<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let open = entries(&rig, KERNEL);
    for level in 1..F::LEVELS {
        let mut entries = open[..open.len() - level as usize].to_vec();
        let last = entries.len() - 1;
        for bit in 0..9 * level {
            entries[last] = to(L::PHYS_BASE | 1 << (12 + bit), KERNEL);
            rig.expect("misaligned", VA, &entries, causes(NOTHING));
        }
        // 512 GB pages have no RAM in them, but what the user may not do shows that they are there.
        entries[last] = to(0, KERNEL);
        rig.lead(VA, &entries);
        assert_eq!(rig.access(UserLoad, VA).err(), causes(NOTHING)[0]);
        assert!(fault_is_present(&mut rig, VA));
        rig.machine.processor.leaf_levels = 1;
        rig.expect("no such pages", VA, &entries, causes(NOTHING));
        rig.machine.processor.leaf_levels = F::LEAF_LEVELS;
    }
    // The page that holds RAM.
    let mut entries = open[..open.len() - 1].to_vec();
    *entries.last_mut().unwrap() = to(L::PHYS_BASE, KERNEL);
    rig.expect("2 MB", VA & !0x1f_ffff | 0x18_7000, &entries, causes(KERNELS));
}

/// Whether the user's load is refused by what is there.
fn fault_is_present<L: MemLayout, F: Format + Mmu>(rig: &mut Rig<L, F>, va: u64) -> bool {
    rig.machine.user_load(libjos::mem::addr::VirtAddr::new(va)).unwrap_err().present
}

/// Unlike x86's, this is a page fault.
fn canonical<L: MemLayout, F: Format + Mmu>(bits: u32) {
    let mut rig = Rig::<L, F>::new();
    let half = 1_u64 << (bits - 1);
    for va in [half, half.wrapping_neg() - 8, 1 << 63, half - 8, half.wrapping_neg()] {
        for (access, cause) in EVERY.into_iter().zip(causes(NOTHING)) {
            assert_eq!(rig.access(access, va).err(), cause, "{va:#x}");
        }
    }
    // Were the upper bits not looked at, this would be mapped.
    let open = entries(&rig, OPEN);
    rig.lead(0, &open);
    assert_eq!(rig.access(UserLoad, 0), Ok(0));
    assert_eq!(rig.access(UserLoad, 1 << bits).err(), causes(NOTHING)[0]);
}

#[test]
fn sv39() {
    every_bit::<JosSv39, Sv39>();
    large::<JosSv39, Sv39>();
    canonical::<JosSv39, Sv39>(39);
}

#[test]
fn sv48() {
    every_bit::<JosSv48, Sv48>();
    large::<JosSv48, Sv48>();
    canonical::<JosSv48, Sv48>(48);
}
