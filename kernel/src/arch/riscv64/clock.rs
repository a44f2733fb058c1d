//! The counter's frequency, which the device tree alone states; and the firmware's timer.

use core::time::Duration;

use boot::riscv64::devices::timebase_hz;
use boot::riscv64::firmware::set_timer;

use super::cpu::counter;
use super::interrupts::allow_timer;

/// Counts per second as the device tree states them.
pub(crate) fn stated() -> Option<u64> {
    timebase_hz()
}

/// Counts per second by the hart's nominal frequency.
pub(crate) fn nominal() -> Option<u64> {
    None
}

/// Counts per second as measured by another timer.
pub(crate) fn measured() -> Option<u64> {
    None
}

/// Sets up nothing.
pub(crate) fn init_alarm() {}

/// Makes the timer interrupt the hart when `time` has gone by. Returns false if it cannot.
pub(crate) fn alarm(time: Duration) -> bool {
    let Some(hz) = timebase_hz() else { return false };
    let counts = time.as_nanos() * u128::from(hz) / 1_000_000_000 + 1;
    let end = counter().saturating_add(counts.try_into().unwrap_or(u64::MAX));
    let is_set = set_timer(end);
    if is_set {
        allow_timer();
    }
    is_set
}

/// Returns at once: no interrupt will come.
pub(crate) fn tick(_hz: u32) {}

/// Returns at once: nothing ticks.
pub(crate) fn stop_ticking() {}
