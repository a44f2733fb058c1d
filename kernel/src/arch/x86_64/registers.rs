//! Odd values for all registers, which `odd_registers` loads, and numbers for `x86::faults`.

use core::arch::naked_asm;

use x86_64::instructions::segmentation::{CS, SS, Segment};

use crate::arch::odd_registers::{AREAS_START, STACK};

/// The flags that do not affect the kernel: ID, OF, DF, SF, ZF, AF, PF, the constant 1, and CF.
const FLAGS: u64 = 0x20_0CD7;
/// An unmapped address. Fetching an instruction from it is the fault.
pub(in crate::arch) const NOWHERE: u64 = 0x0000_7654_3210_0AB0;

/// A level whose entries can have a reserved bit, and a bit that makes it so: no processor uses it yet (Intel SDM
/// vol. 3A, table 4-20).
pub(crate) const RESERVED: (u32, u64) = (0, 1 << 51);

/// An address without RAM on a PC of less than 512 GB.
pub(crate) const NO_RAM: u64 = 1 << 39;

/// Loads every register, and continues at `rip`.
///
/// # Safety
///
/// The code at `rip` must be fit to run with any values in the registers.
pub(in crate::arch) unsafe fn load(rip: u64) -> ! {
    let (cs, ss) = (CS::get_reg().0.into(), SS::get_reg().0.into());
    // SAFETY: the caller's promise; and the selectors are those in use. RSP lies in the kernel's stack,
    // whose frames are never returned to.
    unsafe { load_registers(rip, cs, ss) }
}

/// Loads every register with a value that spells its name (D1 for RDI, 51 for RSI, B9 for RBP), and
/// continues at `rip`.
///
/// # Safety
///
/// The code at `rip` must be fit to run with these registers, in the segments `cs` and `ss`.
#[unsafe(naked)]
unsafe extern "C" fn load_registers(rip: u64, cs: u64, ss: u64) -> ! {
    naked_asm!(
        "mov eax, 5",
        "mov cr8, rax", // has no effect, since interrupts are off
        "mov rax, {STACK}",
        "push rdx",
        "push rax",
        "push {FLAGS}",
        "push rsi",
        "push rdi",
        "mov rax, 0xa00000000000000a",
        "mov rbx, 0xb00000000000000b",
        "mov rcx, 0xc00000000000000c",
        "mov rdx, 0xd00000000000000d",
        "mov rsi, 0x5100000000000051",
        "mov rdi, 0xd1000000000000d1",
        "mov rbp, 0xb9000000000000b9",
        "mov r8, 0x0800000000000008",
        "mov r9, 0x0900000000000009",
        "mov r10, 0x1000000000000010",
        "mov r11, 0x1100000000000011",
        "mov r12, 0x1200000000000012",
        "mov r13, 0x1300000000000013",
        "mov r14, 0x1400000000000014",
        "mov r15, 0x1500000000000015",
        "iretq",
        STACK = const STACK,
        FLAGS = const FLAGS,
    )
}

/// Writes to the first area's first page, then jumps to NOWHERE; neither changes a register.
#[unsafe(naked)]
pub(in crate::arch) extern "C" fn store_and_fault() {
    naked_asm!(
        "movabs [{AREAS_START}], rax",
        "jmp qword ptr [rip + 2f]",
        "2:",
        ".quad {NOWHERE}",
        AREAS_START = const AREAS_START,
        NOWHERE = const NOWHERE,
    )
}
