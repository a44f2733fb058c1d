//! System calls by SYSCALL, beside those by INT.
//!
//! The instruction changes neither the stack pointer nor memory, so the entry saves all registers straight in the frame of
//! the program that runs, and only then has a stack. Before that an exception could only be an NMI or a machine check,
//! which have stacks of their own: interrupts are off, no single step is left ([`SFMask`]), and the entry touches
//! nothing but the kernel's memory. No register of the program names that memory, so GS is not needed on one processor.

use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::AtomicU64;

use layout::{MemLayout, PGSIZE};
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{Efer, EferFlags, LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;

use super::frame::TrapFrame;
use super::program::{USER_CODE, USER_DATA};
use super::trap::stubs::call_handler;
use crate::arch::Layout;
use crate::arch::instructions::{pop_registers, push_registers};
use crate::arch::x86::jos::SYSCALL_INSTRUCTION;
use crate::arch::x86::ring3::{CALL_HANDLER, FRAME};

/// The selector of the kernel's code; that of its data follows.
const KERNEL_CODE: u16 = 0x08;
/// The program's stack pointer, for a few instructions.
static USER_RSP: AtomicU64 = AtomicU64::new(0);
/// The bits of an address that a program's addresses have.
const USER_BITS: u32 = 47;

// The pushes fill the program's frame from its end. RCX and R11 are the program's RIP and flags.
global_asm!(
    ".globl syscall_entry",
    ".type syscall_entry, @function",
    "syscall_entry:",
    "    mov [rip + {USER_RSP}], rsp",
    "    mov rsp, [rip + {FRAME}]",
    "    add rsp, {SIZE}",
    "    push {USER_DATA}",
    "    push qword ptr [rip + {USER_RSP}]",
    "    push r11",
    "    push {USER_CODE}",
    "    push rcx",
    "    push 0",
    "    push {SYSCALL_INSTRUCTION}",
    push_registers!(),
    "    mov rdi, rsp",
    "    mov rbx, rsp", // for gdb
    "    mov rsp, {KSTACKTOP}",
    "    xor ebp, ebp", // here a backtrace ends
    "    mov rsi, rsp",
    call_handler!("call qword ptr [rip + {CALL_HANDLER}]", "3"),
    // Goes on with the program whose frame is at RAX. SYSRET is for one that made its call by SYSCALL. It would not delay
    // the trap of a single step, and it faults with the program's stack in use if RIP is not canonical: IRET does neither.
    ".globl program_return",
    "program_return:",
    "    cmp qword ptr [rax + {VECTOR}], {SYSCALL_INSTRUCTION}",
    "    jne env_pop_tf",
    "    test byte ptr [rax + {RFLAGS} + 1], {TRAP_FLAG} >> 8",
    "    jnz env_pop_tf",
    "    mov rcx, [rax + {RIP}]",
    "    shr rcx, {USER_BITS}",
    "    jnz env_pop_tf",
    "    mov [rip + {FRAME}], rax",
    "    mov rsp, rax",
    pop_registers!(),
    "    mov rcx, [rsp + {RIP} - {VECTOR}]",
    "    mov r11, [rsp + {RFLAGS} - {VECTOR}]",
    "    mov rsp, [rsp + {RSP} - {VECTOR}]",
    "    sysretq",
    ".size syscall_entry, . - syscall_entry",
    USER_RSP = sym USER_RSP,
    FRAME = sym FRAME,
    SIZE = const size_of::<TrapFrame>(),
    USER_DATA = const USER_DATA,
    USER_CODE = const USER_CODE,
    SYSCALL_INSTRUCTION = const SYSCALL_INSTRUCTION,
    KSTACKTOP = const Layout::KSTACKTOP,
    VECTOR = const offset_of!(TrapFrame, vector),
    RFLAGS = const offset_of!(TrapFrame, rflags),
    RIP = const offset_of!(TrapFrame, rip),
    RSP = const offset_of!(TrapFrame, rsp),
    TRAP_FLAG = const RFlags::TRAP_FLAG.bits(),
    USER_BITS = const USER_BITS,
    CALL_HANDLER = sym CALL_HANDLER,
);

// No instruction of a program ends where the next address is not canonical.
const _: () = assert!(Layout::UTOP + PGSIZE <= 1 << USER_BITS);

/// Lets programs use SYSCALL. It masks all flags: DF, which the ABI wants clear, AC, which lifts SMAP, TF and NT.
pub(in crate::arch) fn init() {
    unsafe extern "C" {
        static syscall_entry: u8;
    }
    LStar::write(VirtAddr::new((&raw const syscall_entry).addr() as u64));
    SFMask::write(RFlags::all());
    // SAFETY: the selectors are those of the GDT: SYSCALL loads the kernel's code and the data after it, SYSRET the
    // program's, 8 and 16 above the one given here. The entry is one for SYSCALL.
    unsafe {
        Star::write_raw(USER_DATA as u16 - 8, KERNEL_CODE);
        Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS));
    }
}

const _: () = assert!(USER_CODE == USER_DATA + 8);
