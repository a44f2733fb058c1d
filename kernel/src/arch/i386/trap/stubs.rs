//! `trap_common`, which saves the registers in a [`TrapFrame`], `env_pop_tf`, which loads a program's, and the tasks of
//! double fault, NMI and machine check.

use core::arch::global_asm;

use monitor::processor::vector::{DOUBLE_FAULT, MACHINE_CHECK, NMI};

use crate::arch::i386::frame::TrapFrame;
use crate::arch::i386::program::Frame;
use crate::arch::i386::stack::{DATA, TaskState, exception_task, task_of};
use crate::arch::x86::floats::FORBIDDEN;
use crate::arch::x86::jos::SYSCALL;
use crate::arch::x86::ring3::{CALL_HANDLER, FRAME, TRAP_HANDLER};
use crate::arch::x86::trap::stubs::{FLAGS, trap};
use crate::arch::x86::trap::unwind::described_call;

/// EFLAGS.NT: IRETD would return to the interrupted task.
const NESTED_TASK: u32 = 1 << 14;
/// Bytes from the word of PUSHAD that is the stack pointer to the frame's start, and from where PUSHAD found
/// the stack pointer to the end of what the processor pushed.
const ESP: usize = core::mem::offset_of!(TrapFrame, esp);
const PUSHED: usize = size_of::<TrapFrame>() - core::mem::offset_of!(TrapFrame, es);
/// Bytes that x87's state takes (Intel SDM vol. 1, figure 8-9), and those that keep the stack's alignment.
const X87: usize = 108 + 4;

/// The call of a handler with a program's registers in a [`Frame`] at EBX.
macro_rules! call_handler {
    ($call:literal) => {
        described_call!(
            $call,
            word: "4" ".long", program_counter: "8", base: "3", size: "68",
            rules: "0x87, 17, 0x86, 16, 0x85, 15, 0x83, 13, 0x82, 12, 0x81, 11, 0x80, 10, 0x88, 5, 0x84, 2"
        )
    };
}

// The stack may have any alignment, and the ABI wants 16 bytes at a call. Segment registers take 32 bits each
// on the stack: their pushes and pops are given as bytes, since the assembler would have them take 16.
global_asm!(
    ".globl trap_common",
    ".type trap_common, @function",
    "trap_common:",
    "    .byte 0x1e", // push ds
    "    .byte 0x06", // push es
    "    pushad",
    "    add dword ptr [esp + {ESP}], {PUSHED}",
    "    push {FLAGS}", // clears DF, which the ABI wants clear, and AC, which lifts SMAP
    "    popfd",
    "    test byte ptr [esp + {CS}], 3",
    "    jnz 1f",
    "    mov ebx, esp",
    "    and esp, -16",
    "    sub esp, {X87}",
    "    clts", // set while a program runs that does not have the registers of x87
    "    mov byte ptr [{FORBIDDEN}], 0",
    "    fnsave [esp]", // and starts x87 anew, for the floating-point numbers of an application's handler
    "    sub esp, 12",
    "    push ebx",
    "    call {trap}",
    "    frstor [esp + 16]",
    "    mov esp, ebx",
    "    popad",
    "    .byte 0x07", // pop es
    "    .byte 0x1f", // pop ds
    "    add esp, 8", // vector and error code
    "    iretd",
    // From a program, at the top of the kernel's stack. The registers go to the program's frame.
    "1:  mov eax, {DATA}",
    "    mov ds, eax",
    "    mov es, eax",
    "    mov ebx, esp",
    "    mov esi, esp",
    "    mov edi, [{FRAME}]",
    "    mov ecx, {WORDS}",
    "    rep movsd",
    "    xor ebp, ebp", // here a backtrace ends
    "    and esp, -16",
    "    sub esp, 8",
    "    push ebx",
    "    push dword ptr [{FRAME}]",
    "    cmp byte ptr [ebx + {VECTOR}], {SYSCALL}",
    "    je 2f",
    call_handler!("call dword ptr [{TRAP_HANDLER}]"),
    "    jmp env_pop_tf",
    "2:",
    call_handler!("call dword ptr [{CALL_HANDLER}]"),
    "    jmp env_pop_tf",
    ".size trap_common, . - trap_common",
    "",
    // JOS's function of this name, with the frame at EAX: it is the frame of the program that runs from here on.
    ".globl env_pop_tf",
    ".type env_pop_tf, @function",
    "env_pop_tf:",
    "    mov [{FRAME}], eax",
    "    mov esp, eax",
    "    popad",
    "    .byte 0x07", // pop es
    "    .byte 0x1f", // pop ds
    "    add esp, 8", // vector and error code
    "    iretd",
    ".size env_pop_tf, . - env_pop_tf",
    "",
    // An exception's own task begins here. The processor has marked the task as nested, and x87 as
    // another task's.
    ".macro task name, vector",
    ".type \\name, @function",
    "\\name:",
    "    mov ebx, \\vector",
    "    jmp task_common",
    ".size \\name, . - \\name",
    ".endm",
    "task task_double_fault, {DOUBLE_FAULT}",
    "task task_nmi, {NMI}",
    "task task_machine_check, {MACHINE_CHECK}",
    ".purgem task",
    ".type task_common, @function",
    "task_common:",
    "    clts",
    "    pushfd",
    "    and dword ptr [esp], ~{NESTED_TASK}",
    "    popfd",
    "    and esp, -16",
    "    sub esp, 12",
    "    push ebx",
    "    call {task_trap}",
    "    ud2",
    ".size task_common, . - task_common",
    FLAGS = const FLAGS,
    ESP = const ESP,
    PUSHED = const PUSHED,
    X87 = const X87,
    DOUBLE_FAULT = const DOUBLE_FAULT,
    NMI = const NMI,
    MACHINE_CHECK = const MACHINE_CHECK,
    NESTED_TASK = const NESTED_TASK,
    CS = const core::mem::offset_of!(TrapFrame, cs),
    DATA = const DATA,
    trap = sym trap,
    FORBIDDEN = sym FORBIDDEN,
    FRAME = sym FRAME,
    WORDS = const size_of::<Frame>() / 4,
    VECTOR = const core::mem::offset_of!(TrapFrame, vector),
    SYSCALL = const SYSCALL,
    CALL_HANDLER = sym CALL_HANDLER,
    TRAP_HANDLER = sym TRAP_HANDLER,
    task_trap = sym task_trap,
);

/// The entries of the tasks of double fault, NMI and machine check.
pub(super) fn task_entries() -> [u32; 3] {
    unsafe extern "C" {
        static task_double_fault: u8;
        static task_nmi: u8;
        static task_machine_check: u8;
    }
    [&raw const task_double_fault, &raw const task_nmi, &raw const task_machine_check]
        .map(|entry| entry.addr() as u32)
}

/// Passes a trap that is a task of its own to the handler, with the registers of the interrupted task, which may
/// be an exception's too.
extern "C" fn task_trap(vector: u32) -> ! {
    let link = exception_task(vector.into()).map_or(0, |task| task.state().link);
    let TaskState { edi, esi, ebp, esp, ebx, edx, ecx, eax, es, ds, eip, cs, eflags, .. } =
        task_of(link as u16).state();
    // The double fault alone of these exceptions has an error code, which is always 0.
    let error = 0;
    let mut frame = TrapFrame {
        edi,
        esi,
        ebp,
        esp,
        ebx,
        edx,
        ecx,
        eax,
        es,
        ds,
        vector,
        error,
        eip,
        cs,
        eflags,
    };
    trap(&mut frame);
    panic!("a trap that is a task of its own cannot return")
}
