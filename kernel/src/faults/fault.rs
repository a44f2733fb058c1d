//! [`FaultTest`]: a deliberate fault of `test=NAME`.

use core::fmt::Display;

/// A deliberate fault of `test=NAME`.
#[derive(Debug)]
pub(crate) struct FaultTest {
    /// The NAME.
    pub name: &'static str,
    /// Commits the fault, and should not return.
    pub commit: fn(),
}

/// The value of a step on the way to the fault, which must not fail.
pub(crate) fn succeed<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
