//! Backtraces over given memory.

use alloc::format;
use alloc::vec::Vec;

use layout::MemLayout;
use libjos::symtab::Builder;

use super::*;
use crate::arch::Layout;
use crate::arch::host::cpu::set_frame_pointer;
use crate::arch::host::memory::{BOOT_STACK, EXCEPTION_STACK};
use crate::arch::host::process::{alone, each_alone};
use crate::rig;
use crate::trap;

/// A frame on the boot stack, by its number from the lowest.
const fn frame(number: u64) -> u64 {
    BOOT_STACK + 0x100 + 16 * number
}

/// The end of the boot stack.
const TOP: u64 = BOOT_STACK + Layout::KSTKSIZE;

/// The line that a backtrace without names ends with.
const UNNAMED: &str = "  (addr2line -Cfpe obj/kern/kernel ADDRESS... names them)";

/// Writes frames, each at an address, with the caller's frame pointer and the return address.
fn write(frames: &[(u64, u64, u64)]) {
    for (at, caller, address) in frames {
        rig::write(at - Layout::KERNBASE, &[caller.to_le_bytes(), address.to_le_bytes()].concat());
    }
}

/// The console and the traps, with these frames.
fn set_up(frames: &[(u64, u64, u64)]) {
    rig::console();
    trap::init();
    write(frames);
}

#[test]
fn chains() {
    /// Frames, the frame pointer, and the lines.
    type Case = (&'static [(u64, u64, u64)], u64, &'static [&'static str]);
    const CASES: [Case; 14] = [
        // 0 ends a chain, at its start too.
        (&[], 0, &[]),
        (&[(frame(0), 0, 0x1111)], frame(0), &["  #0  0x0000000000001111"]),
        (
            &[(frame(0), frame(1), 0x1111), (frame(1), frame(5), 0x2222), (frame(5), 0, 0)],
            frame(0),
            &["  #0  0x0000000000001111", "  #1  0x0000000000002222", "  #2  0x0000000000000000"],
        ),
        // A frame that links to itself, and one that leads down.
        (
            &[(frame(0), frame(0), 0x1111)],
            frame(0),
            &[
                "  #0  0x0000000000001111",
                "  (the chain breaks off: frame pointer 0xfffffffff01e0100 does not lead up the stack)",
            ],
        ),
        (
            &[(frame(1), frame(0), 0x1111), (frame(0), 0, 0x2222)],
            frame(1),
            &[
                "  #0  0x0000000000001111",
                "  (the chain breaks off: frame pointer 0xfffffffff01e0100 does not lead up the stack)",
            ],
        ),
        // Out of the stack, by far and by one word: the return address would lie behind the end.
        (
            &[(frame(0), 0xFFFF_FFFF_F020_0000, 0x1111)],
            frame(0),
            &[
                "  #0  0x0000000000001111",
                "  (the chain breaks off: frame pointer 0xfffffffff0200000 leads into no stack)",
            ],
        ),
        (&[(TOP - 16, 0, 0x1111)], TOP - 16, &["  #0  0x0000000000001111"]),
        (
            &[],
            TOP - 8,
            &["  (the chain breaks off: frame pointer 0xfffffffff01e7ff8 leads into no stack)"],
        ),
        (
            &[],
            BOOT_STACK - 8,
            &["  (the chain breaks off: frame pointer 0xfffffffff01dfff8 leads into no stack)"],
        ),
        (&[(BOOT_STACK, 0, 0x1111)], BOOT_STACK, &["  #0  0x0000000000001111"]),
        // Not aligned.
        (
            &[(frame(0) + 4, 0, 0x1111)],
            frame(0) + 4,
            &["  (the chain breaks off: frame pointer 0xfffffffff01e0104 leads into no stack)"],
        ),
        // An exception's stack.
        (&[(EXCEPTION_STACK, 0, 0x1111)], EXCEPTION_STACK, &["  #0  0x0000000000001111"]),
        // A stack that is not mapped.
        (
            &[(frame(0), Layout::KSTACKTOP - 16, 0x1111)],
            frame(0),
            // Below its caller's frame.
            &[
                "  #0  0x0000000000001111",
                "  (the chain breaks off: frame pointer 0xffffffffeffffff0 does not lead up the stack)",
            ],
        ),
        (
            &[],
            Layout::KSTACKTOP - 16,
            &["  (the chain breaks off: the frame at 0xffffffffeffffff0 cannot be read)"],
        ),
    ];
    let ended = each_alone(&CASES, |(frames, start, _)| {
        set_up(frames);
        set_frame_pointer(*start);
        print_here();
    });
    for (ended, (_, _, lines)) in ended.iter().zip(CASES) {
        ended.assert_printed(0, &[lines, &[UNNAMED]].concat());
    }
}

/// Frames of as many calls as there are return addresses, the latest first.
fn chain(addresses: impl IntoIterator<Item = u64>) {
    let addresses: Vec<u64> = addresses.into_iter().collect();
    for (i, address) in (0..).zip(&addresses) {
        let caller = if i + 1 == addresses.len() as u64 { 0 } else { frame(i + 1) };
        write(&[(frame(i), caller, *address)]);
    }
}

#[test]
fn repetitions() {
    alone(|| {
        set_up(&[]);
        chain([1, 2, 2, 2, 3, 3, 2]);
        print_trap(0x10, frame(0));
    })
    .assert_printed(
        0,
        &[
            "  #0  0x0000000000000010",
            "  #1  0x0000000000000001",
            "  #2  0x0000000000000002",
            "      ... and 2 more of the same",
            "  #5  0x0000000000000003",
            "      ... and 1 more of the same",
            "  #7  0x0000000000000002",
            UNNAMED,
        ],
    );
}

/// At most 24 calls are printed, repetitions not counted.
#[test]
fn the_longest() {
    let ended = each_alone(&[24, 25, 40], |count| {
        set_up(&[]);
        chain((0..*count).flat_map(|n| [n + 1, n + 1]));
        set_frame_pointer(frame(0));
        print_here();
    });
    for (ended, more) in ended.iter().zip([0, 2, 32]) {
        let lines: Vec<_> = ended.printed.lines().collect();
        assert_eq!(lines.iter().filter(|line| line.starts_with("  #")).count(), 24);
        assert_eq!(lines[46..48], ["  #46 0x0000000000000018", "      ... and 1 more of the same"]);
        let end = format!("  ... and {more} more");
        let rest = if more > 0 { &[&end[..], UNNAMED][..] } else { &[UNNAMED] };
        assert_eq!(lines[48..], *rest);
    }
}

/// The start of the code, where the functions of [`names`] lie.
const CODE: u64 = Layout::KERNBASE + 0x10_0000;

/// The functions `first`, 0x10 bytes, and `a::second`, which has inlined calls; panic machinery; and a
/// function whose name fills a line.
fn names() {
    let mut builder = Builder::new();
    for (at, size, name) in [
        (0, 0x10, "first"),
        (0x10, 0x30, "a::second"),
        (0x40, 0x10, "core::panicking::panic_fmt"),
        (0x50, 0x10, "<kernel::panic::Thing as Trait>::report"),
        (0x60, 0x10, "__rustc::rust_begin_unwind"),
        (0x70, 0x10, "kernel::backtrace::print"),
        (0x80, 0x10, "rust_begin_unwind"),
        (0x90, 0x10, "kernel::panics"),
        (0xA0, 0x10, "forty_letters_of_a_function_s_long_name_"),
        (0xB0, 0x10, "forty_letters_of_a_function_s_long_name__"),
    ] {
        builder.symbol(CODE + at, size, name);
    }
    builder.row(CODE, Vec::from([rig::source("first", "one.rs", 1)]));
    builder.row(CODE + 0x10, Vec::from([rig::source("a::second", "two.rs", 2)]));
    let inlined = [
        rig::source("core::min", "min.rs", 30),
        rig::source("b::inner", "in.rs", 31),
        rig::source("a::second", "two.rs", 3),
    ];
    builder.row(CODE + 0x20, Vec::from(inlined));
    builder.row(CODE + 0x40, Vec::new());
    // 23 columns, a space, the name, a space, the file, a colon and five digits: 79 columns, and 80.
    builder.row(CODE + 0xA0, Vec::from([rig::source("forty", "seven.r", 12345)]));
    builder.row(CODE + 0xB0, Vec::from([rig::source("forty", "seven.r", 12345)]));
    rig::symbols(builder);
}

#[test]
fn named_calls() {
    alone(|| {
        set_up(&[]);
        names();
        // Behind `first` lies `a::second`, but a call that returns there is in `first`; the trap is not.
        chain([CODE + 0x10, CODE + 0x30, CODE + 0xA8, CODE + 0xB8, CODE, CODE + 0x200]);
        print_trap(CODE + 0x10, frame(0));
    })
    .assert_printed(
        0,
        &[
            "  #0  0xfffffffff0100010 a::second two.rs:2",
            "  #1  0xfffffffff0100010 first one.rs:1",
            "  #2  0xfffffffff0100030 core::min (inlined) min.rs:30",
            "                         b::inner (inlined) in.rs:31",
            "                         a::second two.rs:3",
            "  #3  0xfffffffff01000a8 forty_letters_of_a_function_s_long_name_ seven.r:12345",
            "  #4  0xfffffffff01000b8 forty_letters_of_a_function_s_long_name__",
            "                           seven.r:12345",
            "  #5  0xfffffffff0100000",
            "  #6  0xfffffffff0100200",
        ],
    );
}

/// The functions that raise and report a panic are left out, but not those of others.
#[test]
fn panics() {
    let machinery = [0x48, 0x58, 0x68, 0x78, 0x88].map(|at| CODE + at);
    let ended = each_alone(&[true, false], |others| {
        set_up(&[]);
        names();
        let callers = [CODE + 0x98, CODE + 0x48, CODE + 0x8];
        chain(machinery.into_iter().chain(callers.into_iter().filter(|_| *others)));
        set_frame_pointer(frame(0));
        print_panic();
        println!("Here:");
        print_here();
    });
    let lines: Vec<_> = ended[0].printed.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "  #0  0xfffffffff0100098 kernel::panics",
            "  #1  0xfffffffff0100048 core::panicking::panic_fmt",
            "  #2  0xfffffffff0100008 first one.rs:1",
            "Here:",
        ]
    );
    assert_eq!(lines[4..].len(), 8, "a backtrace that was asked for has all");
    // If there is nothing else, all are printed.
    assert_eq!(ended[1].printed.lines().count(), 5 + 1 + 5);
}
