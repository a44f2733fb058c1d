//! Instructions that must fault, each by itself. `crate::faults` says what each is to show.

use core::arch::asm;
use core::hint::black_box;
use core::sync::atomic::AtomicU8;

use layout::MemLayout;
use x86_64::registers::rflags::{self, RFlags};

use super::registers;
use crate::arch::Layout;
use crate::faults::fault::Fault;

/// The faults that only this machine can be asked for.
pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "divide", commit: divide },
    Fault { name: "breakpoint", commit: x86_64::instructions::interrupts::int3 },
    Fault { name: "invalid-opcode", commit: invalid_opcode },
    Fault { name: "bad-selector", commit: bad_selector },
    Fault { name: "bad-interrupt", commit: bad_interrupt },
    Fault { name: "broken-stack", commit: broken_stack },
    Fault { name: "lost-stack", commit: lost_stack },
    Fault { name: "registers", commit: registers::fault },
    Fault { name: "registers-handled", commit: registers::fault_after_handled },
];

/// A bit of an entry that no processor knows yet (Intel SDM vol. 3A, table 4-20).
pub(crate) const RESERVED_BIT: u64 = 1 << 51;

/// A function that does nothing: a single RET.
pub(crate) static CODE: AtomicU8 = AtomicU8::new(0xC3);

/// Reads 8 bytes by an instruction that no compiler can leave out.
pub(crate) fn read(va: u64) {
    let value: u64;
    // SAFETY: reading changes nothing; where nothing is mapped, the fault is what is wanted.
    unsafe { asm!("mov {}, [{}]", out(reg) value, in(reg) va, options(readonly, nostack)) };
    black_box(value);
}

/// Writes the 8 bytes at `va` by an instruction that changes none of them. It is one access, a
/// write, so that SMAP cannot make it a forbidden read first.
pub(crate) fn write(va: u64) {
    // SAFETY: the same value is written that is there; all addresses here are mapped.
    unsafe { asm!("or qword ptr [{}], 0", in(reg) va, options(nostack)) };
}

/// Calls the code at `va`.
///
/// # Safety
///
/// It cannot be executed, or is what [`CODE`] holds.
pub(crate) unsafe fn execute(va: u64) {
    // SAFETY: should the code run, it returns here at once, and has changed no register.
    unsafe { asm!("call {}", in(reg) va) };
}

/// Whether the kernel may touch the user's pages now, because it said so. The processor must have SMAP.
pub(crate) fn user_is_open() -> bool {
    rflags::read().contains(RFlags::ALIGNMENT_CHECK)
}

/// Divides by 0, by an instruction that no compiler can replace by a check.
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

/// Reads address 0 with a frame pointer that leads nowhere.
fn broken_stack() {
    // SAFETY: the read faults, and nothing runs after it that needs the frame pointer.
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

/// Pushes where nothing is mapped, so that there is no stack for the page fault either.
fn lost_stack() {
    // SAFETY: the push faults, and nothing runs after it.
    unsafe {
        asm!("mov rsp, {0}", "push {0}", "ud2", in(reg) Layout::USTACKTOP, options(noreturn));
    }
}
