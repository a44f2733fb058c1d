//! i386's part of the library beneath programs: the entry, system calls, the page-fault upcall, and instructions for
//! programs that test the kernel. `mod.rs` lists the names.

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
/// It is a function of its own, and not assembly in its caller: there the compiler keeps ESI for itself, and leaves no
/// register for the fifth argument.
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
/// in the child.
///
/// `copy` gives the child its memory, with the stack as it is meanwhile. The child needs only the part of the stack
/// above the call of `copy`, to which nothing is written while `copy` runs. This returns twice, which no Rust function
/// may, so it is assembly.
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

/// The kernel enters the program here after a page fault, with ESP at a `UTrapframe` on the exception stack.
///
/// The way back must restore every register, and a jump to the saved EIP would need one. So this pushes EIP onto the
/// interrupted stack, and RET takes it from there. If that is the exception stack, the kernel has left a word free for
/// it.
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

/// How many registers `BEFORE` and `AFTER` of [`fault_with_registers`] hold: those of a `UTrapframe`, then EIP, flags,
/// ESP.
pub(crate) const COMPARED: usize = REGISTERS.len() + 3;

/// Faults by a write to UTEMP. `BEFORE` holds the registers at the fault, and `AFTER` those after it, except EIP.
/// Register `n` of `REGISTERS` lies at `4 * n` in both, then come EIP, the flags and ESP.
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

/// Instructions that lead to another segment, or to another task. The kernel must end the program.
pub const FAR: &[Instruction] = instructions![
    // A far return, and a return from an interrupt, to the kernel's code.
    ["lea eax, [2f]; push 8; push eax; retf; 2:", out("eax") _]
    ["lea eax, [2f]; pushfd; push 8; push eax; iretd; 2:", out("eax") _]
    // With NT set, IRET returns to the previous task, and there is none.
    ["lea eax, [2f]; pushfd; or dword ptr [esp], 0x4000; popfd; pushfd; push 0x1B; push eax; iretd; 2:", out("eax") _]
    // SS with a segment of the kernel, and with none.
    ["mov eax, 0x10; mov ss, ax", out("eax") _]
    ["xor eax, eax; mov ss, ax", out("eax") _]
    // An access by a segment register that holds none.
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
            "pushfd", "pushfd", "or [esp], {set}", "popfd", "int 0x30",
            "lea eax, [eax + 1]", "lea eax, [eax + 1]", "pushfd", "pop {flags}", "popfd",
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

/// Tries to clear flags; returns the flags that are set afterwards.
#[must_use]
pub fn clear_flags(clear: usize) -> usize {
    let flags;
    // SAFETY: the stack is as before, and compiled code relies on no flag that is set.
    unsafe {
        asm!(
            "pushfd", "and [esp], {keep}", "popfd", "pushfd", "pop {flags}",
            keep = in(reg) !clear, flags = out(reg) flags,
        );
    }
    flags
}

/// Reads address 0, which faults, with the stack pointer `sp`.
///
/// # Safety
///
/// The kernel ends the program, or its upcall does.
pub unsafe fn fault_with_stack(sp: usize) -> ! {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov esp, {}", "mov eax, [0]", "ud2", in(reg) sp, options(noreturn)) }
}

/// Does nothing: a Pentium has no vector registers to load.
pub(super) fn load_vector(_: u64) {}

/// True, since there is no vector register that could have changed.
pub(super) fn is_in_vector(_: u64) -> bool {
    true
}

/// Whether the registers for floating-point numbers are as a program finds them at first.
#[must_use]
pub fn has_first_floats() -> bool {
    let mut state = [[1_u16; 2]; 27];
    // SAFETY: FNSAVE stores that many bytes.
    unsafe { asm!("fnsave [{}]", in(reg) &raw mut state, options(nostack)) };
    // Control, status and tags; ST0 to ST7 (Intel SDM vol. 1, figure 8-9).
    let words = state.map(|[low, _]| low);
    words[..3] == [0x37F, 0, 0xFFFF] && state[7..].iter().all(|&word| word == [0, 0])
}
