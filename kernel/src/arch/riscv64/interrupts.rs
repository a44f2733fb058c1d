//! Interrupts, which the kernel does not use yet on this machine: they are always off.

/// Sets up nothing.
pub(crate) fn init() {}

/// Turns nothing on.
pub(crate) fn on() {}

/// Whether interrupts were on.
pub(crate) fn off() -> bool {
    false
}

/// Returns at once: no interrupt would come.
pub(crate) fn wait() {}
