//! The way to ring 3 and back.

use core::arch::{asm, naked_asm};
use core::ptr::NonNull;

use layout::MemLayout;

use super::program::Frame;
use crate::arch::Layout;
use crate::arch::instructions::{Cr0, Cr4};
use crate::arch::x86::user::{FRAME, KEPT};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};

/// The stack pointer of the kernel's code that runs programs.
static mut KEPT_RSP: u64 = 0;

/// Runs a program with the registers in `frame`. Returns when [`leave`] is called in the handler of a trap; until then
/// the kernel's stack is for traps alone, and the words on it are kept elsewhere.
///
/// # Safety
///
/// Interrupts are off. `frame` is one of a program whose page directory is in use.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn run(frame: NonNull<Frame>) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rip + {KEPT_RSP}], rsp",
        "mov rax, rdi",
        "lea rdi, [rip + {KEPT}]",
        "mov rsi, rsp",
        "mov rcx, {KSTACKTOP}",
        "sub rcx, rsp",
        "rep movsb",
        "mov rdi, rax",
        "jmp {pop}",
        KEPT_RSP = sym KEPT_RSP,
        KEPT = sym KEPT,
        KSTACKTOP = const Layout::KSTACKTOP,
        pop = sym env_pop_tf,
    )
}

/// Returns from [`run`].
///
/// # Safety
///
/// `run` waits for this. Nothing on the stack is needed any more.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave() -> ! {
    naked_asm!(
        "mov rsp, [rip + {KEPT_RSP}]",
        "mov rdi, rsp",
        "lea rsi, [rip + {KEPT}]",
        "mov rcx, {KSTACKTOP}",
        "sub rcx, rsp",
        "rep movsb",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        KEPT_RSP = sym KEPT_RSP,
        KEPT = sym KEPT,
        KSTACKTOP = const Layout::KSTACKTOP,
    )
}

/// Loads the registers from `frame`, which is the frame of the program that runs from here on (JOS's function of this
/// name).
///
/// # Safety
///
/// As for [`run`].
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn env_pop_tf(frame: NonNull<Frame>) -> ! {
    naked_asm!(
        "mov rsp, rdi",
        "mov [rip + {FRAME}], rsp",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rbp",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbx",
        "pop rax",
        "add rsp, 16", // vector and error code
        "iretq",
        FRAME = sym FRAME,
    )
}

/// The state of the registers for floating-point numbers and vectors in which a program finds them: FCW and MXCSR as at
/// reset, everything else 0 (Intel SDM vol. 1, 10.5.1).
pub(in crate::arch) const INITIAL_FLOATS: [u8; 512] = {
    let mut state = [0; 512];
    (state[0], state[1], state[24], state[25]) = (0x7F, 0x03, 0x80, 0x1F);
    state
};

/// Lets programs use these registers, or nobody: the kernel does not, and every processor has them.
pub(crate) fn allow_floats(allowed: bool) {
    // SAFETY: `floats` saves and restores them. TS and MP make their first use by another program fault.
    unsafe {
        Cr4::update(|cr4| cr4.set(Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE, allowed));
        Cr0::update(|cr0| {
            cr0.set(Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR, allowed);
        });
    }
}

/// Lets the next instruction use the registers.
pub(in crate::arch) fn clear_task_switched() {
    // SAFETY: clears CR0.TS, which only says whether the registers can be used.
    unsafe { asm!("clts", options(nomem, nostack, preserves_flags)) };
}

/// Saves the registers.
pub(in crate::arch) fn save_floats(state: *mut u8) {
    // SAFETY: the state has room for them, and nothing else uses it.
    unsafe { asm!("fxsave64 [{}]", in(reg) state, options(nostack, preserves_flags)) };
}

/// Restores the registers.
pub(in crate::arch) fn restore_floats(state: *mut u8) {
    // SAFETY: the state is one that was saved, or the first one. The kernel uses none of these registers.
    unsafe { asm!("fxrstor64 [{}]", in(reg) state, options(nostack, preserves_flags)) };
}
