//! The way to ring 3 and back.

use core::arch::{asm, naked_asm};
use core::ptr::NonNull;

use layout::MemLayout;

use super::program::Frame;
use crate::arch::Layout;
use crate::arch::x86::user::{FRAME, KEPT};

/// The stack pointer of the kernel's code that runs programs.
static mut KEPT_ESP: u32 = 0;

/// Runs a program with the registers in `frame`. Returns when [`leave`] is called in the handler of a trap; until then
/// the kernel's stack is for traps alone, and the words on it are kept elsewhere.
///
/// # Safety
///
/// Interrupts are off. `frame` is one of a program whose page directory is in use.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn run(frame: NonNull<Frame>) {
    naked_asm!(
        "mov eax, [esp + 4]",
        "push ebx",
        "push ebp",
        "push esi",
        "push edi",
        "mov [{KEPT_ESP}], esp",
        "mov edi, offset {KEPT}",
        "mov esi, esp",
        "mov ecx, {KSTACKTOP}",
        "sub ecx, esp",
        "rep movsb",
        "push eax",
        "call {pop}",
        KEPT_ESP = sym KEPT_ESP,
        KEPT = sym KEPT,
        KSTACKTOP = const Layout::KSTACKTOP,
        pop = sym env_pop_tf,
    )
}

/// Returns from [`run`].
///
/// # Safety
///
/// `run` waits for this. Nothing on the stack is needed any more.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave() -> ! {
    naked_asm!(
        "mov esp, [{KEPT_ESP}]",
        "mov edi, esp",
        "mov esi, offset {KEPT}",
        "mov ecx, {KSTACKTOP}",
        "sub ecx, esp",
        "rep movsb",
        "pop edi",
        "pop esi",
        "pop ebp",
        "pop ebx",
        "ret",
        KEPT_ESP = sym KEPT_ESP,
        KEPT = sym KEPT,
        KSTACKTOP = const Layout::KSTACKTOP,
    )
}

/// Loads the registers from `frame`, which is the frame of the program that runs from here on (JOS's function of this
/// name).
///
/// # Safety
///
/// As for [`run`].
#[unsafe(naked)]
pub(in crate::arch) unsafe extern "C" fn env_pop_tf(frame: NonNull<Frame>) -> ! {
    naked_asm!(
        "mov esp, [esp + 4]",
        "mov [{FRAME}], esp",
        "popad",
        ".byte 0x07", // pop es
        ".byte 0x1f", // pop ds
        "add esp, 8", // vector and error code
        "iretd",
        FRAME = sym FRAME,
    )
}

/// The state of the registers for floating-point numbers in which a program finds them: as FNINIT leaves them, and all
/// numbers 0 (Intel SDM vol. 1, figure 8-9).
pub(in crate::arch) const INITIAL_FLOATS: [u8; 512] = {
    let mut state = [0; 512];
    (state[0], state[1], state[8], state[9]) = (0x7F, 0x03, 0xFF, 0xFF);
    state
};

/// Need do nothing: every processor has the registers of x87, and nobody may use those for vectors.
pub(crate) fn allow_floats(_allowed: bool) {}

/// Lets the next instruction use the registers.
pub(in crate::arch) fn clear_task_switched() {
    // SAFETY: clears CR0.TS, which only says whether the registers can be used.
    unsafe { asm!("clts", options(nomem, nostack, preserves_flags)) };
}

/// Saves the registers, and leaves them as FNINIT does.
pub(in crate::arch) fn save_floats(state: *mut u8) {
    // SAFETY: the state has room for them, and nothing else uses it.
    unsafe { asm!("fnsave [{}]", "fwait", in(reg) state, options(nostack, preserves_flags)) };
}

/// Restores the registers.
pub(in crate::arch) fn restore_floats(state: *mut u8) {
    // SAFETY: the state is one that was saved, or the first one. The kernel keeps no numbers in them meanwhile.
    unsafe { asm!("frstor [{}]", in(reg) state, options(nostack, preserves_flags)) };
}
