//! x86-64, four levels and five: Intel SDM vol. 3A, 4.5 (tables 4-14 to 4-20), 4.6, 4.7.

use layout::{Jos64, MemLayout};
use libjos::paging::format::Format;
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::sim::mmu::{Exception, Mmu};

use super::rig::*;
use crate::layouts::Jos57;

/// P, R/W, U/S: whoever may do whatever.
const OPEN: u64 = 0b111;
/// A frame, a multiple of 2 MB.
const FRAME: u64 = 0x20_0000;
const VA: u64 = 0x0000_1234_5678_9000;

/// P=0, and the bits of who does what.
const ABSENT: [Option<u32>; 6] =
    [Some(0b00100), Some(0b00110), Some(0b10100), Some(0b00000), Some(0b00010), Some(0b10000)];
/// The error codes with P and RSVD.
const RESERVED: [Option<u32>; 6] =
    [Some(0b01101), Some(0b01111), Some(0b11101), Some(0b01001), Some(0b01011), Some(0b11001)];

/// Entries that lead to `FRAME`, by tables with all rights.
fn open<L: MemLayout, F: Format + Mmu>(rig: &Rig<L, F>) -> Vec<u64> {
    let tables = (1..u64::from(F::LEVELS)).map(|n| rig.table(n) | OPEN);
    tables.chain([FRAME | OPEN]).collect()
}

/// The kernel's own pages: the user is refused, the kernel is not.
const KERNELS: [Option<u32>; 6] = [Some(0b00101), Some(0b00111), Some(0b10101), None, None, None];

/// A right that any one of the levels withholds is refused.
fn any_level<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let open = open(&rig);
    let users = [None, None, None, Some(0b00001), Some(0b00011), Some(0b10001)];
    rig.expect("a page of the user's", VA, &open, codes(users));
    for i in 0..open.len() {
        let with = |set: u64, clear: u64| {
            let mut entries = open.clone();
            entries[i] = entries[i] & !clear | set;
            entries
        };
        rig.machine.processor.control = ALL;
        // Nothing else counts where P is clear.
        rig.expect("not present", VA, &with(0, 1), codes(ABSENT));
        rig.expect("not present, reserved", VA, &with(1 << 63 | 1 << 45 | 0x80, 1), codes(ABSENT));
        rig.expect("the kernel's", VA, &with(0, 0b100), codes(KERNELS));
        rig.expect("read-only", VA, &with(0, 0b010), {
            codes([None, Some(0b00111), None, Some(0b00001), Some(0b00011), Some(0b10001)])
        });
        let kernels = [Some(0b00101), Some(0b00111), Some(0b10101), None, Some(0b00011), None];
        rig.expect("the kernel's, read-only", VA, &with(0, 0b110), codes(kernels));
        let mut xd = users;
        xd[2] = Some(0b10101);
        rig.expect("XD", VA, &with(1 << 63, 0), codes(xd));
        let mut xd = KERNELS;
        xd[5] = Some(0b10001);
        rig.expect("the kernel's, XD", VA, &with(1 << 63, 0b100), codes(xd));
        for bit in 40..52 {
            rig.expect("beyond MAXPHYADDR", VA, &with(1 << bit, 0), codes(RESERVED));
        }
        for bit in (9..12).chain(52..63) {
            rig.expect("ignored", VA, &with(1 << bit, 0), codes(users));
        }
        // PS where there are no such pages; in a PTE it is PAT.
        if i < open.len() - 3 {
            rig.expect("PS", VA, &with(0x80, 0), codes(RESERVED));
        } else if i == open.len() - 1 {
            rig.expect("PAT", VA, &with(0x80, 0), codes(users));
        }

        // With all protection off the kernel may do everything; I/D wants SMEP or NXE.
        rig.machine.processor.control = NONE;
        rig.expect("read-only without WP", VA, &with(0, 0b010), {
            codes([None, Some(0b00111), None, None, None, None])
        });
        let mut absent = ABSENT;
        (absent[2], absent[5]) = (Some(0b00100), Some(0b00000));
        rig.expect("not present, no I/D", VA, &with(0, 1), codes(absent));
        let mut reserved = RESERVED;
        (reserved[2], reserved[5]) = (Some(0b01101), Some(0b01001));
        rig.expect("XD without NXE", VA, &with(1 << 63, 0), codes(reserved));
        rig.machine.processor.control.smep = true;
        rig.expect("XD without NXE, SMEP", VA, &with(1 << 63, 0), codes(RESERVED));
    }
    rig.machine.processor.control = NONE;
    rig.expect("no protection", VA, &open, FINE);
    rig.machine.processor.control.nxe = true;
    let xd = open.iter().map(|entry| entry | 1 << 63).collect::<Vec<_>>();
    let fetch = codes([None, None, Some(0b10101), None, None, Some(0b10001)]);
    rig.expect("XD without SMEP", VA, &xd, fetch);
}

/// Pages of 2 MB and 1 GB.
fn large<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let open = open(&rig);
    // The kernel's, so that nothing is refused but what is reserved.
    let kernels = |entry: u64| entry & !0b100;
    for (level, size_bits) in [(1, 21), (2, 30)] {
        let mut entries = open[..open.len() - level].to_vec();
        let last = entries.len() - 1;
        let page = |bits: u64| kernels(OPEN) | 0x80 | bits;
        entries[last] = page(0);
        rig.expect("a large page", VA & 0x3f_ffff, &entries, codes(KERNELS));
        entries[last] = page(1 << 12);
        rig.expect("a large page with PAT", VA & 0x3f_ffff, &entries, codes(KERNELS));
        for bit in 13..size_bits {
            entries[last] = page(1 << bit);
            rig.expect("an address within the page", VA, &entries, codes(RESERVED));
        }
        // An address of its own, which is no RAM.
        entries[last] = page(1 << size_bits);
        let refused = rig.machine.processor.control.smap;
        assert!(refused);
        rig.lead(VA, &entries);
        assert_eq!(rig.access(UserLoad, VA), Err(Exception::PageFault(0b00101)));
        // A processor without them.
        rig.machine.processor.leaf_levels = 0b111 & !(1 << level);
        entries[last] = page(0);
        rig.expect("no such pages", VA, &entries, codes(RESERVED));
        rig.machine.processor.leaf_levels = 0b111;
    }
}

/// Accessed bits of all entries, and the dirty bit of the last.
fn marks<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let mut open = open(&rig);
    let marks = |rig: &Rig<L, F>| -> Vec<u64> {
        let levels = (0..F::LEVELS).rev();
        (0..).zip(levels).map(|(n, level)| rig.read(n, level, VA) & 0x60).collect()
    };
    let mut accessed = vec![0x20; open.len()];
    rig.lead(VA, &open);
    assert_eq!(marks(&rig), vec![0; open.len()], "a flush is no access");
    rig.access(UserLoad, VA).unwrap();
    assert_eq!(marks(&rig), accessed);
    rig.lead(VA, &open);
    rig.access(KernelStore, VA).unwrap_err();
    assert_eq!(marks(&rig), accessed, "a store that is refused");
    rig.access(UserStore, VA).unwrap();
    *accessed.last_mut().unwrap() = 0x60;
    assert_eq!(marks(&rig), accessed);

    // An entry that is not present ends the walk, and the tables below stay as they were.
    let last = open.len() - 1;
    open[last - 1] &= !1;
    rig.lead(VA, &open);
    rig.access(UserLoad, VA).unwrap_err();
    accessed[last - 1..].fill(0);
    assert_eq!(marks(&rig), accessed);
}

fn canonical<L: MemLayout, F: Format + Mmu>(bits: u32) {
    let mut rig = Rig::<L, F>::new();
    let half = 1_u64 << (bits - 1);
    for va in [half, half.wrapping_neg() - 8, 1 << 63] {
        for access in EVERY {
            assert_eq!(rig.access(access, va), Err(Exception::GeneralProtection), "{va:#x}");
        }
    }
    for va in [half - 8, half.wrapping_neg()] {
        assert_eq!(rig.access(KernelLoad, va), Err(Exception::PageFault(0)), "{va:#x}");
    }
}

#[test]
fn four_levels() {
    any_level::<Jos64, X86_64>();
    large::<Jos64, X86_64>();
    marks::<Jos64, X86_64>();
    canonical::<Jos64, X86_64>(48);
}

#[test]
fn five_levels() {
    any_level::<Jos57, La57>();
    large::<Jos57, La57>();
    marks::<Jos57, La57>();
    canonical::<Jos57, La57>(57);
}
