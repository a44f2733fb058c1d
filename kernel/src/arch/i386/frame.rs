//! [`TrapFrame`]: the registers at an exception.

use libjos::monitor::processor::{EFLAGS, Register};
use x86_64::registers::rflags::RFlags;

/// The registers at an exception in the kernel, in the order in which the stub (downwards from `error`)
/// and the processor (Intel SDM vol. 3A, 6.12.1) push them: the beginning of JOS's `struct Trapframe`.
#[derive(Clone, Copy, Default, Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "each field is the register of its name")]
pub(crate) struct TrapFrame {
    pub edi: u32,
    pub esi: u32,
    pub ebp: u32,
    /// The interrupted stack pointer: PUSHAD's, moved to where the processor's words end.
    pub esp: u32,
    pub ebx: u32,
    pub edx: u32,
    pub ecx: u32,
    pub eax: u32,
    pub es: u32,
    pub ds: u32,
    /// The exception's vector.
    pub vector: u32,
    /// The processor's error code; 0 if the exception has none.
    pub error: u32,
    pub eip: u32,
    pub cs: u32,
    pub eflags: u32,
}

impl TrapFrame {
    /// The exception's vector.
    pub(in crate::arch) fn vector(&self) -> u64 {
        self.vector.into()
    }

    /// The processor's error code; 0 if the exception has none.
    pub(in crate::arch) fn error(&self) -> u64 {
        self.error.into()
    }

    /// The address of the interrupted instruction.
    pub(in crate::arch) fn instruction(&self) -> u64 {
        self.eip.into()
    }

    /// The frame pointer of the interrupted function.
    pub(in crate::arch) fn frame_pointer(&self) -> u64 {
        self.ebp.into()
    }

    /// The flags, and the register that holds them.
    pub(in crate::arch) fn flags(&self) -> (&'static Register, u64) {
        (&EFLAGS, self.eflags.into())
    }

    /// The address that a probe was called with.
    pub(in crate::arch) fn probed_address(&self) -> u64 {
        self.ecx.into()
    }

    /// Makes a probe return `words` by the code at `instruction`.
    pub(in crate::arch) fn return_words(&mut self, words: [usize; 2], instruction: usize) {
        self.eax = words[0] as u32;
        self.edx = words[1] as u32;
        self.eip = instruction as u32;
    }

    /// Takes back the leave to access user pages (Intel SDM vol. 3A, 4.6.1).
    pub(in crate::arch) fn forbid_user_access(&mut self) {
        self.eflags &= !(RFlags::ALIGNMENT_CHECK.bits() as u32);
    }

    /// Makes the processor trap after the next instruction, or not (Intel SDM vol. 3B, 17.3.1.4).
    pub(in crate::arch) fn step(&mut self, on: bool) {
        let flags = self.eflags & !(RFlags::TRAP_FLAG.bits() as u32);
        self.eflags = flags | if on { RFlags::TRAP_FLAG.bits() as u32 } else { 0 };
    }

    /// The general and segment registers and EIP, with their names.
    pub(in crate::arch) fn registers(&self) -> [(&'static str, u64); 12] {
        [
            ("eax", self.eax),
            ("ebx", self.ebx),
            ("ecx", self.ecx),
            ("edx", self.edx),
            ("esi", self.esi),
            ("edi", self.edi),
            ("ebp", self.ebp),
            ("esp", self.esp),
            ("eip", self.eip),
            ("cs", self.cs & SELECTOR),
            ("ds", self.ds & SELECTOR),
            ("es", self.es & SELECTOR),
        ]
        .map(|(name, value)| (name, value.into()))
    }
}

/// A selector's bits of its word on the stack: the processor may leave the upper half as it was.
const SELECTOR: u32 = 0xFFFF;
