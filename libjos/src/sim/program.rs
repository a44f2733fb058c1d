//! Programs that a simulated processor runs: lists of operations. All that a program knows lies in its registers
//! and its memory, so it can be suspended, forked and handed its faults.

use layout::MemLayout;

use super::SimMachine;
use super::mmu::Mmu;
use super::user::{OPERATION_SIZE, REGISTERS, SimFrame};
use crate::env::{Cause, TrapFrame};
use crate::mem::addr::VirtAddr;
use crate::paging::format::Format;
use crate::paging::word::Word;

/// An operation. Registers are named by their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Sets a register to a value.
    Set(usize, u64),
    /// Sets a register to another one.
    Copy(usize, usize),
    /// Adds the second register to the first, modulo the size of a word.
    Add(usize, usize),
    /// Sets a register to the stack pointer.
    Stack(usize),
    /// Sets the first register to the word in memory that the second one points at.
    Load(usize, usize),
    /// Sets the word in memory that the first register points at to the second one.
    Store(usize, usize),
    /// Goes on at the operation with this index.
    Jump(usize),
    /// Goes on at the operation with this index if the register is 0.
    JumpIfZero(usize, usize),
    /// Calls the kernel.
    Call,
    /// Ends a handler of page faults: the frame that the stack pointer points at gives all registers.
    Resume,
    /// Comes to a breakpoint.
    Break,
}

impl<L: MemLayout, F: Format + Mmu> SimMachine<L, F> {
    /// Does the operation of `program` at the frame's program counter. The program begins at `start`. Returns the trap,
    /// if the operation raises one.
    pub fn step(
        &mut self,
        program: &[Operation],
        start: VirtAddr,
        frame: &mut SimFrame<F>,
    ) -> Option<Cause> {
        let pc = frame.pc();
        if self.user_fetch(VirtAddr::new(pc.as_u64() & !7)).is_err() {
            return Some(Cause::PageFault { va: pc });
        }
        let index = pc.as_u64().wrapping_sub(start.as_u64()) / OPERATION_SIZE;
        let Some(operation) = program.get(index as usize) else { return Some(Cause::Exception) };
        let mut next = index + 1;
        let mut trap = None;
        let registers = &mut frame.registers;
        match *operation {
            Operation::Set(to, value) => registers[to] = F::Word::from_u64(value),
            Operation::Copy(to, from) => registers[to] = registers[from],
            Operation::Add(to, from) => registers[to] = registers[to].wrapping_add(registers[from]),
            Operation::Stack(to) => registers[to] = frame.sp,
            Operation::Load(to, at) => match self.load_word(registers[at].to_u64()) {
                Ok(word) => registers[to] = word,
                Err(cause) => return Some(cause),
            },
            Operation::Store(at, from) => {
                if let Err(cause) = self.store_word(registers[at].to_u64(), registers[from]) {
                    return Some(cause);
                }
            }
            Operation::Jump(index) => next = index as u64,
            Operation::JumpIfZero(register, index) => {
                if registers[register] == F::Word::ZERO {
                    next = index as u64;
                }
            }
            Operation::Call => trap = Some(Cause::Syscall),
            Operation::Break => trap = Some(Cause::Breakpoint),
            Operation::Resume => return self.resume(frame).err(),
        }
        frame.pc = F::Word::from_u64(start.as_u64() + next * OPERATION_SIZE);
        trap
    }

    /// Loads all registers from the page fault's frame (a [`UTrapframe`](crate::env::abi::UTrapframe)), which lies at
    /// the stack pointer.
    fn resume(&mut self, frame: &mut SimFrame<F>) -> Result<(), Cause> {
        let sp = frame.sp().as_u64();
        let mut word = |number: usize| self.load_word(sp + number as u64 * F::Word::BYTES);
        let mut registers = [F::Word::ZERO; REGISTERS];
        for (number, register) in registers.iter_mut().enumerate() {
            *register = word(2 + number)?; // behind utf_fault_va and utf_err
        }
        let (pc, sp) = (word(2 + REGISTERS)?, word(4 + REGISTERS)?); // utf_eip and utf_esp
        (frame.registers, frame.pc, frame.sp) = (registers, pc, sp);
        Ok(())
    }

    /// Reads the word at `va`, which is aligned, as the program does.
    fn load_word(&mut self, va: u64) -> Result<F::Word, Cause> {
        let fault = Cause::PageFault { va: VirtAddr::new(va) };
        let bytes = self.user_load(VirtAddr::new(va & !7)).map_err(|_| fault)?;
        let mask = u64::MAX >> (64 - 8 * F::Word::BYTES);
        Ok(F::Word::from_u64(bytes >> (va % 8 * 8) & mask))
    }

    /// Writes the word at `va`, which is aligned, as the program does. Two narrow words share 8 bytes: the other one
    /// keeps its value.
    fn store_word(&mut self, va: u64, word: F::Word) -> Result<(), Cause> {
        let fault = |_| Cause::PageFault { va: VirtAddr::new(va) };
        let (at, shift) = (VirtAddr::new(va & !7), va % 8 * 8);
        let mask = u64::MAX >> (64 - 8 * F::Word::BYTES) << shift;
        let bytes = self.user_load(at).map_err(fault)?;
        self.user_store(at, bytes & !mask | word.to_u64() << shift).map_err(fault)
    }
}
