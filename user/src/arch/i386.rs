//! i386: code and numbers.

use core::arch::{asm, global_asm, naked_asm};
use core::mem::offset_of;

use layout::MemLayout;

use super::gate::Gate;
use super::privileged::{Instruction, instructions};
use crate::inc::{EnvId, UTrapframe, call};

/// The memory map.
pub(crate) type Layout = layout::Jos32;
/// The page-table format.
pub(crate) type Format = libjos::paging::format::i386::I386;

/// The general registers in the order of a `UTrapframe`, which is PUSHAD's; the one without a name is not restored.
pub(crate) const REGISTERS: [&str; 8] = ["edi", "esi", "ebp", "", "ebx", "edx", "ecx", "eax"];
/// The length of `struct Trapframe`, in machine words.
pub(crate) const TRAPFRAME_WORDS: usize = 17;

/// The functions that the compiler calls: the kernel's.
#[path = "../../../kernel/src/arch/i386/memory.rs"]
mod memory;

// The kernel starts a program with an empty stack, or with argc and argv on it.
global_asm!(
    ".pushsection .text.start, \"ax\"",
    ".globl _start",
    ".type _start, @function", // for gdb
    "_start:",
    "    xor ebp, ebp",
    "    xor eax, eax",
    "    xor edx, edx",
    "    cmp esp, {ustacktop}",
    "    je 2f",
    "    mov eax, [esp]",
    "    mov edx, [esp + 4]",
    "2:",
    "    and esp, -16",
    "    sub esp, 8",
    "    push edx",
    "    push eax",
    "    call {libmain}",
    ".size _start, . - _start",
    ".popsection",
    ustacktop = const Layout::USTACKTOP,
    libmain = sym crate::start::libmain,
);

// Another function that Rust's own library takes from C's on this target.
global_asm!(
    ".globl strlen",
    "strlen:",
    "    push edi",
    "    mov edi, [esp + 8]",
    "    xor eax, eax",
    "    mov ecx, -1",
    "    repne scasb",
    "    mov eax, -2",
    "    sub eax, ecx",
    "    pop edi",
    "    ret",
);

/// Makes the system call `number`.
///
/// A function, since the compiler keeps ESI for itself and leaves no register for the fifth argument.
///
/// # Safety
///
/// The call's effect on the caller's own memory is the caller's responsibility.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn syscall(
    number: usize,
    a1: usize,
    a2: usize,
    a3: usize,
    a4: usize,
    a5: usize,
) -> isize {
    naked_asm!(
        "push ebx",
        "push esi",
        "push edi",
        "mov eax, [esp + 16]",
        "mov edx, [esp + 20]",
        "mov ecx, [esp + 24]",
        "mov ebx, [esp + 28]",
        "mov edi, [esp + 32]",
        "mov esi, [esp + 36]",
        "int 0x30",
        "pop edi",
        "pop esi",
        "pop ebx",
        "ret",
    )
}

/// Makes a child, calls `copy` with its id, and returns the result of `copy`, or the kernel's error. Returns 0
/// in the child, on a stack as it is while `copy` runs.
///
/// It is assembly since it returns twice: the child needs nothing of the stack but what lies above the call
/// of `copy`, where nothing is written meanwhile.
#[unsafe(naked)]
pub(crate) extern "C" fn exofork(copy: extern "C" fn(EnvId) -> isize) -> isize {
    naked_asm!(
        "push ebp",
        "mov ebp, esp",
        "push ebx",
        "push esi",
        "push edi",
        "mov eax, {exofork}",
        "int 0x30",
        "test eax, eax",
        "jle 2f",
        "sub esp, 8",
        "push eax",
        "call [ebp + 8]",
        "add esp, 12",
        "2:",
        "pop edi",
        "pop esi",
        "pop ebx",
        "pop ebp",
        "ret",
        exofork = const call::EXOFORK as usize,
    )
}

/// The kernel comes here at a page fault, with ESP at a `UTrapframe` on the exception stack.
///
/// A jump back needs a register, and all must be as they were: so EIP is pushed onto the interrupted stack, for
/// RET. If that is the exception stack, the kernel has left a word free there.
#[unsafe(naked)]
pub(crate) extern "C" fn pgfault_upcall() {
    naked_asm!(
        "cld",
        "xor ebp, ebp",
        "mov ebx, esp",
        "and esp, -16",
        "sub esp, 12",
        "push ebx",
        "call {handler}",
        "mov esp, ebx",
        "mov eax, [esp + {eip}]",
        "mov ecx, [esp + {esp}]",
        "sub ecx, 4",
        "mov [ecx], eax",
        "mov [esp + {esp}], ecx",
        "add esp, {regs}",
        "popad",
        "add esp, 4",
        "popfd",
        "pop esp",
        "ret",
        handler = sym crate::pgfault::call_handler,
        regs = const offset_of!(UTrapframe, utf_regs),
        eip = const offset_of!(UTrapframe, utf_eip),
        esp = const offset_of!(UTrapframe, utf_esp),
    )
}

/// Words of the registers that [`fault_with_registers`] compares: those of a `UTrapframe`, then EIP, flags, ESP.
pub(crate) const COMPARED: usize = REGISTERS.len() + 3;

/// Faults by a write to UTEMP. `BEFORE` has the registers at that moment, and `AFTER` those after the write, but EIP.
///
/// # Safety
///
/// A page-fault handler maps UTEMP.
#[unsafe(naked)]
pub unsafe extern "C" fn fault_with_registers() {
    naked_asm!(
        "push ebx",
        "push esi",
        "push edi",
        "push ebp",
        // Flags that a careless handler would change: overflow, sign, zero, auxiliary carry, parity, carry.
        "pushfd",
        "pop eax",
        "or eax, 0x8d5",
        "push eax",
        "popfd",
        "mov [{before} + 36], eax",
        "lea eax, [2f]",
        "mov [{before} + 32], eax",
        "mov [{before} + 40], esp",
        "mov edi, [{before}]",
        "mov esi, [{before} + 4]",
        "mov ebp, [{before} + 8]",
        "mov ebx, [{before} + 16]",
        "mov edx, [{before} + 20]",
        "mov ecx, [{before} + 24]",
        "mov eax, [{before} + 28]",
        "2:",
        "mov dword ptr [{utemp}], 42",
        "mov [{after}], edi",
        "mov [{after} + 4], esi",
        "mov [{after} + 8], ebp",
        "mov [{after} + 16], ebx",
        "mov [{after} + 20], edx",
        "mov [{after} + 24], ecx",
        "mov [{after} + 28], eax",
        "mov [{after} + 40], esp",
        // Even if ESP is lost, the program goes on.
        "mov esp, [{before} + 40]",
        "pushfd",
        "pop dword ptr [{after} + 36]",
        "cld",
        "pop ebp",
        "pop edi",
        "pop esi",
        "pop ebx",
        "ret",
        before = sym crate::registers::BEFORE,
        after = sym crate::registers::AFTER,
        utemp = const Layout::UTEMP,
    )
}

/// Ways to another segment, or to another task, that a program may not take.
pub const FAR: &[Instruction] = instructions![
    // A far return, and a return from an interrupt, to the kernel's code.
    ["lea eax, [2f]; push 8; push eax; retf; 2:", out("eax") _]
    ["lea eax, [2f]; pushfd; push 8; push eax; iretd; 2:", out("eax") _]
    // With NT set, IRET returns to a task that there is not.
    ["lea eax, [2f]; pushfd; or dword ptr [esp], 0x4000; popfd; pushfd; push 0x1B; push eax; iretd; 2:", out("eax") _]
    // A stack in a segment of the kernel, and in none.
    ["mov eax, 0x10; mov ss, ax", out("eax") _]
    ["xor eax, eax; mov ss, ax", out("eax") _]
    // Memory by a register that holds no segment.
    ["xor eax, eax; mov fs, ax; mov eax, fs:[0]", out("eax") _]
    // SYSCALL, the call of x86-64.
    [".byte 0x0F, 0x05"]
    // A far call and a far jump to the kernel's code, and to its task.
    [".byte 0x9A, 0, 0, 0, 0, 8, 0"]
    [".byte 0xEA, 0, 0, 0, 0, 8, 0"]
    [".byte 0xEA, 0, 0, 0, 0, 0x28, 0"]
    [".byte 0x9A, 0, 0, 0, 0, 0x28, 0"]
    // BOUND with an index outside of its bounds.
    ["push 0; push 0; mov eax, 5; bound eax, [esp]; add esp, 8", out("eax") _]
    // INTO goes through a gate that is the kernel's.
    ["mov al, 0x7F; add al, 1; into", out("eax") _]
];

/// None: what follows user memory can be read here, and so be executed.
pub const LAST_CALLS: &[Instruction] = &[];

/// The instruction that makes a system call.
pub const GATES: &[Gate] = &[Gate {
    instruction: "int 0x30",
    call: || {
        let id: u32;
        // SAFETY: the call changes no memory.
        unsafe { asm!("int 0x30", inout("eax") call::GETENVID as u32 => id, options(nostack)) };
        EnvId(id.cast_signed())
    },
    // SAFETY: the caller's promise.
    call_with_flags: |set| unsafe {
        let flags;
        asm!(
            "pushfd", "pushfd", "or [esp], {set}", "popfd", "int 0x30", "pushfd", "pop {flags}", "popfd",
            set = in(reg) set, flags = out(reg) flags, inout("eax") call::GETENVID as u32 => _,
        );
        flags
    },
    // SAFETY: the kernel does not use a program's stack, and the stack pointer is restored.
    call_with_stack: |sp| unsafe {
        asm!(
            "xchg esp, {sp}", "int 0x30", "mov esp, {sp}",
            sp = inout(reg) sp => _, inout("eax") call::GETENVID as u32 => _,
        );
    },
}];

/// Tries to clear flags; returns those that there are then.
#[must_use]
pub fn clear_flags(clear: usize) -> usize {
    let flags;
    // SAFETY: the stack is as before, and the flags that a compiler minds are not cleared.
    unsafe {
        asm!(
            "pushfd", "and [esp], {keep}", "popfd", "pushfd", "pop {flags}",
            keep = in(reg) !clear, flags = out(reg) flags,
        );
    }
    flags
}

/// Faults at address 0, with any stack pointer.
///
/// # Safety
///
/// The kernel ends the program, or its upcall does.
pub unsafe fn fault_with_stack(sp: usize) -> ! {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov esp, {}", "mov eax, [0]", "ud2", in(reg) sp, options(noreturn)) }
}

/// Would look at the vector registers, but a Pentium has none.
pub(super) fn vectors_are_new() -> bool {
    true
}

/// Would load a number into vector registers, but a Pentium has none.
pub(super) fn load_vector(_: u64) {}

/// Whether it is still there.
pub(super) fn is_in_vector(_: u64) -> bool {
    true
}
