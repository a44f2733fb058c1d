//! [`Register`]: the table of a register's fields, for each register that is decoded.

use core::fmt;

/// A bit of a register, or a few bits that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// The lowest bit.
    pub bit: u32,
    /// How many bits.
    pub width: u32,
    /// The manuals' name.
    pub name: &'static str,
    /// The effect of the set bit.
    pub meaning: &'static str,
}

impl Field {
    /// The field's part of the register's `value`.
    #[must_use]
    pub const fn of(&self, value: u64) -> u64 {
        value >> self.bit & (u64::MAX >> (u64::BITS - self.width))
    }

    /// The field's bits, set, and all others clear.
    #[must_use]
    pub const fn mask(&self) -> u64 {
        u64::MAX >> (u64::BITS - self.width) << self.bit
    }
}

/// A register.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// The manuals' name.
    pub name: &'static str,
    /// Its purpose.
    pub meaning: &'static str,
    /// Its fields, from the lowest bit up.
    pub fields: &'static [Field],
}

impl Register {
    /// The names of the fields that are set in `value`, with spaces between them.
    #[must_use]
    pub const fn names(&'static self, value: u64) -> FieldNames {
        FieldNames { register: self, value }
    }

    /// The bits that no field describes.
    #[must_use]
    pub fn unknown(&self, value: u64) -> u64 {
        self.fields.iter().fold(value, |rest, field| rest & !field.mask())
    }
}

/// The names of the fields that are set in a value. [`Register::names`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct FieldNames {
    register: &'static Register,
    value: u64,
}

impl fmt::Display for FieldNames {
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

pub(super) const fn bit(bit: u32, name: &'static str, meaning: &'static str) -> Field {
    Field { bit, width: 1, name, meaning }
}

pub(super) const fn bits(bit: u32, width: u32, name: &'static str, meaning: &'static str) -> Field {
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
        bit(18, "AM", "alignment is checked in user code, if AC is set"),
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
        bit(21, "SMAP", "the kernel cannot touch user pages, unless AC is set"),
        bit(22, "PKE", "protection keys for user pages"),
        bit(23, "CET", "control-flow enforcement"),
        bit(24, "PKS", "protection keys for kernel pages"),
    ],
};

/// The priority up to which interrupts wait.
pub const CR8: Register = Register {
    name: "CR8",
    meaning: "which interrupts are held back",
    fields: &[bits(0, 4, "TPR", "interrupts up to this priority wait")],
};

/// Long mode, and other features that came with it.
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

/// The results of the last instructions, and the conditions of the next.
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

/// [`RFLAGS`] by its name in 32-bit code.
pub const EFLAGS: Register = Register { name: "EFLAGS", ..RFLAGS };

/// The state in which a machine check left the program.
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
