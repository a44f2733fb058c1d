//! [`Fault`]: a fault that can be asked for.

/// A fault that can be asked for.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What follows `test=`.
    pub name: &'static str,
    /// Commits it. It should not return.
    pub commit: fn(),
}
