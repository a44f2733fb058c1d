//! The registers of a program, as this processor has them.

use super::frame::TrapFrame;

/// The number by which ELF files name the machine.
pub(in crate::arch) const ELF_MACHINE: u16 = 62;
/// The registers that [`Frame::general`] lists.
pub(in crate::arch) const NGENERAL: usize = 15;
/// The names of the program counter and the stack pointer.
pub(in crate::arch) const POINTERS: [&str; 2] = ["rip", "rsp"];

/// Selectors of the user's segments. SYSRET wants the data's before the code's (Intel SDM vol. 3A, 5.8.8), so they
/// stand the other way round than in JOS.
pub(in crate::arch) const USER_DATA: u64 = 0x18 | 3;
pub(in crate::arch) const USER_CODE: u64 = 0x20 | 3;

/// The registers of a program. `x86::program` has its operations.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Frame {
    pub(in crate::arch) trap: TrapFrame,
}

impl Frame {
    /// A frame with these flags and the user's segments; all other registers are 0.
    pub(in crate::arch) fn with_flags(rflags: u64) -> Self {
        Self { trap: TrapFrame { cs: USER_CODE, rflags, ss: USER_DATA, ..TrapFrame::default() } }
    }

    /// The register of a call's number and result.
    #[inline]
    pub(in crate::arch) fn result(&mut self) -> &mut u64 {
        &mut self.trap.rax
    }

    /// The number of a call, and its arguments.
    #[inline]
    pub(in crate::arch) fn call(&self) -> [u64; 6] {
        let TrapFrame { rax, rdi, rsi, rdx, r10, r8, .. } = self.trap;
        [rax, rdi, rsi, rdx, r10, r8]
    }

    /// The program counter and the stack pointer.
    pub(in crate::arch) fn pointers(&mut self) -> [&mut u64; 2] {
        [&mut self.trap.rip, &mut self.trap.rsp]
    }

    /// The stack pointer, and the stack's segment.
    pub(in crate::arch) fn stack(&self) -> [u64; 2] {
        [self.trap.rsp, self.trap.ss]
    }

    /// No segment registers: a trap saves CS and SS alone.
    pub(in crate::arch) fn segments(&self) -> [(&'static str, u64); 0] {
        []
    }

    /// The general registers but RSP, in the order of their addresses.
    pub(in crate::arch) fn general(&self) -> [(&'static str, u64); NGENERAL] {
        let TrapFrame { r15, r14, r13, r12, r11, r10, r9, r8, .. } = self.trap;
        let TrapFrame { rbp, rdi, rsi, rdx, rcx, rbx, rax, .. } = self.trap;
        [
            ("r15", r15),
            ("r14", r14),
            ("r13", r13),
            ("r12", r12),
            ("r11", r11),
            ("r10", r10),
            ("r9", r9),
            ("r8", r8),
            ("rbp", rbp),
            ("rdi", rdi),
            ("rsi", rsi),
            ("rdx", rdx),
            ("rcx", rcx),
            ("rbx", rbx),
            ("rax", rax),
        ]
    }
}
