//! Programs on a simulated machine: their registers, and their accesses to memory.

use core::fmt;
use core::marker::PhantomData;

use super::mmu::{Kind, Mmu};
use crate::env::TrapFrame;
use crate::env::abi::UTrapframe;
use crate::mem::addr::VirtAddr;
use crate::paging::format::Format;
use crate::paging::word::Word;

/// General registers of a simulated program. The first holds the number of a call, and then its result; its
/// arguments follow.
pub const REGISTERS: usize = 8;

/// Bytes that an operation of a program takes in memory. The processor fetches them, and ignores their contents: the
/// program's list says which operation it is.
pub const OPERATION_SIZE: u64 = 8;

/// The registers of a program on a simulated machine with page tables of format `F`: as many words as JOS's on
/// i386.
#[repr(C)]
pub struct SimFrame<F: Format> {
    /// The general registers.
    pub registers: [F::Word; REGISTERS],
    unused: [F::Word; 6],
    /// The program counter.
    pub pc: F::Word,
    /// Whether the frame is a program's: 1 if so.
    pub user: F::Word,
    /// The stack pointer.
    pub sp: F::Word,
    format: PhantomData<fn() -> F>,
}

impl<F: Format> Clone for SimFrame<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Format> Copy for SimFrame<F> {}

impl<F: Format> fmt::Debug for SimFrame<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registers, pc, sp, .. } = self;
        write!(f, "pc {pc:x?} sp {sp:x?} {registers:x?}")
    }
}

impl<F: Format> PartialEq for SimFrame<F> {
    fn eq(&self, other: &Self) -> bool {
        let of = |frame: &Self| (frame.registers, frame.pc, frame.user, frame.sp);
        of(self) == of(other)
    }
}

impl<F: Format> fmt::Display for SimFrame<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  pc   {:#010x}", self.pc)
    }
}

// SAFETY: its fields are integers, and a `PhantomData`.
unsafe impl<F: Format + Mmu> TrapFrame for SimFrame<F> {
    type Word = F::Word;
    type UTrapframe = UTrapframe<REGISTERS, F::Word>;

    const ELF_MACHINE: u16 = match F::KIND {
        Kind::I386 => elf::abi::EM_386,
        Kind::LongMode { .. } => elf::abi::EM_X86_64,
        Kind::RiscV { .. } => elf::abi::EM_RISCV,
    };

    fn user(entry: VirtAddr, stack: VirtAddr) -> Self {
        let word = |va: VirtAddr| F::Word::from_u64(va.as_u64());
        let zero = F::Word::ZERO;
        Self {
            registers: [zero; REGISTERS],
            unused: [zero; 6],
            pc: word(entry),
            user: F::Word::from_u64(1),
            sp: word(stack),
            format: PhantomData,
        }
    }

    fn number(&self) -> u64 {
        self.registers[0].to_u64()
    }

    fn argument(&self, n: usize) -> u64 {
        self.registers[1 + n].to_u64()
    }

    fn set_result(&mut self, result: i64) {
        let mask = u64::MAX >> (64 - 8 * F::Word::BYTES);
        self.registers[0] = F::Word::from_u64(result.cast_unsigned() & mask);
    }

    fn call_again(&mut self) {
        self.pc = F::Word::from_u64(self.pc.to_u64() - OPERATION_SIZE);
    }

    fn pc(&self) -> VirtAddr {
        VirtAddr::new(self.pc.to_u64())
    }

    fn sp(&self) -> VirtAddr {
        VirtAddr::new(self.sp.to_u64())
    }

    fn redirect(&mut self, pc: VirtAddr, sp: VirtAddr) {
        (self.pc, self.sp) = (F::Word::from_u64(pc.as_u64()), F::Word::from_u64(sp.as_u64()));
    }

    fn utrapframe(&self, fault_va: VirtAddr) -> Self::UTrapframe {
        UTrapframe {
            utf_fault_va: F::Word::from_u64(fault_va.as_u64()),
            utf_err: F::Word::ZERO,
            utf_regs: self.registers,
            utf_eip: self.pc,
            utf_eflags: F::Word::ZERO,
            utf_esp: self.sp,
        }
    }
}
