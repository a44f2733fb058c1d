//! The stubs, one for each vector, and the function that they call. In between, each machine's own
//! `trap_common` saves the registers in a [`TrapFrame`].

use core::arch::global_asm;

use spin::Once;

use super::Trap;
use crate::arch::frame::TrapFrame;
use crate::arch::instructions::Cr2;
use crate::arch::interrupts::{self, IRQ_OFFSET, NLINES};

/// Vectors below this are exceptions.
pub(in crate::arch) const NEXCEPTIONS: u64 = 32;
/// Vectors below this have a stub: the exceptions, the interrupts of devices, and system calls.
const NVECTORS: u64 = IRQ_OFFSET + NLINES + 1;
/// Exceptions with an error code: bit `n` stands for vector `n` (Intel SDM vol. 3A, table 6-1;
/// AMD APM vol. 2, 8.2 for 29 and 30).
const WITH_ERROR_CODE: u32 = 1 << 8 | 0b11111 << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30;
/// The flags with which a handler runs: only the constant 1 (Intel SDM vol. 1, 3.4.3). The processor itself
/// clears TF, NT and IF, and leaves the others as the interrupted code had them.
pub(in crate::arch) const FLAGS: u32 = 1 << 1;
/// Bytes from one stub to the next.
const STUB_SIZE: u64 = 16;

// Each stub brings the stack to the same form: an error code, then the vector.
global_asm!(
    ".globl trap_stubs",
    ".balign {STUB_SIZE}",
    ".type trap_stubs, @function",
    "trap_stubs:",
    ".set vector, 0",
    ".rept {NVECTORS}",
    "    .balign {STUB_SIZE}",
    "    .if vector >= {NEXCEPTIONS} || (({WITH_ERROR_CODE} >> vector) & 1) == 0",
    "    push 0",
    "    .endif",
    "    push vector",
    "    jmp trap_common",
    "    .set vector, vector + 1",
    ".endr",
    ".size trap_stubs, . - trap_stubs",
    STUB_SIZE = const STUB_SIZE,
    NEXCEPTIONS = const NEXCEPTIONS,
    NVECTORS = const NVECTORS,
    WITH_ERROR_CODE = const WITH_ERROR_CODE,
);

/// The address of the stub of `vector`.
pub(in crate::arch) fn stub(vector: u64) -> u64 {
    unsafe extern "C" {
        static trap_stubs: u8;
    }
    assert!(vector < NVECTORS);
    (&raw const trap_stubs).addr() as u64 + vector * STUB_SIZE
}

/// Handles a trap. If it returns, the interrupted code continues with the registers in the frame.
pub(in crate::arch) type Handler = fn(&mut Trap<'_>);

/// The handler of all traps.
pub(in crate::arch) static HANDLER: Once<Handler> = Once::new();

/// Passes a trap to the handler; every stub calls this.
pub(in crate::arch) extern "C" fn trap(frame: &mut TrapFrame) {
    // Read CR2 first, since the handler may cause further page faults.
    let cr2 = Cr2::read_raw();
    if let Some(line) = frame.vector().checked_sub(IRQ_OFFSET)
        && line < NLINES
        && !interrupts::acknowledge(line)
    {
        return;
    }
    let handler = HANDLER.get().expect("the IDT is loaded after the handler is known");
    // A variable, so that gdb's `jos why` finds it.
    let mut trap = Trap { frame, cr2 };
    handler(&mut trap);
}
