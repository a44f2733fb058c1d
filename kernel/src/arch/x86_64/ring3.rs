//! The way to ring 3 and back.

use core::arch::naked_asm;
use core::ptr::NonNull;

use layout::MemLayout;

use super::user::Frame;
use crate::arch::Layout;
use crate::arch::x86::user::KEPT;

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
        "mov rsp, rax",
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

/// Loads the registers from the frame that RSP points to (JOS's function of this name).
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn env_pop_tf() -> ! {
    naked_asm!(
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
    )
}
