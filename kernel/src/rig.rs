//! Helpers of tests on the host: they set up the kernel as far as a test needs it.

use libjos::app::process::ExitCode;
use spin::Mutex;

use crate::console;
use crate::platform;

/// Sets up the console, so that `println!` prints.
pub(crate) fn console() {
    platform::install();
    console::init();
}

/// The application that [`application::run`](crate::application::run) calls.
pub(crate) static APPLICATION: Mutex<fn() -> ExitCode> = Mutex::new(|| ExitCode::SUCCESS);

fn application() -> ExitCode {
    let application = *APPLICATION.lock();
    application()
}

libjos::application!(application);
