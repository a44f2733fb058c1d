//! Single instructions that must fault. `crate::faults` says what each one tests.

use core::arch::asm;
use core::hint::black_box;
use core::sync::atomic::AtomicU8;

use layout::MemLayout;
use x86_64::registers::rflags::RFlags;

use crate::arch::Layout;
use crate::arch::instructions::{int3, rflags, wide};
use crate::arch::odd_registers;
use crate::faults::fault::FaultTest;

pub(crate) use crate::arch::registers::{NO_RAM, RESERVED};

/// The fault tests that only PCs have.
pub(crate) const FAULTS: &[FaultTest] = &[
    FaultTest { name: "divide", commit: divide },
    FaultTest { name: "breakpoint", commit: int3 },
    FaultTest { name: "invalid-opcode", commit: invalid_opcode },
    FaultTest { name: "bad-selector", commit: bad_selector },
    FaultTest { name: "bad-interrupt", commit: bad_interrupt },
    FaultTest { name: "broken-stack", commit: broken_stack },
    FaultTest { name: "lost-stack", commit: lost_stack },
    FaultTest { name: "registers", commit: odd_registers::fault },
    FaultTest { name: "registers-handled", commit: odd_registers::fault_after_handled },
];

/// A function that does nothing: a single RET.
pub(crate) static CODE: AtomicU8 = AtomicU8::new(0xC3);

/// Reads a register's bytes by an instruction that the compiler cannot leave out.
pub(crate) fn read(va: u64) {
    let value: usize;
    // SAFETY: reading changes nothing; a fault is intended.
    unsafe {
        asm!("mov {}, [{}]", out(reg) value, in(reg) va as usize, options(readonly, nostack));
    }
    black_box(value);
}

/// Writes the byte at `va` without changing it. The instruction makes a single access, a write,
/// so that SMAP reports a forbidden write, not a read.
pub(crate) fn write(va: u64) {
    // SAFETY: this writes back the value that is there; all callers' addresses are mapped.
    unsafe { asm!("or byte ptr [{}], 0", in(reg) va as usize, options(nostack)) };
}

/// Calls the code at `va`.
///
/// # Safety
///
/// The code cannot be executed, or is [`CODE`].
pub(crate) unsafe fn execute(va: u64) {
    // SAFETY: if the code runs, it returns here at once and changes no register.
    unsafe { asm!("call {}", in(reg) va as usize) };
}

/// Whether the kernel may access user pages now, by STAC. The processor must have SMAP.
pub(crate) fn user_access_allowed() -> bool {
    rflags::read().contains(RFlags::ALIGNMENT_CHECK)
}

/// Divides by 0, by an instruction that the compiler cannot replace by a check.
fn divide() {
    // SAFETY: the division faults, and changes nothing.
    unsafe { asm!("div {:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) };
}

fn invalid_opcode() {
    // SAFETY: the instruction faults, and changes nothing.
    unsafe { asm!("ud2") };
}

/// Loads a segment register with a selector that is no segment's: it lies behind the end of the GDT, or is a
/// task's.
fn bad_selector() {
    // SAFETY: the instruction faults, and changes nothing.
    unsafe { asm!("mov es, {:x}", in(reg) 5_u16 << 3) };
}

/// Raises an interrupt that the IDT has no entry for.
fn bad_interrupt() {
    // SAFETY: the instruction faults, and changes nothing.
    unsafe { asm!("int 0x80") };
}

/// Reads address 0 with an invalid frame pointer.
fn broken_stack() {
    // SAFETY: the read faults, and nothing that needs the frame pointer runs after it.
    unsafe {
        asm!(
            wide!("mov " bp ", {0}"),
            "xor {0:e}, {0:e}",
            "mov {0}, [{0}]",
            "ud2",
            in(reg) Layout::USTACKTOP as usize,
            options(noreturn),
        );
    }
}

/// Pushes to an unmapped stack, so that the page fault cannot be delivered either.
fn lost_stack() {
    // SAFETY: the push faults, and nothing runs after it.
    unsafe {
        asm!(
            wide!("mov " sp ", {0}"),
            "push {0}",
            "ud2",
            in(reg) Layout::USTACKTOP as usize,
            options(noreturn),
        );
    }
}
