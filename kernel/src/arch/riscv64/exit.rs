//! The end of the machine: QEMU's `sifive_test` device, and the reset.

use super::address::test_device;

/// The name of the device that ends QEMU.
pub(crate) const DEVICE: &str = "sifive_test device";

/// The commands (QEMU, include/hw/misc/sifive_test.h): an end, whose status is in the upper half, and a reset.
const FINISHER_FAIL: u32 = 0x3333;
const FINISHER_RESET: u32 = 0x7777;

/// Asks QEMU to end with `status`; returns if the device does not.
pub(crate) fn end(status: u32) {
    // SAFETY: the address is the device's alone; a write does not affect memory.
    unsafe { test_device().write_volatile(status << 16 | FINISHER_FAIL) };
}

/// Resets the machine; returns if the device does not.
pub(crate) fn reset() {
    // SAFETY: as in `end`.
    unsafe { test_device().write_volatile(FINISHER_RESET) };
}
