//! i386: Intel SDM vol. 3A, 4.3 (tables 4-4 to 4-6), 4.6, 4.7.

use layout::Jos32;
use libjos::paging::format::i386::I386;
use libjos::sim::mmu::Exception;

use super::rig::*;

const FRAME: u64 = 0x20_0000;
const VA: u64 = 0x1234_5000;

const USERS: [Option<u32>; 6] = [None, None, None, Some(0b00001), Some(0b00011), Some(0b10001)];
const KERNELS: [Option<u32>; 6] = [Some(0b00101), Some(0b00111), Some(0b10101), None, None, None];

#[test]
fn both_levels() {
    let mut rig = Rig::<Jos32, I386>::new();
    let open = [rig.table(1) | 0b111, FRAME | 0b111];
    rig.expect("a page of the user's", VA, &open, codes(USERS));
    for i in 0..2 {
        let with = |set: u64, clear: u64| {
            let mut entries = open;
            entries[i] = entries[i] & !clear | set;
            entries
        };
        rig.machine.processor.control = ALL;
        let absent = [
            Some(0b00100),
            Some(0b00110),
            Some(0b10100),
            Some(0b00000),
            Some(0b00010),
            Some(0b10000),
        ];
        rig.expect("not present", VA, &with(0, 1), codes(absent));
        rig.expect("the kernel's", VA, &with(0, 0b100), codes(KERNELS));
        rig.expect("read-only", VA, &with(0, 0b010), {
            codes([None, Some(0b00111), None, Some(0b00001), Some(0b00011), Some(0b10001)])
        });
        for bit in 9..12 {
            rig.expect("ignored", VA, &with(1 << bit, 0), codes(USERS));
        }
        rig.machine.processor.control = NONE;
        rig.expect("read-only without WP", VA, &with(0, 0b010), {
            codes([None, Some(0b00111), None, None, None, None])
        });
        // There is no NXE here, so I/D wants SMEP.
        rig.machine.processor.control.nxe = true;
        let absent =
            [Some(0b00100), Some(0b00110), Some(0b00100), Some(0b000), Some(0b010), Some(0b000)];
        rig.expect("not present, no I/D", VA, &with(0, 1), codes(absent));
    }
    rig.machine.processor.control = NONE;
    rig.expect("no protection", VA, &open, FINE);
    rig.machine.processor.control = ALL;
    rig.expect("PAT", VA, &[open[0], open[1] | 0x80], codes(USERS));
}

#[test]
fn four_megabytes() {
    let mut rig = Rig::<Jos32, I386>::new();
    rig.expect("a large page", VA & 0x3f_ffff, &[0x83], codes(KERNELS));
    rig.expect("a large page with PAT", VA & 0x3f_ffff, &[0x1083], codes(KERNELS));
    let reserved = codes([
        Some(0b01101),
        Some(0b01111),
        Some(0b11101),
        Some(0b01001),
        Some(0b01011),
        Some(0b11001),
    ]);
    rig.expect("bit 21", VA, &[0x83 | 1 << 21], reserved);
    // PSE-36: an address, which is no RAM, but not for the user to find out.
    for bit in 13..21 {
        rig.lead(VA, &[0x83 | 1 << bit]);
        assert_eq!(rig.access(UserLoad, VA), Err(Exception::PageFault(0b00101)));
    }
    // Without CR4.PSE the bit means nothing.
    rig.machine.processor.leaf_levels = 1;
    let entries = [rig.table(1) | 0x87, FRAME | 0b111];
    rig.expect("PS without PSE", VA, &entries, codes(USERS));
}

/// The address of a 4 MB page with PSE-36 is the one that the manual says.
#[test]
#[should_panic(expected = "bus error: 8 bytes at 0xa500005000")]
fn pse_36() {
    let mut rig = Rig::<Jos32, I386>::new();
    rig.lead(0x5000, &[0x83 | 0xa5 << 13]);
    let _ = rig.access(KernelLoad, 0x5000);
}

#[test]
fn marks() {
    let mut rig = Rig::<Jos32, I386>::new();
    rig.lead(VA, &[rig.table(1) | 0b111, FRAME | 0b111]);
    let marks = |rig: &Rig<_, _>| [rig.read(0, 1, VA) & 0x60, rig.read(1, 0, VA) & 0x60];
    assert_eq!(marks(&rig), [0, 0]);
    rig.access(UserLoad, VA).unwrap();
    assert_eq!(marks(&rig), [0x20, 0x20]);
    rig.access(UserStore, VA).unwrap();
    assert_eq!(marks(&rig), [0x20, 0x60]);
    rig.lead(VA, &[0x87]);
    rig.access(UserStore, VA & 0x3f_ffff).unwrap_err();
    rig.lead(0, &[0x87]);
    rig.access(UserStore, 0x8000).unwrap();
    assert_eq!(rig.read(0, 1, 0), 0xe7);
}

/// There is no segment that long.
#[test]
fn more_than_32_bits() {
    let mut rig = Rig::<Jos32, I386>::new();
    for access in EVERY {
        assert_eq!(rig.access(access, 1 << 32), Err(Exception::GeneralProtection));
    }
    assert_eq!(rig.access(KernelLoad, 0xffff_fff8), Err(Exception::PageFault(0)));
}
