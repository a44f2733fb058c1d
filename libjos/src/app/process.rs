//! The beginning and the end of an application: its `main`, its command line, its exit code.

use alloc::string::String;
use core::fmt;

use super::{console, with};

/// The result of an application: 0 is success, any other number a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExitCode(u8);

impl ExitCode {
    /// Success.
    pub const SUCCESS: Self = Self(0);
    /// A failure.
    pub const FAILURE: Self = Self(1);

    /// Whether this is success.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }
}

impl From<u8> for ExitCode {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A type that `main` may return.
pub trait Termination {
    /// Turns the result into an exit code. An error is printed.
    fn report(self) -> ExitCode;
}

impl Termination for () {
    fn report(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

impl Termination for ExitCode {
    fn report(self) -> ExitCode {
        self
    }
}

/// Prints an error after `Error: `. An error is a failure.
impl<T: Termination, E: fmt::Display> Termination for Result<T, E> {
    fn report(self) -> ExitCode {
        match self {
            Ok(value) => value.report(),
            Err(error) => {
                console::print(format_args!("Error: {error}\n"));
                ExitCode::FAILURE
            }
        }
    }
}

/// Makes a function the application, which runs once the kernel is up. The function takes no
/// arguments. It returns nothing, an [`ExitCode`], or a `Result` of either, whose error is printed.
/// Then the machine ends.
///
/// ```ignore
/// #![no_std]
/// #![no_main]
/// use kernel as _;
/// use libjos::prelude::*;
///
/// application!(main);
///
/// fn main() {
///     println!("Hello, world!");
/// }
/// ```
#[macro_export]
macro_rules! application {
    ($main:path) => {
        // SAFETY: the kernel calls its application by this name. Each image has one application.
        #[unsafe(no_mangle)]
        extern "Rust" fn application_main() -> $crate::app::process::ExitCode {
            $crate::app::process::Termination::report($main())
        }
    };
}

/// Ends the application at once with `code`, where 0 is success. Like `std`'s function of this name, it
/// drops nothing.
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().run(|| {
/// if command_line().is_empty() {
///     exit(3);
/// }
/// # });
/// # assert_eq!(run.code, ExitCode::from(3));
/// ```
pub fn exit(code: u8) -> ! {
    with(|platform| platform.exit(ExitCode(code)))
}

/// Returns the application's part of the command line: the words after `--`.
///
/// ```
/// # use libjos::sim::SimPlatform;
/// use libjos::prelude::*;
///
/// # let run = SimPlatform::new().command_line("1000 quiet").run(|| {
/// let line = command_line(); // of a machine that was started with "log=debug -- 1000 quiet"
/// let mut words = line.split_whitespace();
/// assert_eq!(words.next(), Some("1000"));
/// assert_eq!(words.next(), Some("quiet"));
/// # });
/// # assert!(run.code.is_success());
/// ```
#[must_use]
pub fn command_line() -> String {
    with(|platform| platform.command_line().into())
}
