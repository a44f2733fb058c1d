//! [`TrapFrame`]: the registers at an exception.

use monitor::processor::{EFLAGS, Register};
use x86_64::registers::rflags::RFlags;

use crate::arch::EntryWord;
use crate::arch::x86::frame::operations;

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

operations!(eip, eflags, EFLAGS, ebp, eax, ecx, edx);

impl TrapFrame {
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
