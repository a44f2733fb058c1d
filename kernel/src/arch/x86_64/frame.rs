//! [`TrapFrame`]: the registers at an exception.

use libjos::monitor::processor::{RFLAGS, Register};
use x86_64::registers::rflags::RFlags;

/// The registers at an exception, in the order in which the stub (downwards from `error`) and the
/// processor (Intel SDM vol. 3A, 6.14.2) push them. JOS's `struct Trapframe`.
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
    /// The exception's vector.
    pub vector: u64,
    /// The processor's error code; 0 if the exception has none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl TrapFrame {
    /// The exception's vector.
    pub(in crate::arch) fn vector(&self) -> u64 {
        self.vector
    }

    /// The processor's error code; 0 if the exception has none.
    pub(in crate::arch) fn error(&self) -> u64 {
        self.error
    }

    /// The address of the interrupted instruction.
    pub(in crate::arch) fn instruction(&self) -> u64 {
        self.rip
    }

    /// The frame pointer of the interrupted function.
    pub(in crate::arch) fn frame_pointer(&self) -> u64 {
        self.rbp
    }

    /// The flags, and the register that holds them.
    pub(in crate::arch) fn flags(&self) -> (&'static Register, u64) {
        (&RFLAGS, self.rflags)
    }

    /// The address that a probe was called with.
    pub(in crate::arch) fn probed_address(&self) -> u64 {
        self.rcx
    }

    /// Makes a probe return `words` by the code at `instruction`.
    pub(in crate::arch) fn return_words(&mut self, words: [usize; 2], instruction: usize) {
        self.rax = words[0] as u64;
        self.rdx = words[1] as u64;
        self.rip = instruction as u64;
    }

    /// Takes back the leave to access user pages (Intel SDM vol. 3A, 4.6.1).
    pub(in crate::arch) fn forbid_user_access(&mut self) {
        self.rflags &= !(RFlags::ALIGNMENT_CHECK.bits());
    }

    /// Makes the processor trap after the next instruction, or not (Intel SDM vol. 3B, 17.3.1.4).
    pub(in crate::arch) fn step(&mut self, on: bool) {
        let flags = self.rflags & !RFlags::TRAP_FLAG.bits();
        self.rflags = flags | if on { RFlags::TRAP_FLAG.bits() } else { 0 };
    }

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
