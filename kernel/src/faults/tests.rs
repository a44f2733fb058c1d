//! Each fault of `test=NAME` ends in a panic that names it. Faults of the host's allocator and of its own
//! stack are left out.

use alloc::format;

use libjos::app::process::ExitCode;

use super::*;
use crate::arch::host::process::each_alone;
use crate::rig;

/// The name of a fault, and the message of its panic.
const MESSAGES: [(&str, &str); 19] = [
    (
        "read-null",
        "page fault (#PF, vector 14): read of 0x0000000000000000: page not present, in \"low addresses\"",
    ),
    (
        "write-text",
        "page fault (#PF, vector 14): write to 0xfffffffff0100000: protection violation (page present), \
      in \"window on physical memory\" (kernel code)",
    ),
    ("write-rodata", "page fault (#PF, vector 14): write to 0x"),
    ("exec-data", "page fault (#PF, vector 14): instruction fetch from 0x"),
    (
        "exec-area",
        "page fault (#PF, vector 14): instruction fetch from 0x0000400000000000: page not present, in \"heap and stack\"",
    ),
    (
        "write-upages",
        "page fault (#PF, vector 14): write to 0xfffffe8000000000: protection violation (page present), in \"pages array\"",
    ),
    (
        "read-user",
        "page fault (#PF, vector 14): read of 0xfffffe8000000000: protection violation (page present), in \"pages array\"",
    ),
    (
        "read-hole",
        "page fault (#PF, vector 14): read of 0xffffffffef7ff000: page not present, in \"unused\"",
    ),
    (
        "non-canonical",
        "general protection (#GP, vector 13): access to a non-canonical address, it seems: ",
    ),
    ("double-free", "page_free: page 0xd000 is free already"),
    ("free-referenced", "page_free: page 0xd000 is still in use: pp_ref is 1"),
    ("boot-alloc-late", "boot_alloc: 4096 bytes asked for after page_init; use page_alloc"),
    ("panic", "asked for by test=panic"),
    ("failed-check", "check_page_free_list: page 0xd000 is not on the list, yet its pp_ref is 0"),
    (
        "reserved-bit",
        "page fault (#PF, vector 14): read of 0x0000000000400000: reserved bit set in a page-table entry, in \"temporary mappings\"",
    ),
    (
        "table-outside-ram",
        "page fault (#PF, vector 14): read of 0x0000000000000000: reserved bit set in a page-table entry, in \"low addresses\"",
    ),
    (
        "page-use-after-free",
        "page 0xd000 was used after it was freed: 0x1234 was written at offset 0x18",
    ),
    ("print-in-report", "asked for by test=print-in-report"),
    (
        "simulated",
        "page fault (#PF, vector 14): read of 0x0000000000000123: page not present, in \"low addresses\"",
    ),
];

#[test]
fn each_fault_is_named() {
    let ended = each_alone(&MESSAGES, |(name, _)| {
        rig::boot(&format!("test={name} pages=poison"), || ExitCode::SUCCESS)
    });
    for (ended, (name, message)) in ended.iter().zip(MESSAGES) {
        let (_, report) = ended.printed.split_once("kernel panic at ").expect("a panic");
        let (_, said) = report.split_once(": ").expect("a place");
        assert!(said.starts_with(message), "{name}: {}", ended.printed);
        assert_eq!(ended.status, 35, "{name}");
        let repeated = report.contains("kernel panic");
        assert!(!repeated, "{name}: {}", ended.printed);
    }
    let [.., (_, talkative), _] =
        &*ended.iter().map(|ended| ((), &ended.printed)).collect::<Vec<_>>()
    else {
        unreachable!("there are cases")
    };
    assert!(talkative.contains("printed by the message\r\nkernel panic at "), "{talkative}");
}

#[test]
fn names() {
    assert_eq!(find(b"panic").map(|fault| fault.name), Some("panic"));
    assert_eq!(find(b"simulated").map(|fault| fault.name), Some("simulated"));
    assert!(find(b"panics").is_none() && find(b"").is_none());
    let mut names: Vec<_> = all().map(|fault| fault.name).collect();
    assert_eq!(
        (names.len(), names.first(), names.last()),
        (27, Some(&"read-null"), Some(&"simulated"))
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 27, "each name is there once");
}

/// A fault that nothing stops is a panic that says so; `page-use-after-free` needs `pages=poison`.
#[test]
fn a_fault_that_nothing_stops() {
    let ended = each_alone(&["screen-lost", "page-use-after-free"], |name| {
        rig::boot(&format!("test={name}"), || ExitCode::SUCCESS)
    });
    for (ended, name) in ended.iter().zip(["screen-lost", "page-use-after-free"]) {
        assert!(
            ended.printed.contains(&format!(": test={name}: nothing stopped it\r\n")),
            "{}",
            ended.printed
        );
        assert_eq!(ended.status, 35);
    }
}

/// The two faults whose addresses are the host's own are those of a constant and of code.
#[test]
fn a_constant_and_code() {
    assert_eq!((CONSTANT, BLOCK.size(), NO_RAM), (42, 24, 0x80_0000_0000));
}
