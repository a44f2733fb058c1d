//! The application's start and end.

use core::sync::atomic::{AtomicUsize, Ordering};

use libjos::app::process::ExitCode;
use libjos::mem::pages::PageAllocator;

use crate::arch::interrupts;
use crate::cmdline;
use crate::exit::{self, Status};
use crate::heap;
use crate::pmap;

/// Pages that were free when the application began.
static FREE_AT_START: AtomicUsize = AtomicUsize::new(0);

/// Runs the application that is linked with the kernel, and ends the machine with its exit code.
pub(crate) fn run() -> ! {
    unsafe extern "Rust" {
        // `libjos::application!` defines it, with this type.
        safe fn application_main() -> ExitCode;
    }
    FREE_AT_START.store(pmap::lock().pages().nfree(), Ordering::Relaxed);
    interrupts::on();
    end(application_main())
}

/// Says that the kernel keeps so many pages more, which no application has to give back.
pub(crate) fn keeps(pages: usize) {
    FREE_AT_START.fetch_sub(pages, Ordering::Relaxed);
}

/// Ends the machine with the application's exit `code`: every code but 0 is printed and ends QEMU
/// with a failure. With `leakcheck` on the command line, the last line says whether the application
/// gave back every page; a leak is a failure too.
pub(crate) fn end(code: ExitCode) -> ! {
    let mut status = Status::Success;
    if !code.is_success() {
        println!("Exit code {code}");
        status = Status::Failure;
    }
    if cmdline::options().leakcheck && !no_leak() {
        status = Status::Failure;
    }
    exit::exit(status)
}

/// Prints and returns whether the application has given back every page.
fn no_leak() -> bool {
    heap::trim();
    let free = pmap::lock().pages().nfree();
    let kept = FREE_AT_START.load(Ordering::Relaxed).saturating_sub(free);
    if kept == 0 {
        println!("leakcheck: every page went back");
    } else {
        let asked = heap::stats().map_or(0, |stats| stats.asked);
        let pages = if kept == 1 { "page" } else { "pages" };
        println!("leakcheck: {kept} {pages} did not go back; {asked} bytes of the heap are in use");
    }
    kept == 0
}

#[cfg(test)]
mod tests;
