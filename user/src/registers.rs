//! A page fault amid known registers, for the program `faultregs`.

use core::array;
use core::sync::atomic::{AtomicUsize, Ordering};

pub use crate::arch::fault_with_registers;
use crate::arch::{COMPARED, REGISTERS, RESUME_FLAG};
use crate::inc::UTrapframe;

/// The registers at a moment: the general ones as in a `UTrapframe`, then program counter, flags and stack pointer.
pub type Registers = [AtomicUsize; COMPARED];

/// The registers when [`fault_with_registers`] faults. It sets the last three; the others are what stands here.
pub static BEFORE: Registers = {
    let mut registers = [const { AtomicUsize::new(0) }; COMPARED];
    let mut n = 0;
    while n < REGISTERS.len() {
        // A value that no other register has, and in each byte another one.
        registers[n] = AtomicUsize::new(((usize::MAX / 0xFF) * (n + 1)) ^ 0x7654_3210);
        n += 1;
    }
    registers
};

/// The registers when [`fault_with_registers`] goes on after the fault.
pub static AFTER: Registers = [const { AtomicUsize::new(0) }; COMPARED];

/// The program counter's index.
pub const PC: usize = REGISTERS.len();

/// The registers' names. One without a meaning has none.
pub const NAMES: [&str; COMPARED] = {
    let mut names = [""; COMPARED];
    let mut n = 0;
    while n < COMPARED {
        names[n] = if n < REGISTERS.len() {
            REGISTERS[n]
        } else {
            ["pc", "flags", "stack"][n - REGISTERS.len()]
        };
        n += 1;
    }
    names
};

/// The values of registers.
#[must_use]
pub fn values(registers: &Registers) -> [usize; COMPARED] {
    array::from_fn(|n| registers[n].load(Ordering::Relaxed))
}

/// The values of the registers in a frame.
#[must_use]
pub fn of_frame(frame: &UTrapframe) -> [usize; COMPARED] {
    array::from_fn(|n| match n.checked_sub(REGISTERS.len()) {
        None => frame.utf_regs[n],
        Some(0) => frame.utf_eip,
        Some(1) => frame.utf_eflags & !RESUME_FLAG,
        Some(_) => frame.utf_esp,
    })
}
