//! What the bits of an x86-64 processor's control registers and error codes mean, as data: the
//! monitor's `cr` and the reports of exceptions decode by these tables.
//!
//! Source: Intel SDM vol. 3A, 2.5 "Control registers", 2.2.1 (EFER), 2.3 (RFLAGS), 4.7 "Page-fault
//! exceptions", 6.3.1 and 6.13; vol. 3B, 15.3 (machine checks); AMD APM vol. 2, 3.1 and 8.2.

use core::fmt;

/// A bit of a register, or a few bits that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// The lowest bit.
    pub bit: u32,
    /// How many bits.
    pub width: u32,
    /// What the manuals call it.
    pub name: &'static str,
    /// What it does when it is set.
    pub meaning: &'static str,
}

impl Field {
    /// The field's value in that of the whole register.
    #[must_use]
    pub const fn of(&self, value: u64) -> u64 {
        value >> self.bit & (u64::MAX >> (u64::BITS - self.width))
    }

    /// The bits of the register that are the field's.
    #[must_use]
    pub const fn mask(&self) -> u64 {
        u64::MAX >> (u64::BITS - self.width) << self.bit
    }
}

/// A register, or an error code.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// What the manuals call it.
    pub name: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// Its fields, from the lowest bit up.
    pub fields: &'static [Field],
}

impl Register {
    /// The names of what is set in `value`, with spaces between them.
    #[must_use]
    pub const fn names(&'static self, value: u64) -> Names {
        Names { register: self, value }
    }

    /// The bits that no field describes.
    #[must_use]
    pub fn unknown(&self, value: u64) -> u64 {
        self.fields.iter().fold(value, |rest, field| rest & !field.mask())
    }
}

/// The names of what is set in a value. [`Register::names`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    register: &'static Register,
    value: u64,
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for field in self.register.fields {
            let value = field.of(self.value);
            match (value, field.width) {
                (0, _) => continue,
                (_, 1) => write!(f, "{space}{}", field.name)?,
                (_, _) => write!(f, "{space}{}={value:#x}", field.name)?,
            }
            space = " ";
        }
        let unknown = self.register.unknown(self.value);
        if unknown != 0 {
            write!(f, "{space}?={unknown:#x}")?;
            space = " ";
        }
        if space.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

const fn bit(bit: u32, name: &'static str, meaning: &'static str) -> Field {
    Field { bit, width: 1, name, meaning }
}

const fn bits(bit: u32, width: u32, name: &'static str, meaning: &'static str) -> Field {
    Field { bit, width, name, meaning }
}

/// Modes of the processor.
pub const CR0: Register = Register {
    name: "CR0",
    meaning: "modes of the processor",
    fields: &[
        bit(0, "PE", "protected mode: segments and privilege levels"),
        bit(1, "MP", "WAIT obeys TS"),
        bit(2, "EM", "no x87: its instructions raise #NM"),
        bit(3, "TS", "task switched: x87 and SSE raise #NM"),
        bit(4, "ET", "x87 is a 387 (always 1)"),
        bit(5, "NE", "x87 errors are exceptions, not interrupts"),
        bit(16, "WP", "write protection: read-only pages bind the kernel too"),
        bit(18, "AM", "alignment is checked in user code, if RFLAGS.AC"),
        bit(29, "NW", "no write-through"),
        bit(30, "CD", "caches are off"),
        bit(31, "PG", "paging"),
    ],
};

/// The address of the latest page fault.
pub const CR2: Register = Register {
    name: "CR2",
    meaning: "address of the latest page fault",
    fields: &[bits(0, 64, "VA", "the address")],
};

/// The page directory in use.
pub const CR3: Register = Register {
    name: "CR3",
    meaning: "the page directory in use",
    fields: &[
        bit(3, "PWT", "tables are cached write-through"),
        bit(4, "PCD", "tables are not cached"),
        bits(12, 40, "PFN", "frame number of the page directory"),
    ],
};

/// Extensions that are on.
pub const CR4: Register = Register {
    name: "CR4",
    meaning: "extensions that are on",
    fields: &[
        bit(0, "VME", "virtual-8086 extensions"),
        bit(1, "PVI", "protected-mode virtual interrupts"),
        bit(2, "TSD", "RDTSC is the kernel's alone"),
        bit(3, "DE", "debug registers 4 and 5 do not exist"),
        bit(4, "PSE", "4 MB pages, in 32-bit paging"),
        bit(5, "PAE", "8-byte entries: needed for long mode"),
        bit(6, "MCE", "machine checks are reported"),
        bit(7, "PGE", "global pages: they outlive a change of CR3 in the TLB"),
        bit(8, "PCE", "RDPMC in user code"),
        bit(9, "OSFXSR", "SSE, and FXSAVE"),
        bit(10, "OSXMMEXCPT", "SSE errors raise #XM"),
        bit(11, "UMIP", "SGDT, SIDT, SLDT, SMSW, STR are the kernel's alone"),
        bit(12, "LA57", "five levels of page tables"),
        bit(13, "VMXE", "virtual machines (Intel)"),
        bit(14, "SMXE", "safer mode"),
        bit(16, "FSGSBASE", "RDFSBASE and its like in user code"),
        bit(17, "PCIDE", "process-context identifiers in the TLB"),
        bit(18, "OSXSAVE", "XSAVE, and the registers it saves"),
        bit(19, "KL", "key locker"),
        bit(20, "SMEP", "the kernel cannot execute user pages"),
        bit(21, "SMAP", "the kernel cannot touch user pages, unless RFLAGS.AC"),
        bit(22, "PKE", "protection keys for user pages"),
        bit(23, "CET", "control-flow enforcement"),
        bit(24, "PKS", "protection keys for kernel pages"),
    ],
};

/// Which interrupts are held back.
pub const CR8: Register = Register {
    name: "CR8",
    meaning: "which interrupts are held back",
    fields: &[bits(0, 4, "TPR", "interrupts up to this priority wait")],
};

/// Long mode and what came with it.
pub const EFER: Register = Register {
    name: "EFER",
    meaning: "long mode and what came with it",
    fields: &[
        bit(0, "SCE", "SYSCALL and SYSRET"),
        bit(8, "LME", "long mode is enabled"),
        bit(10, "LMA", "long mode is active"),
        bit(11, "NXE", "no-execute pages: bit 63 of an entry counts"),
        bit(12, "SVME", "virtual machines (AMD)"),
        bit(13, "LMSLE", "segment limits in long mode"),
        bit(14, "FFXSR", "fast FXSAVE"),
        bit(15, "TCE", "INVLPG spares upper levels"),
    ],
};

/// What the last instructions left, and how the next ones run.
pub const RFLAGS: Register = Register {
    name: "RFLAGS",
    meaning: "what the last instructions left, and how the next ones run",
    fields: &[
        bit(0, "CF", "carry"),
        bit(1, "1", "always 1"),
        bit(2, "PF", "parity"),
        bit(4, "AF", "half carry"),
        bit(6, "ZF", "zero"),
        bit(7, "SF", "sign"),
        bit(8, "TF", "trap after each instruction"),
        bit(9, "IF", "interrupts are on"),
        bit(10, "DF", "string instructions go down"),
        bit(11, "OF", "overflow"),
        bits(12, 2, "IOPL", "privilege level for I/O"),
        bit(14, "NT", "nested task"),
        bit(16, "RF", "resume: no breakpoint for one instruction"),
        bit(17, "VM", "virtual-8086 mode"),
        bit(18, "AC", "alignment check; SMAP is lifted"),
        bit(19, "VIF", "virtual interrupt flag"),
        bit(20, "VIP", "virtual interrupt pending"),
        bit(21, "ID", "CPUID can be used"),
    ],
};

/// Where a machine check left the program.
pub const MCG_STATUS: Register = Register {
    name: "MCG_STATUS",
    meaning: "where a machine check left the program",
    fields: &[
        bit(0, "RIPV", "the program can go on where it was"),
        bit(1, "EIPV", "the program's place has to do with the error"),
        bit(2, "MCIP", "a machine check is being handled; another one resets"),
        bit(3, "LMCE", "only this processor was told"),
    ],
};

/// The error that a bank of the processor holds.
pub const MCI_STATUS: Register = Register {
    name: "MCi_STATUS",
    meaning: "the error that a bank of the processor holds",
    fields: &[
        bits(0, 16, "MCACOD", "which error: Intel SDM vol. 3B, 15.9"),
        bits(16, 16, "MSCOD", "which error: as this model knows it"),
        bit(55, "AR", "the program must do something before it goes on"),
        bit(56, "S", "reported by an exception"),
        bit(57, "PCC", "the processor's state may be wrong"),
        bit(58, "ADDRV", "the address is known"),
        bit(59, "MISCV", "more is known"),
        bit(60, "EN", "the error is one that is reported"),
        bit(61, "UC", "not corrected"),
        bit(62, "OVER", "an earlier error was lost"),
        bit(63, "VAL", "there is an error"),
    ],
};

/// An error code's bit, and what it says when it is set and when it is not.
#[derive(Clone, Copy, Debug)]
pub struct ErrorBit {
    /// The bit.
    pub bit: u32,
    /// What the manuals call it.
    pub name: &'static str,
    /// What it says where it is set.
    pub set: &'static str,
    /// What it says where it is not; empty where that is not worth a word.
    pub clear: &'static str,
}

/// The error code of a page fault.
pub const PAGE_FAULT_BITS: [ErrorBit; 8] = [
    ErrorBit {
        bit: 0,
        name: "P",
        set: "present: permissions forbid the access",
        clear: "not present: an entry on the way is empty",
    },
    ErrorBit { bit: 1, name: "W/R", set: "write", clear: "read" },
    ErrorBit { bit: 2, name: "U/S", set: "by user code", clear: "by the kernel" },
    ErrorBit { bit: 3, name: "RSVD", set: "a reserved bit is set in an entry", clear: "" },
    ErrorBit { bit: 4, name: "I/D", set: "instruction fetch", clear: "" },
    ErrorBit { bit: 5, name: "PK", set: "a protection key forbids it", clear: "" },
    ErrorBit { bit: 6, name: "SS", set: "access of the shadow stack", clear: "" },
    ErrorBit { bit: 15, name: "SGX", set: "forbidden by SGX", clear: "" },
];

/// The page fault's RSVD.
const RESERVED_BIT: u64 = 1 << 3;

/// Mnemonic and name of each exception.
const EXCEPTIONS: [(&str, &str); 32] = [
    ("#DE", "divide error"),
    ("#DB", "debug exception"),
    ("NMI", "non-maskable interrupt"),
    ("#BP", "breakpoint"),
    ("#OF", "overflow"),
    ("#BR", "bound range exceeded"),
    ("#UD", "invalid opcode"),
    ("#NM", "device not available (x87, SSE)"),
    ("#DF", "double fault"),
    ("-", "coprocessor segment overrun"),
    ("#TS", "invalid TSS"),
    ("#NP", "segment not present"),
    ("#SS", "stack-segment fault"),
    ("#GP", "general protection"),
    ("#PF", "page fault"),
    ("-", "reserved"),
    ("#MF", "x87 floating-point error"),
    ("#AC", "alignment check"),
    ("#MC", "machine check"),
    ("#XM", "SIMD floating-point exception"),
    ("#VE", "virtualization exception"),
    ("#CP", "control protection"),
    ("-", "reserved"),
    ("-", "reserved"),
    ("-", "reserved"),
    ("-", "reserved"),
    ("-", "reserved"),
    ("-", "reserved"),
    ("#HV", "hypervisor injection"),
    ("#VC", "VMM communication"),
    ("#SX", "security exception"),
    ("-", "reserved"),
];

/// The exceptions of which more is known than a name.
pub mod vector {
    /// #DF.
    pub const DOUBLE_FAULT: u64 = 8;
    /// #TS.
    pub const INVALID_TSS: u64 = 10;
    /// #NP.
    pub const SEGMENT_NOT_PRESENT: u64 = 11;
    /// #SS.
    pub const STACK_SEGMENT: u64 = 12;
    /// #GP.
    pub const GENERAL_PROTECTION: u64 = 13;
    /// #PF.
    pub const PAGE_FAULT: u64 = 14;
    /// #AC.
    pub const ALIGNMENT_CHECK: u64 = 17;
    /// #MC.
    pub const MACHINE_CHECK: u64 = 18;
    /// #CP.
    pub const CONTROL_PROTECTION: u64 = 21;
    /// #VC.
    pub const VMM_COMMUNICATION: u64 = 29;
    /// #SX.
    pub const SECURITY: u64 = 30;
}

/// Mnemonic and name of the exception with this vector.
#[must_use]
pub fn exception(vector: u64) -> (&'static str, &'static str) {
    let known = usize::try_from(vector).ok().and_then(|vector| EXCEPTIONS.get(vector));
    known.copied().unwrap_or(("-", "unknown"))
}

/// The error code of an exception, in words.
#[derive(Clone, Copy, Debug)]
pub struct ErrorCode {
    /// Which exception.
    pub vector: u64,
    /// Its error code; 0 where it has none.
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

/// All bits as a row of digits, and then what they say.
fn page_fault(f: &mut fmt::Formatter<'_>, code: u64) -> fmt::Result {
    for (i, error) in PAGE_FAULT_BITS.iter().enumerate() {
        let before = if i == 0 { ": " } else { " " };
        write!(f, "{before}{}={}", error.name, code >> error.bit & 1)?;
    }
    for error in &PAGE_FAULT_BITS {
        let set = code >> error.bit & 1 != 0;
        let words = if set { error.set } else { error.clear };
        // Where a reserved bit is set, P says nothing: QEMU clears it then.
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

/// What a control-protection exception is about (Intel SDM vol. 3A, 6.15 "Interrupt 21").
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

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTERS: [&Register; 9] =
        [&CR0, &CR2, &CR3, &CR4, &CR8, &EFER, &RFLAGS, &MCG_STATUS, &MCI_STATUS];

    #[test]
    fn fields_are_in_order_and_apart() {
        for register in REGISTERS {
            let mut free_from = 0;
            for field in register.fields {
                assert!(field.bit >= free_from, "{} {}", register.name, field.name);
                free_from = field.bit + field.width;
            }
            assert!(free_from <= 64, "{}", register.name);
        }
    }

    #[test]
    fn lines_of_the_monitor_fit() {
        for field in REGISTERS.iter().flat_map(|register| register.fields) {
            assert!(field.meaning.len() <= 56 && field.name.len() <= 10, "{}", field.name);
        }
        for error in PAGE_FAULT_BITS {
            assert!(error.set.len().max(error.clear.len()) <= 60, "{}", error.name);
        }
    }

    #[test]
    fn what_is_set_is_named() {
        assert_eq!(CR0.names(0x8001_0011).to_string(), "PE ET WP PG");
        assert_eq!(CR4.names(0).to_string(), "none");
        assert_eq!(CR3.names(0x12_3018).to_string(), "PWT PCD PFN=0x123");
        assert_eq!(EFER.names(0xD02).to_string(), "LME LMA NXE ?=0x2");
        assert_eq!(RFLAGS.names(0x3202).to_string(), "1 IF IOPL=0x3");
        assert_eq!(CR2.names(u64::MAX).to_string(), "VA=0xffffffffffffffff");
        assert_eq!(CR8.names(0xF).to_string(), "TPR=0xf");
        assert_eq!(MCG_STATUS.names(5).to_string(), "RIPV MCIP");
        let status = MCI_STATUS.names(0xB600_0000_0007_0005).to_string();
        assert_eq!(status, "MCACOD=0x5 MSCOD=0x7 PCC ADDRV EN UC VAL");
    }

    fn words(vector: u64, code: u64) -> String {
        ErrorCode { vector, code }.to_string()
    }

    #[test]
    fn page_faults_in_words() {
        assert_eq!(
            words(vector::PAGE_FAULT, 0b11),
            "error code 0x3: P=1 W/R=1 U/S=0 RSVD=0 I/D=0 PK=0 SS=0 SGX=0\
             \n    P    1  present: permissions forbid the access\
             \n    W/R  1  write\
             \n    U/S  0  by the kernel"
        );
        let all = words(vector::PAGE_FAULT, u64::MAX);
        for error in &PAGE_FAULT_BITS[1..] {
            assert!(all.contains(error.set), "{all}");
        }
        assert!(!all.contains("present"), "{all}");
        assert!(words(vector::PAGE_FAULT, 0).contains("not present"));
        assert!(words(vector::PAGE_FAULT, 1 << 4).contains("instruction fetch"));
        assert!(words(vector::PAGE_FAULT, 1 << 3).contains("reserved bit"));
    }

    #[test]
    fn selectors_in_words() {
        for vector in vector::INVALID_TSS..=vector::GENERAL_PROTECTION {
            assert_eq!(words(vector, 0), "error code 0x0: no selector is to blame");
            assert!(words(vector, 0x28).ends_with("TI=0 index=0x5\n    the GDT's entry 5"));
            assert!(words(vector, 0x2C).ends_with("the LDT's entry 5"));
            assert!(words(vector, 0x6B).ends_with("the IDT's entry 13, on an external event"));
        }
        assert!(words(vector::DOUBLE_FAULT, 0).ends_with("always 0"));
        // Bit 15 says that it was in an enclave.
        for (code, expected) in [
            (1, "RET to"),
            (2, "IRET"),
            (3, "ENDBRANCH"),
            (4, "RSTORSSP"),
            (5, "SETSSBSY"),
            (6, "unknown"),
        ] {
            let text = words(vector::CONTROL_PROTECTION, 1 << 15 | code);
            assert!(text.contains(expected), "{text}");
        }
        assert!(words(0, 0).ends_with("has none"));
        assert!(words(vector::VMM_COMMUNICATION, 0x72).ends_with("exit code of SVM"));
        assert!(words(vector::SECURITY, 1).ends_with("INIT, redirected"));
        assert_eq!(words(vector::SECURITY, 2), "error code 0x2");
    }

    #[test]
    fn exceptions_have_names() {
        assert_eq!(exception(14), ("#PF", "page fault"));
        assert_eq!(exception(31).1, "reserved");
        assert_eq!(exception(32).1, "unknown");
        assert_eq!(exception(u64::MAX).1, "unknown");
    }
}
