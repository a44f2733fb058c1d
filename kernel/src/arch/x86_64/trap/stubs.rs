//! `trap_common`, which saves the registers in a [`TrapFrame`], and `env_pop_tf`, which loads a program's.

use core::arch::global_asm;
use core::mem::offset_of;

use crate::arch::instructions::{pop_registers, push_registers};
use crate::arch::x86::jos::SYSCALL;
use crate::arch::x86::ring3::{CALL_HANDLER, FRAME, TRAP_HANDLER};
use crate::arch::x86::trap::stubs::{FLAGS, trap};
use crate::arch::x86_64::frame::TrapFrame;

/// The call of a handler with a program's registers in a [`TrapFrame`], at which the register with the number `$base`
/// points: 3 is RBX, 7 RSP (System V ABI, figure 3.36).
macro_rules! call_handler {
    ($call:literal, $base:literal) => {
        crate::arch::x86::trap::unwind::described_call!(
            $call,
            word: "8" ".quad", program_counter: "16", base: $base, size: "176",
            rules: "0x8f, 22, 0x8e, 21, 0x8d, 20, 0x8c, 19, 0x8b, 18, 0x8a, 17, 0x89, 16, 0x88, 15, 0x86, 14, \
                    0x85, 13, 0x84, 12, 0x81, 11, 0x82, 10, 0x83, 9, 0x80, 8, 0x90, 5, 0x87, 2"
        )
    };
}
pub(in crate::arch) use call_handler;

// The processor aligns RSP to 16 before it pushes; 22 words later RSP is aligned again, as the ABI requires at
// a call.
global_asm!(
    ".globl trap_common",
    ".type trap_common, @function",
    "trap_common:",
    push_registers!(),
    "    test byte ptr [rsp + {CS}], 3",
    "    jnz 1f",
    "    push {FLAGS}", // clears DF, which the ABI wants clear, and AC, which lifts SMAP
    "    popfq",
    "    mov rdi, rsp",
    "    call {trap}",
    pop_registers!(),
    "    add rsp, 16", // vector and error code
    "    iretq",
    // From a program, at the top of the kernel's stack, or of one for double fault, NMI or machine check. The registers
    // go to the program's frame.
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
    call_handler!("call qword ptr [rip + {TRAP_HANDLER}]", "7"),
    "    jmp program_return",
    "2:",
    call_handler!("call qword ptr [rip + {CALL_HANDLER}]", "7"),
    "    jmp program_return",
    ".size trap_common, . - trap_common",
    "",
    // JOS's function of this name, with the frame at RAX: it is the frame of the program that runs from here on.
    ".globl env_pop_tf",
    ".type env_pop_tf, @function",
    "env_pop_tf:",
    "    mov [rip + {FRAME}], rax",
    "    mov rsp, rax",
    pop_registers!(),
    "    add rsp, 16",
    "    iretq",
    ".size env_pop_tf, . - env_pop_tf",
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

const _: () = assert!(size_of::<TrapFrame>() == 176 && size_of::<TrapFrame>().is_multiple_of(16));
