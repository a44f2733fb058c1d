//! A panic, whether of Rust code or of a trap that nobody else takes: one line that says what and where,
//! the registers where there are any, a backtrace, and the end of QEMU with a failure.
//!
//! The report must come out whatever state the kernel is in: it takes the console from whoever
//! holds it, and reads nothing that it has not checked. If it fails itself, the second report is one
//! line; the third is one line without the screen, which may be what fails; and a fourth time there
//! is nothing but the end.

use core::fmt;
use core::panic::{Location, PanicInfo};
use core::sync::atomic::{AtomicU32, Ordering};

use crate::arch::trap::Trap;
use crate::backtrace;
use crate::console;
use crate::exit::{self, Status};
use crate::heap;
use crate::trap::report::Report;

/// Reports that were begun. None ever ends but by the end of the machine.
static REPORTS: AtomicU32 = AtomicU32::new(0);

#[cfg_attr(target_os = "none", panic_handler)]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The location is always there: core says so.
    let location = info.location().unwrap_or(Location::caller());
    report(location, format_args!("{}", info.message()), None)
}

/// Takes any trap, as the last of those that listen, and reports it.
pub(crate) fn take(trap: &mut Trap<'_>) -> bool {
    report(Location::caller(), format_args!("{trap}"), Some(trap))
}

/// Reports `message`, which came from `location`, and ends. `trap` is the trap that it is about, if it
/// is about one.
fn report(location: &Location<'_>, message: fmt::Arguments<'_>, trap: Option<&Trap<'_>>) -> ! {
    let before = REPORTS.fetch_add(1, Ordering::Relaxed);
    if before > 2 {
        exit::exit_silently(Status::Failure);
        exit::halt();
    }
    // SAFETY: whoever held the lock was interrupted for good, since this never returns.
    unsafe { console::seize() };
    if before == 2 {
        console::leave_screen();
    }
    console::fresh_line();
    match before {
        0 => {
            println!("kernel panic at {location}: {message}");
            if let Some(trap) = trap {
                print!("{}", Report(trap));
            }
            if let Some(refused) = heap::refused() {
                println!("The last allocation failed: {refused}");
            }
            println!("Backtrace:");
            match trap {
                Some(trap) => backtrace::print_trap(trap.instruction(), trap.frame_pointer()),
                None => backtrace::print_panic(),
            }
        }
        _ => println!("kernel panic within the report of a panic, at {location}: {message}"),
    }
    exit::exit(Status::Failure)
}
