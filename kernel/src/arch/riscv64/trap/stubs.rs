//! The stub, which saves the registers in a [`TrapFrame`], and the function that it calls.

use core::arch::{asm, global_asm};
use core::mem::offset_of;

use layout::{JosSv39, MemLayout};
use spin::Once;

use super::frame::{Trap, TrapFrame};
use crate::arch::exception_stack::EXCEPTION_STACK_SIZE;
use crate::arch::riscv64::instructions::{FS, SUM};
use crate::arch::riscv64::interrupts::acknowledge;
use crate::arch::riscv64::stack::TRAP_STACK;

/// The handler gets the interrupted stack below the frame, if the frame fits there: on the kernel stack, the boot stack
/// or the trap stack itself. Otherwise it gets the trap stack.
const FRAME: usize = size_of::<TrapFrame>();

// SP and SSCRATCH are exchanged first, so that there is a place for the three registers that the search needs. The
// frame then is at T1, and T2 says whether the interrupted stack had no room. User pages stay the user's in the handler.
// (try_stack: one comparison of unsigned numbers asks for SP >= bottom + FRAME and SP <= bottom + size.)
global_asm!(
    ".option push",
    ".option arch, +d", // the compiler's own option does not reach this assembly
    ".macro try_stack size", // T1 is the stack's bottom
    "    addi t1, t1, {FRAME}",
    "    sub t1, t0, t1",
    "    li t2, \\size - {FRAME} + 1",
    "    bltu t1, t2, 1f",
    ".endm",
    "",
    ".macro each_float do",
    "    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31",
    "    \\do f\\n, {F} + 8 * \\n(sp)",
    "    .endr",
    ".endm",
    "",
    ".macro each_register do",
    "    .irp n, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "    \\do x\\n, 8 * \\n(sp)",
    "    .endr",
    ".endm",
    "",
    ".balign 4",
    ".type trap_entry, @function",
    "trap_entry:",
    "    csrrw sp, sscratch, sp",
    "    sd t0, 0(sp)",
    "    sd t1, 8(sp)",
    "    sd t2, 16(sp)",
    "    csrr t0, sscratch", // the interrupted stack pointer
    "    csrw sscratch, sp",
    "    li t1, {KSTACK}",
    "    try_stack {KSTKSIZE}",
    "    lla t1, bootstack",
    "    try_stack {KSTKSIZE}",
    "    lla t1, {TRAP_STACK}",
    "    try_stack {TRAP_STACK_SIZE}",
    "    addi t1, sp, -{FRAME}",
    "    li t2, 1",
    "    j 2f",
    "1:  addi t1, t0, -{FRAME}",
    "    andi t1, t1, -16",
    "    li t2, 0",
    "2:  sd t2, 0(t1)",
    "    sd ra, 8(t1)",
    "    sd t0, 16(t1)",
    "    sd gp, 24(t1)",
    "    sd tp, 32(t1)",
    "    ld t0, 0(sp)",
    "    sd t0, 40(t1)",
    "    ld t0, 8(sp)",
    "    sd t0, 48(t1)",
    "    ld t0, 16(sp)",
    "    sd t0, 56(t1)",
    "    mv sp, t1",
    "    each_register sd",
    "    csrr t0, sepc",
    "    sd t0, {SEPC}(sp)",
    "    csrr t1, sstatus",
    "    sd t1, {SSTATUS}(sp)",
    "    csrr t0, scause",
    "    sd t0, {SCAUSE}(sp)",
    "    csrr t0, stval",
    "    sd t0, {STVAL}(sp)",
    "    li t0, {SUM}",
    "    csrc sstatus, t0",
    "    li t0, {FS}",
    "    and t1, t1, t0",
    "    bne t1, t0, 3f", // not used yet
    "    each_float fsd",
    "    frcsr t0",
    "    sd t0, {FCSR}(sp)",
    "3:  mv a0, sp",
    "    call {trap}",
    "    ld t1, {SSTATUS}(sp)",
    "    li t0, {FS}",
    "    and t2, t1, t0",
    "    bne t2, t0, 4f",
    "    csrs sstatus, t0", // the FPU, if the handler turned it off
    "    ld t2, {FCSR}(sp)",
    "    fscsr t2",
    "    each_float fld",
    "4:  csrw sstatus, t1",
    "    ld t0, {SEPC}(sp)",
    "    csrw sepc, t0",
    "    each_register ld",
    "    ld ra, 8(sp)",
    "    ld gp, 24(sp)",
    "    ld tp, 32(sp)",
    "    ld t0, 40(sp)",
    "    ld t1, 48(sp)",
    "    ld t2, 56(sp)",
    "    ld sp, 16(sp)",
    "    sret",
    ".size trap_entry, . - trap_entry",
    ".purgem try_stack",
    ".purgem each_float",
    ".purgem each_register",
    ".option pop",
    FRAME = const FRAME,
    KSTACK = const JosSv39::KSTACK,
    KSTKSIZE = const JosSv39::KSTKSIZE,
    TRAP_STACK = sym TRAP_STACK,
    TRAP_STACK_SIZE = const EXCEPTION_STACK_SIZE,
    F = const offset_of!(TrapFrame, f),
    FCSR = const offset_of!(TrapFrame, fcsr),
    SEPC = const offset_of!(TrapFrame, sepc),
    SSTATUS = const offset_of!(TrapFrame, sstatus),
    SCAUSE = const offset_of!(TrapFrame, scause),
    STVAL = const offset_of!(TrapFrame, stval),
    SUM = const SUM,
    FS = const FS,
    trap = sym trap,
);

/// Handles a trap. If it returns, the interrupted code continues with the registers in the frame.
type Handler = fn(&mut Trap<'_>);

/// The handler of all traps.
static HANDLER: Once<Handler> = Once::new();

/// Makes the stub the place where traps arrive. From here on every trap calls `handler`.
pub(crate) fn init(handler: Handler) {
    unsafe extern "C" {
        static trap_entry: u8;
    }
    HANDLER.call_once(|| handler);
    // SAFETY: the stub keeps all registers, and the trap stack is its own.
    unsafe {
        asm!(
            "csrw sscratch, {}",
            "csrw stvec, {}",
            in(reg) TRAP_STACK.stack.top().as_u64(),
            in(reg) &raw const trap_entry,
            options(nostack),
        );
    }
}

/// Passes a trap to the handler; the stub calls this.
extern "C" fn trap(frame: &mut TrapFrame) {
    acknowledge(frame.scause);
    let handler = HANDLER.get().expect("STVEC is set after the handler is known");
    // A variable, so that gdb's `jos why` finds it.
    let mut trap = Trap { frame };
    handler(&mut trap);
}
