//! x86-64's part of the library beneath programs: the entry, system calls, the page-fault upcall, and instructions for
//! programs that test the kernel. `mod.rs` lists the names.

use core::arch::{asm, global_asm, naked_asm};
use core::mem::offset_of;

use layout::MemLayout;

use super::gate::Gate;
use super::privileged::{Instruction, instructions};
use crate::inc::{EnvId, PTE_P, PTE_U, UTrapframe, call};
use crate::syscall::sys_page_map;

/// The memory map.
pub(crate) type Layout = layout::Jos64;
/// The page-table format.
pub(crate) type Format = libjos::paging::format::x86_64::X86_64;

/// The general registers in the order of a `UTrapframe`.
pub(crate) const REGISTERS: [&str; 15] = [
    "r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8", "rbp", "rdi", "rsi", "rdx", "rcx", "rbx",
    "rax",
];
/// The length of `struct Trapframe`, in machine words.
pub(crate) const TRAPFRAME_WORDS: usize = 22;

// The kernel starts a program with argc and argv in RDI and RSI, or with 0 in both.
global_asm!(
    ".pushsection .text.start, \"ax\"",
    ".globl _start",
    ".type _start, @function", // for gdb
    "_start:",
    "    xor ebp, ebp",
    "    and rsp, -16",
    "    call {libmain}",
    ".size _start, . - _start",
    ".popsection",
    libmain = sym crate::start::libmain,
);

/// Makes the system call `number`.
///
/// # Safety
///
/// The call's effect on the caller's own memory is the caller's responsibility.
#[inline(always)]
pub(crate) unsafe fn syscall(
    number: usize,
    a1: usize,
    a2: usize,
    a3: usize,
    a4: usize,
    a5: usize,
) -> isize {
    let result;
    // SAFETY: the caller's promise. The kernel keeps all registers but the result's; SYSCALL uses RCX and R11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a1,
            in("rsi") a2,
            in("rdx") a3,
            in("r10") a4,
            in("r8") a5,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
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
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdi",
        "mov eax, {exofork}",
        "syscall",
        "test rax, rax",
        "jle 2f",
        "mov rdi, rax",
        "call [rsp]",
        "2:",
        "pop rdi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        exofork = const call::EXOFORK as usize,
    )
}

/// The kernel enters the program here after a page fault, with RSP at a `UTrapframe` on the exception stack.
///
/// The way back must restore every register, and a jump to the saved RIP would need one. So this pushes RIP onto the
/// interrupted stack, and RET takes it from there. If that is the exception stack, the kernel has left a word free for
/// it.
#[unsafe(naked)]
pub(crate) extern "C" fn pgfault_upcall() {
    naked_asm!(
        "cld",
        "xor ebp, ebp",
        "mov rbx, rsp",
        "mov rdi, rsp",
        "and rsp, -16",
        "call {handler}",
        "mov rsp, rbx",
        "mov rax, [rsp + {rip}]",
        "mov rcx, [rsp + {rsp}]",
        "sub rcx, 8",
        "mov [rcx], rax",
        "mov [rsp + {rsp}], rcx",
        "add rsp, {regs}",
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
        "add rsp, 8",
        "popfq",
        "pop rsp",
        "ret",
        handler = sym crate::pgfault::call_handler,
        regs = const offset_of!(UTrapframe, utf_regs),
        rip = const offset_of!(UTrapframe, utf_eip),
        rsp = const offset_of!(UTrapframe, utf_esp),
    )
}

/// How many registers `BEFORE` and `AFTER` of [`fault_with_registers`] hold: those of a `UTrapframe`, then RIP, flags,
/// RSP.
pub(crate) const COMPARED: usize = REGISTERS.len() + 3;

/// Faults by a write to UTEMP. `BEFORE` holds the registers at the fault, and `AFTER` those after it, except RIP.
/// Register `n` of `REGISTERS` lies at `8 * n` in both, then come RIP, the flags and RSP.
///
/// # Safety
///
/// A page-fault handler maps UTEMP.
#[unsafe(naked)]
pub unsafe extern "C" fn fault_with_registers() {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        // Flags that a careless handler would change: overflow, sign, zero, auxiliary carry, parity, carry.
        "pushfq",
        "pop rax",
        "or rax, 0x8d5",
        "push rax",
        "popfq",
        "mov [{before} + 128], rax",
        "lea rax, [rip + 2f]",
        "mov [{before} + 120], rax",
        "mov [{before} + 136], rsp",
        "mov r15, [{before}]",
        "mov r14, [{before} + 8]",
        "mov r13, [{before} + 16]",
        "mov r12, [{before} + 24]",
        "mov r11, [{before} + 32]",
        "mov r10, [{before} + 40]",
        "mov r9, [{before} + 48]",
        "mov r8, [{before} + 56]",
        "mov rbp, [{before} + 64]",
        "mov rdi, [{before} + 72]",
        "mov rsi, [{before} + 80]",
        "mov rdx, [{before} + 88]",
        "mov rcx, [{before} + 96]",
        "mov rbx, [{before} + 104]",
        "mov rax, [{before} + 112]",
        "2:",
        "mov dword ptr [{utemp}], 42",
        "mov [{after}], r15",
        "mov [{after} + 8], r14",
        "mov [{after} + 16], r13",
        "mov [{after} + 24], r12",
        "mov [{after} + 32], r11",
        "mov [{after} + 40], r10",
        "mov [{after} + 48], r9",
        "mov [{after} + 56], r8",
        "mov [{after} + 64], rbp",
        "mov [{after} + 72], rdi",
        "mov [{after} + 80], rsi",
        "mov [{after} + 88], rdx",
        "mov [{after} + 96], rcx",
        "mov [{after} + 104], rbx",
        "mov [{after} + 112], rax",
        "mov [{after} + 136], rsp",
        // Even if RSP is lost, the program goes on.
        "mov rsp, [{before} + 136]",
        "pushfq",
        "pop qword ptr [{after} + 128]",
        "cld",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        before = sym crate::registers::BEFORE,
        after = sym crate::registers::AFTER,
        utemp = const Layout::UTEMP,
    )
}

// A page whose last instructions are calls.
global_asm!(
    ".pushsection .page_of_calls, \"ax\"",
    ".balign 4096",
    "page_of_calls:",
    ".skip 4096 - 2 * 2",
    "int 0x30",
    "syscall",
    ".popsection",
);

// SAFETY: the assembly above defines it.
unsafe extern "C" {
    fn page_of_calls();
}

/// Maps [`page_of_calls`] as the last page of user memory, and jumps to the instruction that begins `from_end` bytes
/// before its end. The return address of the last call is UTOP, where a program has no page.
fn last_call(from_end: usize) {
    let (us, page) = (EnvId::NONE, page_of_calls as *const () as usize);
    let last = crate::UTOP - crate::PGSIZE;
    // SAFETY: the page replaces the exception stack, which is not in use, and the program ends here.
    unsafe {
        sys_page_map((us, page), (us, last), PTE_P | PTE_U).expect("a page of code");
        asm!("jmp {}", in(reg) crate::UTOP - from_end, in("rax") call::GETENVID, options(noreturn));
    }
}

/// Instructions that lead to another segment, or to an address that does not exist. The kernel must end the program.
pub const FAR: &[Instruction] = instructions![
    // A far return, and a return from an interrupt, to the kernel's code.
    ["lea rax, [rip + 2f]; push 8; push rax; retfq; 2:", out("rax") _]
    ["lea rax, [rip + 2f]; mov rcx, rsp; push 0x10; push rcx; pushfq; push 8; push rax; iretq; 2:", out("rax") _, out("rcx") _]
    // In 64-bit code, IRET faults if NT is set.
    ["lea rax, [rip + 2f]; pushfq; or qword ptr [rsp], 0x4000; popfq; push 0; push 0; push 0; push 0; push rax; iretq; 2:", out("rax") _]
    // SS with a segment of the kernel.
    ["mov eax, 0x10; mov ss, ax", out("rax") _]
    ["swapgs"]
    ["mov {}, cr8", out(reg) _]
    ["mov cr8, {}", in(reg) 0_usize]
    ["sysretq", in("rcx") 0, in("r11") 0x202]
    // Instructions that 64-bit code does not have.
    [".byte 0xCE"] // into
    [".byte 0x60"] // pusha
    [".byte 0x9A, 0, 0, 0, 0, 8, 0"] // a far call to a selector
    // Addresses that are not canonical.
    ["mov rax, 1 << 47; jmp rax", out("rax") _]
    ["mov rax, 1 << 63; jmp rax", out("rax") _]
    ["mov rax, 1 << 47; push rax; ret", out("rax") _]
    ["mov rax, 1 << 47; mov al, [rax]", out("rax") _]
    ["mov rax, 1 << 47; mov rsp, rax; push rax", out("rax") _]
    ["mov rax, -1; shr rax, 17; inc rax; call rax", out("rax") _]
];

/// The [`Gate`] of an instruction.
macro_rules! gate {
    ($instruction:literal) => {
        Gate {
            instruction: $instruction,
            call: || {
                let id: usize;
                // SAFETY: the call changes no memory.
                unsafe {
                    asm!($instruction, inout("rax") call::GETENVID as usize => id,
                         out("rcx") _, out("r11") _, options(nostack));
                }
                EnvId(id as i32)
            },
            // SAFETY: the caller's promise.
            call_with_flags: |set| unsafe {
                let flags;
                asm!(
                    "pushfq", "pushfq", "or [rsp], {set}", "popfq", $instruction,
                    "lea eax, [rax + 1]", "lea eax, [rax + 1]", "pushfq", "pop {flags}", "popfq",
                    set = in(reg) set, flags = out(reg) flags, inout("rax") call::GETENVID => _,
                    out("rcx") _, out("r11") _,
                );
                flags
            },
            // SAFETY: the kernel does not use a program's stack, and the stack pointer is restored.
            call_with_stack: |sp| unsafe {
                asm!(
                    "xchg rsp, {sp}", $instruction, "mov rsp, {sp}",
                    sp = inout(reg) sp => _, inout("rax") call::GETENVID => _, out("rcx") _, out("r11") _,
                );
            },
        }
    };
}

/// Calls by the last instructions of user memory: the next address is UTOP, where a program has no page.
pub const LAST_CALLS: &[Instruction] =
    &[("syscall", || last_call(2)), ("int 0x30, then syscall", || last_call(4))];

/// The instructions that make a system call.
pub const GATES: &[Gate] = &[gate!("int 0x30"), gate!("syscall")];

/// Tries to clear flags; returns the flags that are set afterwards.
#[must_use]
pub fn clear_flags(clear: usize) -> usize {
    let flags;
    // SAFETY: the stack is as before, and compiled code relies on no flag that is set.
    unsafe {
        asm!(
            "pushfq", "and [rsp], {keep}", "popfq", "pushfq", "pop {flags}",
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
    unsafe { asm!("mov rsp, {}", "mov eax, [0]", "ud2", in(reg) sp, options(noreturn)) }
}

/// Loads a number into several vector registers.
pub(super) fn load_vector(number: u64) {
    // SAFETY: code of this crate does not use these registers.
    unsafe {
        asm!(
            "movq xmm0, {}", "movaps xmm1, xmm0", "movaps xmm7, xmm0", "movaps xmm8, xmm0", "movaps xmm15, xmm0",
            in(reg) number, options(nomem, nostack),
        );
    }
}

/// Whether [`load_vector`]'s number is still there.
pub(super) fn is_in_vector(number: u64) -> bool {
    let differences: u64;
    // SAFETY: as above.
    unsafe {
        asm!(
            "pxor xmm1, xmm0", "pxor xmm7, xmm0", "pxor xmm8, xmm0", "pxor xmm15, xmm0",
            "por xmm1, xmm7", "por xmm1, xmm8", "por xmm1, xmm15", "movq {0}, xmm0", "xor {0}, {1}", "movq xmm0, {0}",
            "por xmm0, xmm1", "movq {0}, xmm0",
            out(reg) differences, in(reg) number, options(nomem, nostack),
        );
    }
    differences == 0
}

/// Whether the registers for floating-point numbers and vectors are as a program finds them at first.
#[must_use]
pub fn has_first_floats() -> bool {
    #[repr(align(16))]
    struct State([u16; 256]);
    let mut state = State([0; 256]);
    // SAFETY: `state` has the 512 bytes of FXSAVE64's area, and is aligned for it.
    unsafe { asm!("fxsave64 [{}]", in(reg) &raw mut state, options(nostack)) };
    // In this order: control, status and tags of the x87; MXCSR; ST0 to ST7; XMM0 to XMM15 (Intel SDM vol. 1,
    // 10.5.1).
    state.0[..3] == [0x37F, 0, 0]
        && state.0[12..14] == [0x1F80, 0]
        && state.0[16..208].iter().all(|&word| word == 0)
}
