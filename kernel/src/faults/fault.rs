//! [`FaultTest`]: a deliberate fault of `test=NAME`.

/// A deliberate fault of `test=NAME`.
#[derive(Debug)]
pub(crate) struct FaultTest {
    /// The NAME.
    pub name: &'static str,
    /// Commits the fault, and should not return.
    pub commit: fn(),
}
