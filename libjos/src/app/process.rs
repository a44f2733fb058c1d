//! An application as a whole: its `main`, its command line, its end.

use alloc::string::String;
use core::fmt;

use super::{console, with};

/// How an application ends: 0 is success, all else a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExitCode(u8);

impl ExitCode {
    /// All is well.
    pub const SUCCESS: Self = Self(0);
    /// Something went wrong.
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

/// What a `main` may return.
pub trait Termination {
    /// The code that it means. An error is printed.
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

/// An error is printed after `Error: `, and is a failure.
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

/// Makes a function the application: what runs once the kernel is up. It takes nothing and returns
/// nothing, an [`ExitCode`], or a `Result` of either, whose error is printed. When it returns, the
/// machine is done.
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
        // SAFETY: the kernel calls its application by this name, and each image has one.
        #[unsafe(no_mangle)]
        extern "Rust" fn umain() -> $crate::app::process::ExitCode {
            $crate::app::process::Termination::report($main())
        }
    };
}

/// Ends the application at once, with `code`: 0 is success. As with `std`'s, nothing is dropped.
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

/// What the command line says to the application: all that stands after `--`.
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
