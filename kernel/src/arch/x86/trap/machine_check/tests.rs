//! Machine checks are turned on in each bank, and each bank's error is written.

use alloc::string::{String, ToString};
use core::fmt::Display;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;

/// Features of a processor (CPUID leaf 1, EDX): machine checks, banks.
const MCE: u32 = 1 << 7;
const MCA: u32 = 1 << 14;

/// A processor with these features, of this family and model, with `MCG_CAP`.
fn processor(features: u32, signature: u32, cap: u64) {
    let mut pc = pc();
    pc.processor.cpuid.insert((0, 0), [1, 0, 0, 0]);
    pc.processor.cpuid.insert((1, 0), [signature, 0, 0, features]);
    pc.processor.msrs.insert(0x179, cap);
}

fn msr(number: u32) -> Option<u64> {
    pc().processor.msrs.get(&number).copied()
}

fn banks_in_words() -> String {
    struct Banks;
    impl Display for Banks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_banks(f)
        }
    }
    Banks.to_string()
}

fn allowed() -> bool {
    pc().processor.control.cr4 & 1 << 6 != 0
}

#[test]
fn turned_on() {
    alone(|| {
        // Three banks, with MCG_CTL. Family 6, model 0x1A.
        processor(MCE | MCA, 0x0001_06A0, 3 | 1 << 8);
        for number in [0x17A, 0x401, 0x405, 0x409, 0x40D] {
            pc().processor.msrs.insert(number, 7);
        }
        init();
        assert!(allowed());
        assert_eq!(msr(0x17B), Some(u64::MAX));
        assert_eq!([0x400, 0x404, 0x408].map(msr), [Some(u64::MAX); 3]);
        assert_eq!([0x401, 0x405, 0x409, 0x17A].map(msr), [Some(0); 4]);
        assert_eq!((msr(0x40C), msr(0x40D)), (None, Some(7)), "there is no fourth bank");
    })
    .assert_returned();
}

#[test]
fn not_turned_on() {
    alone(|| {
        processor(MCA, 0x6A0, 3 | 1 << 8);
        init();
        assert!(!allowed());
        assert_eq!((msr(0x17B), msr(0x404)), (None, None));
        // Machine checks without banks.
        processor(MCE, 0x6A0, 3 | 1 << 8);
        init();
        assert!(allowed());
        assert_eq!((msr(0x17B), msr(0x404)), (None, None));
        assert_eq!(banks_in_words(), "");
    })
    .assert_returned();
}

/// Old processors of family 6 have another register in the place of the first bank's control.
#[test]
fn the_first_bank_of_old_processors() {
    alone(|| {
        let control = |signature| {
            pc().processor.msrs.clear();
            processor(MCE | MCA, signature, 2);
            init();
            assert_eq!(msr(0x17B), None, "there is no MCG_CTL");
            assert_eq!((msr(0x404), msr(0x401)), (Some(u64::MAX), Some(0)));
            msr(0x400)
        };
        assert_eq!(control(0x0001_0690), None, "family 6, model 0x19");
        assert_eq!(control(0x0001_06A0), Some(u64::MAX), "family 6, model 0x1A");
        assert_eq!(control(0x0000_0510), Some(u64::MAX), "family 5, model 1");
        assert_eq!(control(0x0010_0F10), Some(u64::MAX), "family 16, model 1");
    })
    .assert_returned();
}

#[test]
fn errors_in_words() {
    alone(|| {
        processor(MCE | MCA, 0, 4);
        let valid = 1 << 63;
        for (number, value) in [
            (0x17A, 5),
            // The first bank has no error, though an address.
            (0x401, 1 << 58),
            (0x405, valid | 0x17),
            (0x406, 0xDEAD),
            (0x409, valid | 1 << 58),
            (0x40A, 0xBEEF),
            (0x40D, 0),
            // Behind the last bank.
            (0x411, valid),
        ] {
            pc().processor.msrs.insert(number, value);
        }
        assert_eq!(
            banks_in_words(),
            "  MCG_STATUS  0000000000000005  RIPV MCIP\n  bank 1      8000000000000017  MCACOD=0x17 VAL\n  \
             bank 2      8400000000000000  ADDRV VAL, at 0xbeef\n"
        );
        assert_eq!(msr(0x17A), Some(0), "another machine check can be reported");
    })
    .assert_returned();
}
