//! The console: lines out, lines in, and the `log` crate's messages.

use alloc::string::String;
use core::fmt;

use log::{LevelFilter, Log, Metadata, Record};

use super::with;

/// Prints on the console, like `std`'s.
///
/// ```
/// # use libjos::sim::SimPlatform;
/// # use libjos::{print, println};
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().run(|| {
/// print!("{} ", 6 * 7);
/// println!("is the answer");
/// # });
/// # assert_eq!(run.output, "42 is the answer\n");
/// ```
#[macro_export]
#[collapse_debuginfo(yes)]
macro_rules! print {
    ($($arg:tt)*) => { $crate::app::console::print(::core::format_args!($($arg)*)) };
}

/// Prints a line on the console, like `std`'s; see [`print!`](crate::print).
#[macro_export]
#[collapse_debuginfo(yes)]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => {
        $crate::app::console::print(::core::format_args!("{}\n", ::core::format_args!($($arg)*)))
    };
}

/// Prints a line of trouble. There is one console, so it goes where [`println!`](crate::println)'s
/// go; the name says to the reader of the program what it is.
#[macro_export]
#[collapse_debuginfo(yes)]
macro_rules! eprintln {
    ($($arg:tt)*) => { $crate::println!($($arg)*) };
}

/// What `print!` calls.
pub fn print(text: fmt::Arguments<'_>) {
    with(|platform| platform.print(text));
}

/// Prints `prompt`, waits for a line and returns it without its end; `None` at the end of input,
/// which is Ctrl-D on an empty line. (The next call waits for a line again.)
///
/// A line has any length and is UTF-8: bytes that are not become U+FFFD, the replacement
/// character. It can be edited like a shell's, within one row of the screen. Where Ctrl-C is typed
/// it is empty. A line for which the heap has no room is refused whole, and asked for once more.
///
/// ```
/// # use libjos::println;
/// # use libjos::sim::SimPlatform;
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().typed(&["Ada"]).run(|| {
/// while let Some(name) = read_line("Your name? ") {
///     println!("Hello, {name}!");
/// }
/// # });
/// # assert_eq!(run.output, "Your name? Ada\nHello, Ada!\nYour name? ^D\n");
/// ```
#[must_use]
pub fn read_line(prompt: &str) -> Option<String> {
    with(|platform| platform.read_line(prompt))
}

/// Sends `log`'s messages to the console.
struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, target, text) = (record.level(), record.target(), record.args());
            let time = with(|platform| platform.uptime());
            print(format_args!(
                "[{:>5}.{:06}] {level:<5} {target}: {text}\n",
                time.as_secs(),
                time.subsec_micros()
            ));
        }
    }

    fn flush(&self) {}
}

/// From here on `log`'s messages of `level` and above are printed.
pub fn init_log(level: LevelFilter) {
    // Only the first call sets the logger, which is the same each time.
    let _ = log::set_logger(&Console);
    log::set_max_level(level);
}
