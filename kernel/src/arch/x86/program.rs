//! Ring 3: the operations on the registers of a program. Each machine's `program.rs` has the structure.

use core::fmt;

use libjos::env::abi::UTrapframe;
use libjos::env::frame::TrapFrame as EnvFrame;
use libjos::mem::addr::VirtAddr;
use libjos::paging::word::Word as _;
use monitor::processor::vector::PAGE_FAULT;
use x86_64::registers::rflags::RFlags;

use crate::arch::EntryWord;
use crate::arch::frame::TrapFrame;
use crate::arch::instructions::Cr2;
use crate::arch::program::{ELF_MACHINE, Frame, NGENERAL, POINTERS};
use crate::arch::values::DIGITS;
use crate::arch::x86::jos::{DEBUG, ErrorWords, name};

impl AsRef<TrapFrame> for Frame {
    fn as_ref(&self) -> &TrapFrame {
        &self.trap
    }
}

/// Bytes of an instruction that makes a call, INT or SYSCALL.
const CALL_SIZE: u64 = 2;

/// A register with this address in it.
fn register(va: VirtAddr) -> EntryWord {
    va.as_u64() as usize as EntryWord
}

// SAFETY: a frame is integers.
unsafe impl EnvFrame for Frame {
    type Word = EntryWord;
    const ELF_MACHINE: u16 = ELF_MACHINE;
    type UTrapframe = UTrapframe<NGENERAL, EntryWord>;

    fn user(entry: VirtAddr, stack: VirtAddr) -> Self {
        let flags = RFlags::INTERRUPT_FLAG.bits() | 1 << 1;
        let mut frame = Self::with_flags(flags as usize as EntryWord);
        frame.redirect(entry, stack);
        frame
    }

    #[inline]
    fn number(&self) -> u64 {
        self.call()[0].to_u64()
    }

    #[inline]
    fn argument(&self, n: usize) -> u64 {
        self.call()[1 + n].to_u64()
    }

    #[inline]
    fn set_result(&mut self, result: i64) {
        *self.result() = result as EntryWord;
    }

    fn call_again(&mut self) {
        let pc = VirtAddr::new(self.trap.instruction().wrapping_sub(CALL_SIZE));
        self.redirect(pc, self.sp());
    }

    fn pc(&self) -> VirtAddr {
        VirtAddr::new(self.trap.instruction())
    }

    fn sp(&self) -> VirtAddr {
        VirtAddr::new(self.stack()[0].to_u64())
    }

    fn redirect(&mut self, pc: VirtAddr, sp: VirtAddr) {
        let [its_pc, its_sp] = self.pointers();
        (*its_pc, *its_sp) = (register(pc), register(sp));
    }

    fn utrapframe(&self, fault_va: VirtAddr) -> Self::UTrapframe {
        // Without the trap flag, which a single step has set: the program would have it again when its handler returns.
        let flags = self.trap.flags().1 & !RFlags::TRAP_FLAG.bits();
        UTrapframe {
            utf_fault_va: register(fault_va),
            utf_err: self.trap.error,
            utf_regs: self.general().map(|(_, value)| value),
            utf_eip: register(self.pc()),
            utf_eflags: flags as usize as EntryWord,
            utf_esp: self.stack()[0],
        }
    }
}

impl Frame {
    /// Makes the program trap after its next instruction, or not.
    pub(crate) fn step(&mut self, on: bool) {
        self.trap.step(on);
    }

    /// Whether the trap is one that [`step`](Self::step) makes.
    pub(crate) fn is_step(&self) -> bool {
        self.trap.vector() == DEBUG
    }
}

/// JOS's lines.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: usize = 2 + DIGITS;
        let ([ip, sp], [stack, ss]) = (POINTERS, self.stack());
        let (vector, error) = (self.trap.vector(), self.trap.error());
        for (name, value) in self.general() {
            writeln!(f, "  {name:<4} {value:#0WIDTH$x}")?;
        }
        for (name, selector) in self.segments() {
            writeln!(f, "  {name:<4} 0x----{:04x}", selector & 0xFFFF)?;
        }
        writeln!(f, "  trap {vector:#010x} {}", name(vector))?;
        if vector == PAGE_FAULT {
            writeln!(f, "  cr2  {:#0WIDTH$x}", Cr2::read_raw())?;
        }
        writeln!(f, "  err  {error:#010x}{}", ErrorWords { vector, error })?;
        writeln!(f, "  {ip:<4} {:#0WIDTH$x}", self.trap.instruction())?;
        writeln!(f, "  cs   0x----{:04x}", self.trap.cs & 0xFFFF)?;
        writeln!(f, "  flag {:#010x}", self.trap.flags().1)?;
        writeln!(f, "  {sp:<4} {stack:#0WIDTH$x}")?;
        writeln!(f, "  ss   0x----{:04x}", ss & 0xFFFF)
    }
}

#[cfg(test)]
mod tests;
