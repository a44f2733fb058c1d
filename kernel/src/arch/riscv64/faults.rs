//! Single instructions that must fault. `crate::faults` says what each one tests.

use core::arch::asm;
use core::hint::black_box;
use core::sync::atomic::AtomicU32;

use layout::MemLayout;

use super::instructions::{SUM, read as read_register};
use super::probe;
use crate::arch::{Layout, odd_registers};
use crate::faults::fault::FaultTest;

/// The fault tests that only this machine has.
pub(crate) const FAULTS: &[FaultTest] = &[
    FaultTest { name: "breakpoint", commit: breakpoint },
    FaultTest { name: "invalid-opcode", commit: invalid_opcode },
    FaultTest { name: "access-fault", commit: || read(Layout::MMIOBASE + NO_REGISTER) },
    FaultTest { name: "broken-stack", commit: broken_stack },
    FaultTest { name: "lost-stack", commit: lost_stack },
    FaultTest { name: "registers", commit: odd_registers::fault },
    FaultTest { name: "registers-handled", commit: odd_registers::fault_after_handled },
];

/// A level whose entries can have a reserved bit, and a bit that makes it so (RISC-V privileged specification,
/// 12.4.1).
pub(crate) const RESERVED: (u32, u64) = (0, 1 << 54);

/// An address without RAM on QEMU's `virt`, and without a device.
pub(crate) const NO_RAM: u64 = 0x1800_0000;

/// An offset in the UART's page behind its registers.
const NO_REGISTER: u64 = 0x800;

/// A function that does nothing: a single RET.
pub(crate) static CODE: AtomicU32 = AtomicU32::new(0x8067);

/// Reads a register's bytes by an instruction that the compiler cannot leave out.
pub(crate) fn read(va: u64) {
    let value: u64;
    // SAFETY: reading changes nothing; a fault is intended.
    unsafe { asm!("ld {}, 0({})", out(reg) value, in(reg) va, options(readonly, nostack)) };
    black_box(value);
}

/// Writes the double word at `va` without changing it.
pub(crate) fn write(va: u64) {
    // By a load and a store, since QEMU reports a forbidden AMO as a load.
    let value = probe::load_user(va).unwrap_or(0);
    // SAFETY: this writes back the value that is there; all callers' addresses are mapped.
    unsafe { asm!("sd {}, 0({})", in(reg) value, in(reg) va, options(nostack)) };
}

/// Calls the code at `va`.
///
/// # Safety
///
/// The code cannot be executed, or is [`CODE`].
pub(crate) unsafe fn execute(va: u64) {
    // SAFETY: if the code runs, it returns here at once and changes no register.
    unsafe { asm!("jalr {}", in(reg) va, out("ra") _) };
}

/// Whether the kernel may access user pages now (SSTATUS.SUM).
pub(crate) fn user_access_allowed() -> bool {
    read_register!(sstatus) & SUM != 0
}

fn breakpoint() {
    // SAFETY: the instruction traps, and changes nothing.
    unsafe { asm!("ebreak") };
}

fn invalid_opcode() {
    // SAFETY: the instruction faults, and changes nothing.
    unsafe { asm!("unimp") };
}

/// Reads address 0 with an invalid frame pointer.
fn broken_stack() {
    // SAFETY: the read faults, and nothing that needs the frame pointer runs after it.
    unsafe {
        asm!("mv s0, {}", "ld t0, 0(zero)", "unimp", in(reg) Layout::USTACKTOP, options(noreturn));
    }
}

/// Pushes to an unmapped stack, on which the trap's frame has no place either.
fn lost_stack() {
    // SAFETY: the store faults, and nothing runs after it.
    unsafe {
        asm!("mv sp, {}", "sd zero, -8(sp)", "unimp", in(reg) Layout::USTACKTOP, options(noreturn));
    }
}
