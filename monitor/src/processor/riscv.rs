//! The registers and the exceptions of a RISC-V hart.
//!
//! Source: RISC-V privileged specification, 12.1 "Supervisor CSRs"; table 12.2 "Supervisor cause register
//! values".

use super::registers::{Register, bit, bits};

/// Interrupts, the FPU, and the kernel's access to pages.
pub const SSTATUS: Register = Register {
    name: "sstatus",
    meaning: "interrupts, FPU, the kernel's access to pages",
    fields: &[
        bit(1, "SIE", "interrupts are on"),
        bit(5, "SPIE", "interrupts were on before the trap"),
        bit(6, "UBE", "user code is big-endian"),
        bit(8, "SPP", "the trap came from the kernel"),
        bits(9, 2, "VS", "the vector unit: off, initial, clean, used"),
        bits(13, 2, "FS", "the FPU: off, initial, clean, used"),
        bits(15, 2, "XS", "further units: off, initial, clean, used"),
        bit(18, "SUM", "the kernel may access user pages"),
        bit(19, "MXR", "pages that may be executed may be read"),
        bits(32, 2, "UXL", "width of user code's registers: 2 is 64 bits"),
        bit(63, "SD", "one of VS, FS and XS says used"),
    ],
};

/// The page directory in use.
pub const SATP: Register = Register {
    name: "satp",
    meaning: "the page directory in use",
    fields: &[
        bits(0, 44, "PPN", "frame number of the page directory"),
        bits(44, 16, "ASID", "the address space, as the TLB knows it"),
        bits(60, 4, "MODE", "paging: 0 is none, 8 to 10 have 3 to 5 levels"),
    ],
};

/// The place where traps arrive.
pub const STVEC: Register = Register {
    name: "stvec",
    meaning: "where traps arrive",
    fields: &[
        bits(0, 2, "MODE", "1: each interrupt has an address of its own"),
        bits(2, 62, "BASE", "the address, divided by 4"),
    ],
};

/// The interrupts that are let through.
pub const SIE: Register = Register {
    name: "sie",
    meaning: "which interrupts are let through",
    fields: &[
        bit(1, "SSIE", "software interrupts"),
        bit(5, "STIE", "timer interrupts"),
        bit(9, "SEIE", "interrupts of devices"),
    ],
};

/// The instruction that the latest trap interrupted.
pub const SEPC: Register = Register {
    name: "sepc",
    meaning: "the instruction that the latest trap interrupted",
    fields: &[bits(0, 64, "PC", "its address")],
};

/// The cause of the latest trap.
pub const SCAUSE: Register = Register {
    name: "scause",
    meaning: "the cause of the latest trap",
    fields: &[bits(0, 63, "CODE", "its number"), bit(63, "INTR", "an interrupt, not an exception")],
};

/// STVAL: the address or the instruction that the latest trap concerns.
pub const STVAL: Register = Register {
    name: "stval",
    meaning: "address, or illegal instruction, of the latest trap",
    fields: &[bits(0, 64, "VALUE", "the address, or the instruction")],
};

/// The numbers of the exceptions, as SCAUSE holds them.
#[allow(missing_docs, reason = "the table of `exception` names them")]
pub mod cause {
    pub const FETCH_MISALIGNED: u64 = 0;
    pub const FETCH_ACCESS_FAULT: u64 = 1;
    pub const ILLEGAL_INSTRUCTION: u64 = 2;
    pub const BREAKPOINT: u64 = 3;
    pub const LOAD_MISALIGNED: u64 = 4;
    pub const LOAD_ACCESS_FAULT: u64 = 5;
    pub const STORE_MISALIGNED: u64 = 6;
    pub const STORE_ACCESS_FAULT: u64 = 7;
    pub const USER_CALL: u64 = 8;
    pub const FETCH_PAGE_FAULT: u64 = 12;
    pub const LOAD_PAGE_FAULT: u64 = 13;
    pub const STORE_PAGE_FAULT: u64 = 15;
}

/// The name of the exception with this number.
#[must_use]
pub fn exception(number: u64) -> &'static str {
    match number {
        cause::FETCH_MISALIGNED => "instruction address misaligned",
        cause::FETCH_ACCESS_FAULT => "instruction access fault",
        cause::ILLEGAL_INSTRUCTION => "illegal instruction",
        cause::BREAKPOINT => "breakpoint",
        cause::LOAD_MISALIGNED => "load address misaligned",
        cause::LOAD_ACCESS_FAULT => "load access fault",
        cause::STORE_MISALIGNED => "store address misaligned",
        cause::STORE_ACCESS_FAULT => "store access fault",
        cause::USER_CALL => "environment call from user code",
        9 => "environment call from the kernel",
        cause::FETCH_PAGE_FAULT => "instruction page fault",
        cause::LOAD_PAGE_FAULT => "load page fault",
        cause::STORE_PAGE_FAULT => "store page fault",
        18 => "software check",
        19 => "hardware error",
        _ if number >> 63 != 0 => "interrupt",
        _ => "reserved",
    }
}
