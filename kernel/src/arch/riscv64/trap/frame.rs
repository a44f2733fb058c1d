//! [`TrapFrame`]: the registers at a trap; [`Trap`]: a trap.

use crate::arch::riscv64::instructions::SUM;

/// The registers at a trap, as the stub saves them.
#[derive(Debug)]
#[repr(C, align(16))]
pub(crate) struct TrapFrame {
    /// X1 to X31, each at its number. The first word, in place of the register that is always 0, tells whether
    /// the interrupted stack had no room for this frame.
    pub(super) x: [u64; 32],
    /// The address of the interrupted instruction.
    pub(in crate::arch) sepc: u64,
    /// The status before the trap.
    pub(in crate::arch) sstatus: u64,
    /// The cause's number.
    pub(in crate::arch) scause: u64,
    /// The address of a memory access, or the bits of an illegal instruction.
    pub(in crate::arch) stval: u64,
    /// The registers of the FPU that a function may change, each at its number, if SSTATUS.FS says that they
    /// have been used; and its status.
    pub(super) f: [u64; 32],
    pub(super) fcsr: u64,
}

/// A trap.
#[derive(Debug)]
pub(crate) struct Trap<'a> {
    /// The interrupted registers.
    pub(in crate::arch) frame: &'a mut TrapFrame,
}

/// The names of X0 to X31 (RISC-V ABIs, "Integer Register Convention").
const NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

impl TrapFrame {
    /// Whether the interrupted stack had no room for the frame.
    pub(super) fn has_lost_stack(&self) -> bool {
        self.x[0] != 0
    }

    /// The general registers, and the program counter, with their names.
    pub(super) fn registers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let general = NAMES.into_iter().zip(self.x).skip(1);
        core::iter::once(("pc", self.sepc)).chain(general)
    }

    /// The frame pointer of the interrupted function.
    pub(super) fn frame_pointer(&self) -> u64 {
        self.x[8]
    }

    /// Makes a probe return `words` by the code at `instruction`.
    pub(in crate::arch) fn return_words(&mut self, words: [usize; 2], instruction: usize) {
        (self.x[10], self.x[11]) = (words[0] as u64, words[1] as u64);
        self.sepc = instruction as u64;
    }

    /// Takes back the leave to access user pages.
    pub(in crate::arch) fn forbid_user_access(&mut self) {
        self.sstatus &= !SUM;
    }
}
