//! JOS's words about traps of programs.

use alloc::format;
use alloc::string::ToString;

use super::*;

#[test]
fn names_of_exceptions() {
    for (vector, wanted) in [
        (0, "Divide error"),
        (1, "Debug"),
        (2, "Non-Maskable Interrupt"),
        (3, "Breakpoint"),
        (4, "Overflow"),
        (5, "BOUND Range Exceeded"),
        (6, "Invalid Opcode"),
        (7, "Device Not Available"),
        (8, "Double Fault"),
        (9, "Coprocessor Segment Overrun"),
        (10, "Invalid TSS"),
        (11, "Segment Not Present"),
        (12, "Stack Fault"),
        (13, "General Protection"),
        (14, "Page Fault"),
        (15, "(unknown trap)"),
        (16, "x87 FPU Floating-Point Error"),
        (17, "Alignment Check"),
        (18, "Machine-Check"),
        (19, "SIMD Floating-Point Exception"),
    ] {
        assert_eq!(name(vector), wanted, "{vector}");
    }
}

/// Interrupts are the 16 lines from vector 32 on; behind them are the system call's vector, and the number by which the
/// instruction SYSCALL goes.
#[test]
fn names_of_interrupts_and_of_calls() {
    for vector in 32..48 {
        assert_eq!(name(vector), "Hardware Interrupt", "{vector}");
    }
    assert_eq!((name(48), SYSCALL, BREAKPOINT), ("System call", 48, 3));
    assert_eq!(name(49), "System call");
    for vector in [20, 31, 50, 255, 256, u64::MAX] {
        assert_eq!(name(vector), "(unknown trap)", "{vector}");
    }
}

/// The error code of a page fault is explained, and no other.
#[test]
fn error_codes() {
    let words = |vector, error| ErrorWords { vector, error }.to_string();
    for error in 0..8 {
        let who = if error & 4 != 0 { "user" } else { "kernel" };
        let access = if error & 2 != 0 { "write" } else { "read" };
        let why = if error & 1 != 0 { "protection" } else { "not-present" };
        assert_eq!(words(14, error), format!(" [{who}, {access}, {why}]"));
        // A fetch has another bit, of which JOS says nothing.
        assert_eq!(words(14, error | 0x10), words(14, error));
    }
    for vector in [0, 8, 10, 13, 15, 17, 48] {
        assert_eq!(words(vector, 7), "");
    }
}
