//! The console: printing, reading lines, and the `log` crate's messages.

use alloc::string::String;
use core::fmt;

use log::{LevelFilter, Log, Metadata, Record};

use super::with;

/// Prints on the console, like `std`'s macro of this name.
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

/// Prints a line on the console, like `std`'s macro of this name. See [`print!`](crate::print).
#[macro_export]
#[collapse_debuginfo(yes)]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => {
        $crate::app::console::print(::core::format_args!("{}\n", ::core::format_args!($($arg)*)))
    };
}

/// Prints a line on the console, as [`println!`](crate::println) does. There is one console; the
/// name tells the program's reader that the line is about an error.
#[macro_export]
#[collapse_debuginfo(yes)]
macro_rules! eprintln {
    ($($arg:tt)*) => { $crate::println!($($arg)*) };
}

/// Prints `text` on the console. [`print!`](crate::print) calls this.
pub fn print(text: fmt::Arguments<'_>) {
    with(|platform| platform.print(text));
}

/// Prints `prompt`, waits for a line and returns it without its end. Ctrl-D on an empty line is the
/// end of input: this returns `None`, and the next call waits for a line again.
///
/// A line may have any length. It is UTF-8: other bytes become U+FFFD, the replacement character. It
/// can be edited as in a shell, within one row of the screen. Ctrl-C makes it empty. A line that the
/// heap has no room for is refused as a whole, and asked for again.
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

/// The crate that reads archives of programs. It warns of every folder in one, whenever somebody looks into it.
const SILENT: &str = "tar_no_std";

/// The logger that prints `log`'s messages on the console.
struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level() && !metadata.target().starts_with(SILENT)
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

/// Starts printing `log`'s messages of `level` and above.
pub fn init_log(level: LevelFilter) {
    // Only the first call sets the logger. Each sets the same one.
    let _ = log::set_logger(&Console);
    log::set_max_level(level);
}
