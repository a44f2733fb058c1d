//! Ring 3: the registers of a program.

use core::fmt;

use libjos::env::abi::UTrapframe;
use libjos::env::frame::TrapFrame as EnvFrame;
use libjos::mem::addr::VirtAddr;
use x86_64::registers::rflags::RFlags;

use super::frame::TrapFrame;
use crate::arch::instructions::Cr2;
use crate::arch::x86::jos::{DEBUG, ErrorWords, name};
use libjos::monitor::processor::vector::PAGE_FAULT;

/// The registers of a program.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Frame(TrapFrame);

/// Selectors of the user's segments. SYSRET wants the data's before the code's (Intel SDM vol. 3A, 5.8.8), so they
/// stand the other way round than in JOS.
pub(in crate::arch) const USER_DATA: u64 = 0x18 | 3;
pub(in crate::arch) const USER_CODE: u64 = 0x20 | 3;

impl AsRef<TrapFrame> for Frame {
    fn as_ref(&self) -> &TrapFrame {
        &self.0
    }
}

// SAFETY: a frame is integers.
unsafe impl EnvFrame for Frame {
    type Word = u64;
    const ELF_MACHINE: u16 = 62;
    type UTrapframe = UTrapframe<15, u64>;

    fn user(entry: VirtAddr, stack: VirtAddr) -> Self {
        Self(TrapFrame {
            rip: entry.as_u64(),
            cs: USER_CODE,
            rflags: RFlags::INTERRUPT_FLAG.bits() | 1 << 1,
            rsp: stack.as_u64(),
            ss: USER_DATA,
            ..TrapFrame::default()
        })
    }

    #[inline]
    fn number(&self) -> u64 {
        self.0.rax
    }

    #[inline]
    fn argument(&self, n: usize) -> u64 {
        let TrapFrame { rdi, rsi, rdx, r10, r8, .. } = self.0;
        [rdi, rsi, rdx, r10, r8][n]
    }

    #[inline]
    fn set_result(&mut self, result: i64) {
        self.0.rax = result as u64;
    }

    fn pc(&self) -> VirtAddr {
        VirtAddr::new(self.0.rip)
    }

    fn sp(&self) -> VirtAddr {
        VirtAddr::new(self.0.rsp)
    }

    fn redirect(&mut self, pc: VirtAddr, sp: VirtAddr) {
        (self.0.rip, self.0.rsp) = (pc.as_u64(), sp.as_u64());
    }

    fn utrapframe(&self, fault_va: VirtAddr) -> Self::UTrapframe {
        UTrapframe {
            utf_fault_va: fault_va.as_u64(),
            utf_err: self.0.error,
            utf_regs: self.general().map(|(_, value)| value),
            utf_eip: self.0.rip,
            utf_eflags: self.0.rflags,
            utf_esp: self.0.rsp,
        }
    }
}

impl Frame {
    /// Makes the program trap after its next instruction, or not.
    pub(crate) fn step(&mut self, on: bool) {
        self.0.step(on);
    }

    /// Whether the trap is one that [`step`](Self::step) makes.
    pub(crate) fn is_step(&self) -> bool {
        self.0.vector() == DEBUG
    }

    /// The general registers but RSP, in the order of their addresses.
    fn general(&self) -> [(&'static str, u64); 15] {
        let TrapFrame { r15, r14, r13, r12, r11, r10, r9, r8, .. } = self.0;
        let TrapFrame { rbp, rdi, rsi, rdx, rcx, rbx, rax, .. } = self.0;
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

/// JOS's lines.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.general() {
            writeln!(f, "  {name:<4} {value:#018x}")?;
        }
        let TrapFrame { vector, error, rip, cs, rflags, rsp, ss, .. } = self.0;
        writeln!(f, "  trap {vector:#010x} {}", name(vector))?;
        if vector == PAGE_FAULT {
            writeln!(f, "  cr2  {:#018x}", Cr2::read_raw())?;
        }
        writeln!(f, "  err  {error:#010x}{}", ErrorWords { vector, error })?;
        writeln!(f, "  rip  {rip:#018x}")?;
        writeln!(f, "  cs   0x----{:04x}", cs & 0xFFFF)?;
        writeln!(f, "  flag {rflags:#010x}")?;
        writeln!(f, "  rsp  {rsp:#018x}")?;
        writeln!(f, "  ss   0x----{:04x}", ss & 0xFFFF)
    }
}

#[cfg(test)]
mod tests;
