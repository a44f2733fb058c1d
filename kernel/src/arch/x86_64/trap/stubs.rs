//! `trap_common`, which saves the registers in a [`TrapFrame`].

use core::arch::global_asm;
use core::mem::offset_of;

use crate::arch::x86::jos::SYSCALL;
use crate::arch::x86::trap::stubs::{FLAGS, trap};
use crate::arch::x86::user::{CALL_HANDLER, FRAME, TRAP_HANDLER};
use crate::arch::x86_64::frame::TrapFrame;

// The processor aligns RSP to 16 before it pushes; 22 words later RSP is aligned again, as the ABI requires at
// a call.
global_asm!(
    ".globl trap_common",
    ".type trap_common, @function",
    "trap_common:",
    "    push rax",
    "    push rbx",
    "    push rcx",
    "    push rdx",
    "    push rsi",
    "    push rdi",
    "    push rbp",
    "    push r8",
    "    push r9",
    "    push r10",
    "    push r11",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    test byte ptr [rsp + {CS}], 3",
    "    jnz 1f",
    "    push {FLAGS}", // clears DF, which the ABI wants clear, and AC, which lifts SMAP
    "    popfq",
    "    mov rdi, rsp",
    "    call {trap}",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop r11",
    "    pop r10",
    "    pop r9",
    "    pop r8",
    "    pop rbp",
    "    pop rdi",
    "    pop rsi",
    "    pop rdx",
    "    pop rcx",
    "    pop rbx",
    "    pop rax",
    "    add rsp, 16", // vector and error code
    "    iretq",
    // From a program, at the top of the kernel's stack. The registers go to the program's frame.
    "1:  push {FLAGS}",
    "    popfq",
    "    mov rdi, [rip + {FRAME}]",
    "    mov rsi, rsp",
    "    mov ecx, {WORDS}",
    "    rep movsq",
    "    xor ebp, ebp", // here a backtrace ends
    "    mov rdi, [rip + {FRAME}]",
    "    mov rsi, rsp",
    "    cmp byte ptr [rsp + {VECTOR}], {SYSCALL}",
    "    je 2f",
    "    call qword ptr [rip + {TRAP_HANDLER}]",
    "    jmp program_return",
    "2:  call qword ptr [rip + {CALL_HANDLER}]",
    "    jmp program_return",
    ".size trap_common, . - trap_common",
    FLAGS = const FLAGS,
    CS = const offset_of!(TrapFrame, cs),
    WORDS = const size_of::<TrapFrame>() / 8,
    FRAME = sym FRAME,
    trap = sym trap,
    VECTOR = const offset_of!(TrapFrame, vector),
    SYSCALL = const SYSCALL,
    CALL_HANDLER = sym CALL_HANDLER,
    TRAP_HANDLER = sym TRAP_HANDLER,
);

const _: () = assert!(size_of::<TrapFrame>().is_multiple_of(16));
