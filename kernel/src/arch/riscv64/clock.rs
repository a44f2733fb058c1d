//! The counter's frequency, which the device tree alone states.

use core::time::Duration;

/// Counts per second as the hart states them.
pub(crate) fn stated() -> Option<u64> {
    None
}

/// Counts per second by the hart's nominal frequency.
pub(crate) fn nominal() -> Option<u64> {
    None
}

/// Counts per second as measured by another timer.
pub(crate) fn measured() -> Option<u64> {
    None
}

/// Sets up nothing: the alarm is not used yet.
pub(crate) fn init_alarm() {}

/// Returns false: no interrupt will come.
pub(crate) fn alarm(_time: Duration) -> bool {
    false
}

/// Returns at once: no interrupt will come.
pub(crate) fn tick(_hz: u32) {}

/// Returns at once: nothing ticks.
pub(crate) fn stop_ticking() {}
