//! Calls of the firmware (RISC-V SBI specification): its timer, and its console. The console prints the message of a
//! kernel that cannot start: until the device tree is read, no other console is known.

use core::arch::asm;
use core::ffi::CStr;
use core::fmt::{self, Write};

/// The extension with the timer, whose call 0 sets it (chapter 6).
pub(super) const SBI_TIME: u64 = 0x5449_4D45;
/// The debug console, and its call that prints a byte (chapter 12).
pub(super) const SBI_CONSOLE: u64 = 0x4442_434E;
pub(super) const SBI_CONSOLE_PUT: u64 = 2;
/// The console of older firmware: an extension of one call, which prints a byte (5.2).
pub(super) const SBI_OLD_CONSOLE: u64 = 1;

/// Makes one of the calls above, with an argument. Returns false if the firmware refuses, or has no such call.
fn call(extension: u64, function: u64, argument: u64) -> bool {
    let error: u64;
    // SAFETY: the firmware keeps all registers but A0 and A1, and none of these calls reads or writes our memory.
    unsafe {
        asm!(
            "ecall",
            in("a7") extension,
            in("a6") function,
            inlateout("a0") argument => error,
            lateout("a1") _,
            options(nostack)
        );
    }
    error == 0
}

/// Makes the firmware request a timer interrupt when the hart's counter reaches `count`, and withdraws an earlier
/// request. Returns false if the firmware refuses.
#[must_use]
pub fn set_timer(count: u64) -> bool {
    call(SBI_TIME, 0, count)
}

/// The firmware's console.
struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes().map(u64::from) {
            if !call(SBI_CONSOLE, SBI_CONSOLE_PUT, byte) {
                call(SBI_OLD_CONSOLE, 0, byte);
            }
        }
        Ok(())
    }
}

/// Prints why the kernel cannot start, and ends the machine with a failure. Call this only before the kernel handles
/// traps.
pub fn cannot_start(reason: fmt::Arguments<'_>) -> ! {
    let _ = Console.write_fmt(format_args!("JOS64 cannot start: {reason}\r\n"));
    // SAFETY: this traps to the entry code, which never returns, and prints nothing if SSCRATCH is 0.
    unsafe { asm!("csrw sscratch, zero", "unimp", options(noreturn, nostack)) }
}

/// Sets the reason that the entry code prints if a trap comes from here on.
pub(super) fn on_trap(reason: &'static CStr) {
    // SAFETY: only the entry code's own traps read the register, until the kernel writes it.
    unsafe { asm!("csrw sscratch, {}", in(reg) reason.as_ptr(), options(nostack)) };
}
