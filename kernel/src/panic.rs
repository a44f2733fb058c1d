//! Panics, of Rust code or of a trap that no other listener takes: one line that says what and where, a
//! trap's registers, a backtrace, and the end of QEMU with a failure.
//!
//! The report must come out whatever state the kernel is in: it takes the console from its holder, and
//! checks every address before reading it. A panic within the report prints one line; a panic within
//! that prints one line without the screen, which may be the cause; a fourth ends the machine in
//! silence.

use core::fmt;
use core::panic::{Location, PanicInfo};
use core::sync::atomic::{AtomicU32, Ordering};

use spin::Once;

use crate::arch::interrupts;
use crate::arch::trap::Trap;
use crate::backtrace;
use crate::console;
use crate::exit::{self, Status};
use crate::heap;
use crate::trap::report::Report;

/// Prints for whom the kernel works, if it is not for itself: set when the first program is made.
static ON_BEHALF: Once<fn()> = Once::new();

/// The number of reports that were begun. A report never returns.
static REPORTS: AtomicU32 = AtomicU32::new(0);

/// Makes `print` say for whom the kernel works, in each report.
pub(crate) fn on_behalf(print: fn()) {
    ON_BEHALF.call_once(|| print);
}

#[cfg_attr(jos_machine, panic_handler)]
fn panic(info: &PanicInfo<'_>) -> ! {
    // core documents that the location is always there.
    let location = info.location().unwrap_or(Location::caller());
    report(location, format_args!("{}", info.message()), None)
}

/// Reports a trap that no other listener took, and ends.
pub(crate) fn report_trap(trap: &mut Trap<'_>) -> bool {
    report(Location::caller(), format_args!("{trap}"), Some(trap))
}

/// Reports `message`, which came from `location`, and ends. `trap` is the trap that it describes, if
/// there is one.
pub(crate) fn report(
    location: &Location<'_>,
    message: fmt::Arguments<'_>,
    trap: Option<&Trap<'_>>,
) -> ! {
    interrupts::off();
    let before = REPORTS.fetch_add(1, Ordering::Relaxed);
    if before > 2 {
        exit::exit_silently(Status::Failure);
        exit::halt();
    }
    // SAFETY: the lock's holder never runs again, since this never returns.
    unsafe { console::seize() };
    if before == 2 {
        console::leave_screen();
    }
    console::fresh_line();
    match before {
        0 => {
            println!("kernel panic at {location}: {message}");
            if let Some(print) = ON_BEHALF.get() {
                print();
            }
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

#[cfg(test)]
mod tests;
