//! JOS's vectors for traps of programs, and its words about such a trap.

use core::fmt;

use monitor::processor::vector::PAGE_FAULT;

use crate::arch::interrupts::{IRQ_OFFSET, NLINES};

/// The vector of the trap after a single step.
pub(in crate::arch) const DEBUG: u64 = 1;

/// The vector of breakpoints, and that of system calls: programs may raise these two.
pub(in crate::arch) const BREAKPOINT: u64 = 3;
pub(in crate::arch) const SYSCALL: u64 = 0x30;
/// Stands for the instruction SYSCALL in a frame, though it has no vector. No gate has this number.
pub(in crate::arch) const SYSCALL_INSTRUCTION: u64 = 0x31;

/// Bits of a page fault's error code: the page is present; a write; by user code.
const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;

/// JOS's name of a trap.
pub(in crate::arch) fn name(vector: u64) -> &'static str {
    const NAMES: [&str; 20] = [
        "Divide error",
        "Debug",
        "Non-Maskable Interrupt",
        "Breakpoint",
        "Overflow",
        "BOUND Range Exceeded",
        "Invalid Opcode",
        "Device Not Available",
        "Double Fault",
        "Coprocessor Segment Overrun",
        "Invalid TSS",
        "Segment Not Present",
        "Stack Fault",
        "General Protection",
        "Page Fault",
        "(unknown trap)",
        "x87 FPU Floating-Point Error",
        "Alignment Check",
        "Machine-Check",
        "SIMD Floating-Point Exception",
    ];
    match vector {
        SYSCALL | SYSCALL_INSTRUCTION => "System call",
        IRQ_OFFSET.. if vector < IRQ_OFFSET + NLINES => "Hardware Interrupt",
        _ => NAMES.get(vector as usize).copied().unwrap_or("(unknown trap)"),
    }
}

/// JOS's words about an error code: those of a page fault say what its bits mean.
pub(in crate::arch) struct ErrorWords {
    pub vector: u64,
    pub error: u64,
}

impl fmt::Display for ErrorWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vector != PAGE_FAULT {
            return Ok(());
        }
        let has = |bit| self.error & bit != 0;
        write!(
            f,
            " [{}, {}, {}]",
            if has(USER) { "user" } else { "kernel" },
            if has(WRITE) { "write" } else { "read" },
            if has(PRESENT) { "protection" } else { "not-present" },
        )
    }
}

#[cfg(test)]
mod tests;
