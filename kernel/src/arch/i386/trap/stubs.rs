//! The stubs, one for each exception, which save the registers in a [`TrapFrame`]; the tasks of double
//! fault, NMI and machine check; and the functions that they call.

use core::arch::global_asm;

use libjos::monitor::processor::vector::{DOUBLE_FAULT, MACHINE_CHECK};
use spin::Once;

use super::frame::{Trap, TrapFrame};
use super::segments::{exception_task, task_of};
use crate::arch::i386::instructions::Cr2;
use crate::arch::i386::stack::TaskState;

/// Vectors below this are exceptions.
pub(super) const NEXCEPTIONS: u64 = 32;
/// Exceptions with an error code: bit `n` stands for vector `n` (Intel SDM vol. 3A, table 6-1;
/// AMD APM vol. 2, 8.2 for 29 and 30).
const WITH_ERROR_CODE: u32 = 1 << 8 | 0b11111 << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30;
/// The flags with which a handler runs: only the constant 1 (Intel SDM vol. 1, 3.4.3). The processor itself
/// clears TF, NT and IF, and leaves the others as the interrupted code had them.
const EFLAGS: u32 = 1 << 1;
/// Bytes from one stub to the next.
const STUB_SIZE: u64 = 16;
/// The vector of NMI.
const NMI: u64 = 2;
/// EFLAGS.NT: IRETD would return to the interrupted task.
const NESTED_TASK: u32 = 1 << 14;
/// Bytes from the word of PUSHAD that is the stack pointer to the frame's start, and from where PUSHAD found
/// the stack pointer to the end of what the processor pushed.
const ESP: usize = core::mem::offset_of!(TrapFrame, esp);
const PUSHED: usize = size_of::<TrapFrame>() - core::mem::offset_of!(TrapFrame, es);

// Each stub brings the stack to the same form: an error code, then the vector. The stack may have any
// alignment then, and the ABI wants 16 bytes at a call. Segment registers take 32 bits each on the stack:
// their pushes and pops are given as bytes, since the assembler would have them take 16.
global_asm!(
    ".balign {STUB_SIZE}",
    ".type trap_stubs, @function",
    "trap_stubs:",
    ".set vector, 0",
    ".rept {NEXCEPTIONS}",
    "    .balign {STUB_SIZE}",
    "    .if (({WITH_ERROR_CODE} >> vector) & 1) == 0",
    "    push 0",
    "    .endif",
    "    push vector",
    "    jmp trap_common",
    "    .set vector, vector + 1",
    ".endr",
    ".size trap_stubs, . - trap_stubs",
    "",
    ".type trap_common, @function",
    "trap_common:",
    "    .byte 0x1e", // push ds
    "    .byte 0x06", // push es
    "    pushad",
    "    add dword ptr [esp + {ESP}], {PUSHED}",
    "    push {EFLAGS}", // clears DF, which the ABI wants clear, and AC, which lifts SMAP
    "    popfd",
    "    mov ebx, esp",
    "    and esp, -16",
    "    sub esp, 12",
    "    push ebx",
    "    call {trap}",
    "    mov esp, ebx",
    "    popad",
    "    .byte 0x07", // pop es
    "    .byte 0x1f", // pop ds
    "    add esp, 8", // vector and error code
    "    iretd",
    ".size trap_common, . - trap_common",
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
    STUB_SIZE = const STUB_SIZE,
    NEXCEPTIONS = const NEXCEPTIONS,
    WITH_ERROR_CODE = const WITH_ERROR_CODE,
    EFLAGS = const EFLAGS,
    ESP = const ESP,
    PUSHED = const PUSHED,
    DOUBLE_FAULT = const DOUBLE_FAULT,
    NMI = const NMI,
    MACHINE_CHECK = const MACHINE_CHECK,
    NESTED_TASK = const NESTED_TASK,
    trap = sym trap,
    task_trap = sym task_trap,
);

/// The address of the stub of `vector`, an exception.
pub(super) fn stub(vector: u64) -> u32 {
    unsafe extern "C" {
        static trap_stubs: u8;
    }
    assert!(vector < NEXCEPTIONS);
    ((&raw const trap_stubs).addr() as u64 + vector * STUB_SIZE) as u32
}

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

/// Handles a trap. If it returns, the interrupted code continues with the registers in the frame.
pub(super) type Handler = fn(&mut Trap<'_>);

/// The handler of all traps.
pub(super) static HANDLER: Once<Handler> = Once::new();

/// Passes a trap to the handler; every stub calls this.
extern "C" fn trap(frame: &mut TrapFrame) {
    // Read CR2 first, since the handler may cause further page faults.
    let cr2 = Cr2::read_raw();
    let handler = HANDLER.get().expect("the IDT is loaded after the handler is known");
    // A variable, so that gdb's `jos why` finds it.
    let mut trap = Trap { frame, cr2 };
    handler(&mut trap);
}

/// Passes a trap that is a task of its own to the handler, with the registers of the interrupted task, which may
/// be an exception's too.
extern "C" fn task_trap(vector: u32) -> ! {
    let link = exception_task(vector.into()).map_or(0, |task| task.state().link);
    let TaskState { edi, esi, ebp, esp, ebx, edx, ecx, eax, es, ds, eip, cs, eflags, .. } =
        task_of(link as u16).state();
    // Of these exceptions only the double fault has an error code, which is always 0.
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
