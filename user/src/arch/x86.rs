//! Instructions that i386 and x86-64 have in common.

use core::arch::{asm, global_asm};

/// The processor's note that it is to try an instruction again (Intel SDM vol. 1, 3.4.3: RF).
pub(crate) const RESUME_FLAG: usize = 1 << 16;
/// The flag with which each instruction traps (TF).
pub const TRAP_FLAG: usize = 1 << 8;
/// Flags that a program can set, and that change what the kernel's code does if it keeps them: DF, NT and AC.
pub const KEPT_FLAGS: [(&str, usize); 4] =
    [("DF", DF), ("NT", NT), ("AC", AC), ("DF, NT and AC", DF | NT | AC)];
/// Flags that a program cannot set. The processor leaves them as they are.
pub const IGNORED_FLAGS: [(&str, usize); 5] =
    [("IOPL", 3 << 12), ("RF", RESUME_FLAG), ("VM", 1 << 17), ("VIF", 1 << 19), ("VIP", 1 << 20)];
/// The flag that lets interrupts in (IF). A program cannot clear it.
pub const INTERRUPT_FLAG: usize = 1 << 9;
const DF: usize = 1 << 10;
const NT: usize = 1 << 14;
const AC: usize = 1 << 18;

/// Raises the breakpoint exception by INT3.
pub fn breakpoint() {
    // SAFETY: the kernel may stop the program, and changes none of its memory.
    unsafe { asm!("int3", options(nomem, nostack)) };
}

/// Loads 4 bytes.
///
/// # Safety
///
/// The kernel may end the program, or call its page-fault handler.
#[must_use]
pub unsafe fn read(va: usize) -> u32 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("mov {:e}, [{}]", out(reg) value, in(reg) va, options(readonly, nostack)) };
    value
}

/// Loads a byte.
///
/// # Safety
///
/// As for [`read`].
#[must_use]
pub unsafe fn read_byte(va: usize) -> u8 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("mov {}, [{}]", out(reg_byte) value, in(reg) va, options(readonly, nostack)) };
    value
}

/// Stores 4 bytes.
///
/// # Safety
///
/// As for [`read`]; no Rust object lies at `va`.
pub unsafe fn write(va: usize, value: u32) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov [{}], {:e}", in(reg) va, in(reg) value, options(nostack)) };
}

/// The processor's counter.
#[must_use]
pub fn now() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack)) };
    u64::from(high) << 32 | u64::from(low)
}

// The page-fault handler makes the first go on at the second.
global_asm!(
    ".globl fault_and_resume, resume",
    "fault_and_resume:",
    "    mov eax, [0]",
    "resume:",
    "    ret",
);

// SAFETY: the assembly above defines both. They use EAX alone, as a C function may.
unsafe extern "C" {
    /// Faults at address 0.
    ///
    /// # Safety
    ///
    /// The page-fault handler makes it go on at [`resumption`].
    pub fn fault_and_resume();
    fn resume();
}

/// The address behind the fault of [`fault_and_resume`].
#[must_use]
pub fn resumption() -> usize {
    resume as *const () as usize
}

/// Divides by DIV.
///
/// # Safety
///
/// The kernel ends the program if `divisor` is 0.
#[must_use]
pub unsafe fn divide(dividend: u32, divisor: u32) -> u32 {
    let quotient;
    // SAFETY: the caller's promise. EDX is 0, so that the quotient fits.
    unsafe {
        asm!("div {:e}", in(reg) divisor, inlateout("eax") dividend => quotient, inout("edx") 0 => _,
             options(nomem, nostack));
    }
    quotient
}

/// Loads a segment register: DS, ES, FS, GS or SS.
///
/// # Safety
///
/// The kernel ends the program if the selector is none of a user's data segments. A register without a segment
/// makes accesses fault.
pub unsafe fn load_segment(register: usize, selector: u16) {
    // SAFETY: the caller's promise.
    unsafe {
        match register {
            0 => asm!("mov ds, {:x}", in(reg) selector),
            1 => asm!("mov es, {:x}", in(reg) selector),
            2 => asm!("mov fs, {:x}", in(reg) selector),
            3 => asm!("mov gs, {:x}", in(reg) selector),
            _ => asm!("mov ss, {:x}", in(reg) selector),
        }
    }
}

/// Keeps a number in the registers for floating point for some turns of the other environments; returns whether it is
/// still there.
#[must_use]
pub fn keep_floats(number: u64, turns: u32) -> bool {
    let mut now = 0_u64;
    // SAFETY: code of this crate uses none of these registers. EAX is YIELD's number, and then its result.
    unsafe {
        asm!("fninit", "fld qword ptr [{}]", in(reg) &raw const number, options(nostack));
        super::load_vector(number);
        for _ in 0..turns {
            crate::syscall::sys_yield();
        }
        asm!("fstp qword ptr [{}]", in(reg) &raw mut now, options(nostack));
    }
    now == number && super::is_in_vector(number)
}

/// Leaves an exception pending in the registers for floating point: a division by zero, not masked. The next instruction
/// that waits for them would raise it.
pub fn divide_floats() {
    let control = 0x37B_u16;
    // SAFETY: none of these instructions waits after the division.
    unsafe {
        asm!("fninit", "fldcw [{}]", "fld1", "fldz", "fdivp", in(reg) &raw const control, options(nostack));
    }
}

/// Forgets the exception that [`divide_floats`] has left.
pub fn forget_floats() {
    // SAFETY: nothing else uses these registers.
    unsafe { asm!("fninit", options(nomem, nostack)) };
}

/// Waits for the registers for floating point, which raises an exception that is pending there.
pub fn wait_for_floats() {
    // SAFETY: changes nothing.
    unsafe { asm!("fwait", options(nomem, nostack)) };
}

// The vector is part of the instruction INT. So there is one INT for each vector, 4 bytes apart.
global_asm!(
    ".pushsection .text.interrupts, \"ax\"",
    "interrupts:",
    ".set vector, 0",
    ".rept 256",
    "    .byte 0xCD, vector",
    "    ret",
    "    nop",
    ".set vector, vector + 1",
    ".endr",
    ".popsection",
);

// SAFETY: the assembly above defines it.
unsafe extern "C" {
    /// The first of the INT instructions.
    fn interrupts();
}

/// Raises `vector` by INT.
///
/// # Safety
///
/// The kernel ends the program if programs may not raise the vector. The system call's vector makes a call that fails.
pub unsafe fn int(vector: u8) {
    let instruction = interrupts as *const () as usize + 4 * usize::from(vector);
    // SAFETY: the caller's promise. The number of the system call is one that does not exist.
    unsafe { asm!("call {}", in(reg) instruction, inout("eax") u32::MAX => _, clobber_abi("C")) };
}
