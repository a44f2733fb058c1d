//! The report of a trap: registers, the walk of the address, and who is to blame.

use alloc::string::{String, ToString};

use libjos::app::process::ExitCode;

use super::*;
use crate::arch::host::process::alone;
use crate::arch::host::trap;
use crate::rig;
use layout::MemLayout;

/// The report without the registers, which end with the error code's line.
fn report(vector: u64, error: u64, va: u64) -> String {
    let whole = trap::with(vector, error, va, |trap| Report(trap).to_string());
    assert!(whole.starts_with("  r"), "{whole}");
    let (_, behind) = whole.split_once("  error code ").expect("the registers");
    let lines = behind.split_inclusive('\n').skip(1).filter(|line| !line.starts_with("    "));
    lines.collect()
}

/// The walk of address 0, of which nothing is mapped.
const NOTHING: &str = "Walk of 0x0 (\"low addresses\"):
page directory at 0x200000
 +-> 0x200000[0] = 0x0000000000000000  empty
   stops at level 3: 512 GB here are not mapped
";

#[test]
fn walks_and_blame() {
    alone(|| {
        rig::boot("", || {
            let blame = |error| {
                let report = report(14, error, 0);
                String::from(report.strip_prefix(NOTHING).expect("the walk"))
            };
            assert_eq!(blame(0), "  0x0 is not mapped: its entry of level 3 is empty\n");
            assert_eq!(blame(8), "  a bit that must be 0 is set in the last of these entries\n");
            // The registers of a double fault do not say which access it was.
            assert_eq!(report(8, 0, 0), NOTHING);
            assert_eq!(report(3, 0, 0), "");
            let last_line = |error, va| {
                let report = report(14, error, va);
                String::from(report.lines().last().expect("lines"))
            };
            let code = "  0xfffffffff0100000";
            assert_eq!(
                last_line(3, 0xFFFF_FFFF_F010_0000),
                [code, " is mapped, but may not be written: level 0 withholds it"].concat()
            );
            assert_eq!(
                last_line(5, 0xFFFF_FFFF_F010_0000),
                [code, " is mapped, but for the kernel alone: level 0 withholds U"].concat()
            );
            assert_eq!(
                last_line(1, Layout::UPAGES),
                "  0xfffffe8000000000 is the user's, and the kernel is kept off it (SMEP, SMAP)"
            );
            ExitCode::SUCCESS
        })
    })
    .assert_ended(33);
}
