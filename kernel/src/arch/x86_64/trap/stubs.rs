//! The stubs, one for each exception, which save the registers in a [`TrapFrame`]; and the function
//! that they call.

use core::arch::global_asm;

use spin::Once;
use x86_64::VirtAddr;
use x86_64::registers::control::Cr2;

use super::frame::{Trap, TrapFrame};

/// Vectors below this are exceptions.
const NEXCEPTIONS: u64 = 32;
/// Exceptions with an error code: bit `n` stands for vector `n` (Intel SDM vol. 3A, table 6-1;
/// AMD APM vol. 2, 8.2 for 29 and 30).
const WITH_ERROR_CODE: u32 = 1 << 8 | 0b11111 << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30;
/// The flags with which a handler runs: only the constant 1 (Intel SDM vol. 1, 3.4.3). The processor itself
/// clears TF, NT and IF, and leaves the others as the interrupted code had them.
const RFLAGS: u64 = 1 << 1;
/// Bytes from one stub to the next.
const STUB_SIZE: u64 = 16;

// Each stub brings the stack to the same form: an error code, then the vector. The processor aligns
// RSP to 16 before it pushes; 22 words later RSP is aligned again, as the ABI requires at a call.
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
    "    push {RFLAGS}", // clears DF, which the ABI wants clear, and AC, which lifts SMAP
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
    ".size trap_common, . - trap_common",
    RFLAGS = const RFLAGS,
    STUB_SIZE = const STUB_SIZE,
    NEXCEPTIONS = const NEXCEPTIONS,
    WITH_ERROR_CODE = const WITH_ERROR_CODE,
    trap = sym trap,
);

const _: () = assert!(size_of::<TrapFrame>().is_multiple_of(16));

/// The address of the stub of `vector`, an exception.
pub(super) fn stub(vector: u64) -> VirtAddr {
    unsafe extern "C" {
        static trap_stubs: u8;
    }
    assert!(vector < NEXCEPTIONS);
    VirtAddr::from_ptr(&raw const trap_stubs) + vector * STUB_SIZE
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
