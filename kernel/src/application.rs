//! The application: how it begins, and how it ends.

use libjos::app::process::ExitCode;
use libjos::mem::pages::PageAllocator;
use spin::Once;

use crate::cmdline;
use crate::exit::{self, Status};
use crate::heap;
use crate::pmap;

/// Pages that were free when the application began.
static FREE_AT_START: Once<usize> = Once::new();

/// Runs the application that is linked with the kernel, and ends as it does.
pub(crate) fn run() -> ! {
    unsafe extern "Rust" {
        // `libjos::application!` defines it, and sees to its type.
        safe fn umain() -> ExitCode;
    }
    FREE_AT_START.call_once(|| pmap::lock().pages().nfree());
    end(umain())
}

/// Ends the machine as the application's `code` says: QEMU's status is a failure's for all codes
/// but 0, and the code itself is printed. With `leakcheck` on the command line, the last line says
/// whether every page that the application took has gone back, and else that is a failure, too.
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

/// Says whether every page has gone back since the application began.
fn no_leak() -> bool {
    heap::trim();
    let free = pmap::lock().pages().nfree();
    let kept = FREE_AT_START.get().map_or(0, |start| start.saturating_sub(free));
    if kept == 0 {
        println!("leakcheck: every page went back");
    } else {
        let asked = heap::stats().map_or(0, |stats| stats.asked);
        let pages = if kept == 1 { "page" } else { "pages" };
        println!("leakcheck: {kept} {pages} did not go back; {asked} bytes of the heap are in use");
    }
    kept == 0
}
