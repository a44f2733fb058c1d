//! [`exception`]: the names of exceptions; [`ErrorCode`]: their error codes in words.

use core::fmt;

/// A bit of an error code.
pub(super) struct ErrorBit {
    bit: u32,
    /// The manuals' name.
    pub(super) name: &'static str,
    /// The meaning of the set bit.
    pub(super) set: &'static str,
    /// The meaning of the clear bit; empty if it is not worth a line.
    pub(super) clear: &'static str,
}

const fn bit(bit: u32, name: &'static str, set: &'static str, clear: &'static str) -> ErrorBit {
    ErrorBit { bit, name, set, clear }
}

/// The error code of a page fault.
pub(super) const PAGE_FAULT_BITS: [ErrorBit; 8] = [
    bit(
        0,
        "P",
        "present: permissions forbid the access",
        "not present: an entry on the way is empty",
    ),
    bit(1, "W/R", "write", "read"),
    bit(2, "U/S", "by user code", "by the kernel"),
    bit(3, "RSVD", "a reserved bit is set in an entry", ""),
    bit(4, "I/D", "instruction fetch", ""),
    bit(5, "PK", "a protection key forbids it", ""),
    bit(6, "SS", "access of the shadow stack", ""),
    bit(15, "SGX", "forbidden by SGX", ""),
];

/// The page fault's RSVD.
const RESERVED_BIT: u64 = 1 << 3;

/// The vectors of the exceptions that have an error code, of NMI and of the machine check.
#[allow(missing_docs, reason = "the table of `exception` names them")]
pub mod vector {
    pub const NMI: u64 = 2;
    pub const DOUBLE_FAULT: u64 = 8;
    pub const INVALID_TSS: u64 = 10;
    pub const SEGMENT_NOT_PRESENT: u64 = 11;
    pub const STACK_SEGMENT: u64 = 12;
    pub const GENERAL_PROTECTION: u64 = 13;
    pub const PAGE_FAULT: u64 = 14;
    pub const ALIGNMENT_CHECK: u64 = 17;
    pub const MACHINE_CHECK: u64 = 18;
    pub const CONTROL_PROTECTION: u64 = 21;
    pub const VMM_COMMUNICATION: u64 = 29;
    pub const SECURITY: u64 = 30;
}

/// The mnemonic and the name of the exception with this vector.
#[must_use]
pub fn exception(vector: u64) -> (&'static str, &'static str) {
    match vector {
        0 => ("#DE", "divide error"),
        1 => ("#DB", "debug exception"),
        2 => ("NMI", "non-maskable interrupt"),
        3 => ("#BP", "breakpoint"),
        4 => ("#OF", "overflow"),
        5 => ("#BR", "bound range exceeded"),
        6 => ("#UD", "invalid opcode"),
        7 => ("#NM", "device not available (x87, SSE)"),
        8 => ("#DF", "double fault"),
        9 => ("-", "coprocessor segment overrun"),
        10 => ("#TS", "invalid TSS"),
        11 => ("#NP", "segment not present"),
        12 => ("#SS", "stack-segment fault"),
        13 => ("#GP", "general protection"),
        14 => ("#PF", "page fault"),
        16 => ("#MF", "x87 floating-point error"),
        17 => ("#AC", "alignment check"),
        18 => ("#MC", "machine check"),
        19 => ("#XM", "SIMD floating-point exception"),
        20 => ("#VE", "virtualization exception"),
        21 => ("#CP", "control protection"),
        28 => ("#HV", "hypervisor injection"),
        29 => ("#VC", "VMM communication"),
        30 => ("#SX", "security exception"),
        15 | 22..=27 | 31 => ("-", "reserved"),
        _ => ("-", "unknown"),
    }
}

/// The error code of an exception, in words.
#[derive(Clone, Copy, Debug)]
pub struct ErrorCode {
    /// The exception.
    pub vector: u64,
    /// The error code; 0 if the exception has none.
    pub code: u64,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code;
        write!(f, "error code {code:#x}")?;
        match self.vector {
            vector::PAGE_FAULT => page_fault(f, code),
            vector::INVALID_TSS..=vector::GENERAL_PROTECTION => selector(f, code),
            vector::CONTROL_PROTECTION => write!(f, ": {}", control_protection(code)),
            // Always 0 (Intel SDM vol. 3A, 6.15).
            vector::DOUBLE_FAULT | vector::ALIGNMENT_CHECK => f.write_str(": always 0"),
            // AMD APM vol. 2, 8.2.
            vector::VMM_COMMUNICATION => {
                f.write_str(": what the guest did, as the exit code of SVM")
            }
            vector::SECURITY if code == 1 => f.write_str(": INIT, redirected"),
            vector::SECURITY => Ok(()),
            _ => f.write_str(": this exception has none"),
        }
    }
}

/// All bits as a row of digits, and then their meanings.
fn page_fault(f: &mut fmt::Formatter<'_>, code: u64) -> fmt::Result {
    for (i, error) in PAGE_FAULT_BITS.iter().enumerate() {
        let before = if i == 0 { ": " } else { " " };
        write!(f, "{before}{}={}", error.name, code >> error.bit & 1)?;
    }
    for error in &PAGE_FAULT_BITS {
        let set = code >> error.bit & 1 != 0;
        let words = if set { error.set } else { error.clear };
        // QEMU clears P if a reserved bit is set: it means nothing then.
        let is_said = error.bit != 0 || code & RESERVED_BIT == 0;
        if !words.is_empty() && is_said {
            write!(f, "\n    {:<4} {}  {words}", error.name, u8::from(set))?;
        }
    }
    Ok(())
}

/// A selector error code (Intel SDM vol. 3A, 6.13, figure 6-7).
fn selector(f: &mut fmt::Formatter<'_>, code: u64) -> fmt::Result {
    if code == 0 {
        return f.write_str(": no selector is to blame");
    }
    let (external, idt, ldt) = (code & 1, code >> 1 & 1, code >> 2 & 1);
    let table = match (idt, ldt) {
        (1, _) => "IDT",
        (_, 1) => "LDT",
        _ => "GDT",
    };
    write!(f, ": EXT={external} IDT={idt} TI={ldt} index={:#x}", code >> 3 & 0x1FFF)?;
    let external = if external == 1 { ", on an external event" } else { "" };
    write!(f, "\n    the {table}'s entry {}{external}", code >> 3 & 0x1FFF)
}

/// The reason of a control-protection exception (Intel SDM vol. 3A, 6.15 "Interrupt 21").
fn control_protection(code: u64) -> &'static str {
    match code & 0x7FFF {
        1 => "RET to another address than was called from",
        2 => "far RET or IRET to another address than was left",
        3 => "an indirect jump to no ENDBRANCH",
        4 => "RSTORSSP to no token",
        5 => "SETSSBSY without a token",
        _ => "unknown",
    }
}
