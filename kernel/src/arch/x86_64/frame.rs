//! [`TrapFrame`]: the registers at a trap.

use monitor::processor::{RFLAGS, Register};
use x86_64::registers::rflags::RFlags;

use crate::arch::EntryWord;
use crate::arch::x86::frame::operations;

/// The registers at a trap: JOS's `struct Trapframe`. The processor pushes those from `rip` on, and for some exceptions
/// `error` (Intel SDM vol. 3A, 6.14.2); the stub pushes the rest, `r15` last.
#[derive(Clone, Copy, Default, Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "each field is the register of its name")]
pub(crate) struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// The trap's vector.
    pub vector: u64,
    /// The processor's error code; 0 if the exception has none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

operations!(rip, rflags, RFLAGS, rbp, rax, rcx, rdx);

impl TrapFrame {
    /// The general and segment registers and RIP, with their names.
    pub(in crate::arch) fn registers(&self) -> [(&'static str, u64); 19] {
        [
            ("rax", self.rax),
            ("rbx", self.rbx),
            ("rcx", self.rcx),
            ("rdx", self.rdx),
            ("rsi", self.rsi),
            ("rdi", self.rdi),
            ("rbp", self.rbp),
            ("rsp", self.rsp),
            ("rip", self.rip),
            ("r8", self.r8),
            ("r9", self.r9),
            ("r10", self.r10),
            ("r11", self.r11),
            ("r12", self.r12),
            ("r13", self.r13),
            ("r14", self.r14),
            ("r15", self.r15),
            ("cs", self.cs),
            ("ss", self.ss),
        ]
    }
}
