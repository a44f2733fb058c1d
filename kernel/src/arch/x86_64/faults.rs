//! Single instructions that must fault. `crate::faults` says what each one tests.

use core::arch::asm;
use core::hint::black_box;
use core::sync::atomic::AtomicU8;

use layout::MemLayout;
use x86_64::registers::rflags::{self, RFlags};

use super::registers;
use crate::arch::Layout;
use crate::faults::fault::FaultTest;

/// The fault tests that only this machine has.
pub(crate) const FAULTS: &[FaultTest] = &[
    FaultTest { name: "divide", commit: divide },
    FaultTest { name: "breakpoint", commit: x86_64::instructions::interrupts::int3 },
    FaultTest { name: "invalid-opcode", commit: invalid_opcode },
    FaultTest { name: "bad-selector", commit: bad_selector },
    FaultTest { name: "bad-interrupt", commit: bad_interrupt },
    FaultTest { name: "broken-stack", commit: broken_stack },
    FaultTest { name: "lost-stack", commit: lost_stack },
    FaultTest { name: "registers", commit: registers::fault },
    FaultTest { name: "registers-handled", commit: registers::fault_after_handled },
];

/// A reserved bit of a page-table entry: no processor uses it yet (Intel SDM vol. 3A, table 4-20).
pub(crate) const RESERVED_BIT: u64 = 1 << 51;

/// A function that does nothing: a single RET.
pub(crate) static CODE: AtomicU8 = AtomicU8::new(0xC3);

/// Reads 8 bytes by an instruction that the compiler cannot leave out.
pub(crate) fn read(va: u64) {
    let value: u64;
    // SAFETY: reading changes nothing; a fault is intended.
    unsafe { asm!("mov {}, [{}]", out(reg) value, in(reg) va, options(readonly, nostack)) };
    black_box(value);
}

/// Writes the 8 bytes at `va` without changing them. The instruction makes a single access, a write,
/// so that SMAP reports a forbidden write, not a read.
pub(crate) fn write(va: u64) {
    // SAFETY: this writes back the value that is there; all callers' addresses are mapped.
    unsafe { asm!("or qword ptr [{}], 0", in(reg) va, options(nostack)) };
}

/// Calls the code at `va`.
///
/// # Safety
///
/// The code cannot be executed, or is [`CODE`].
pub(crate) unsafe fn execute(va: u64) {
    // SAFETY: if the code runs, it returns here at once and changes no register.
    unsafe { asm!("call {}", in(reg) va) };
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

/// Loads a segment register with a selector behind the end of the GDT.
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
            "mov rbp, {nowhere}",
            "mov {nowhere}, [0]",
            "ud2",
            nowhere = in(reg) Layout::USTACKTOP,
            options(noreturn),
        );
    }
}

/// Pushes to an unmapped stack, so that the page fault cannot be delivered either.
fn lost_stack() {
    // SAFETY: the push faults, and nothing runs after it.
    unsafe {
        asm!("mov rsp, {0}", "push {0}", "ud2", in(reg) Layout::USTACKTOP, options(noreturn));
    }
}
