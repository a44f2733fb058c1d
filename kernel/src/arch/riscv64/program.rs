//! The registers of a program, which is never run: this machine has no user mode yet.

use core::fmt;

use libjos::env::abi::UTrapframe;
use libjos::env::frame::TrapFrame;
use libjos::mem::addr::VirtAddr;

/// The registers of a program: the program counter and the stack pointer alone.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Frame {
    pc: u64,
    sp: u64,
}

// SAFETY: a frame is integers.
unsafe impl TrapFrame for Frame {
    type Word = u64;
    /// No program is for this machine.
    const ELF_MACHINE: u16 = 0;
    type UTrapframe = UTrapframe<0, u64>;

    fn user(entry: VirtAddr, stack: VirtAddr) -> Self {
        Self { pc: entry.as_u64(), sp: stack.as_u64() }
    }

    fn number(&self) -> u64 {
        u64::MAX
    }

    fn argument(&self, _n: usize) -> u64 {
        0
    }

    fn set_result(&mut self, _result: i64) {}

    fn call_again(&mut self) {}

    fn pc(&self) -> VirtAddr {
        VirtAddr::new(self.pc)
    }

    fn sp(&self) -> VirtAddr {
        VirtAddr::new(self.sp)
    }

    fn redirect(&mut self, pc: VirtAddr, sp: VirtAddr) {
        *self = Self::user(pc, sp);
    }

    fn utrapframe(&self, fault_va: VirtAddr) -> Self::UTrapframe {
        UTrapframe {
            utf_fault_va: fault_va.as_u64(),
            utf_err: 0,
            utf_regs: [],
            utf_eip: self.pc,
            utf_eflags: 0,
            utf_esp: self.sp,
        }
    }
}

impl Frame {
    pub(crate) fn step(&mut self, _on: bool) {}

    pub(crate) fn is_step(&self) -> bool {
        false
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  pc   {:#018x}\n  sp   {:#018x}", self.pc, self.sp)
    }
}
