//! The end of the machine: QEMU's `sifive_test` device, and the reset.

use boot::riscv64::devices::Device;

use super::address::registers;

/// The name of the device that ends QEMU.
pub(crate) const DEVICE: &str = "sifive_test device";

/// The commands (QEMU, include/hw/misc/sifive_test.h): an end, whose status is in the upper half, and a reset.
const FINISHER_FAIL: u32 = 0x3333;
const FINISHER_RESET: u32 = 0x7777;

/// Asks QEMU to end with `status`; returns if the device does not.
pub(crate) fn end(status: u32) {
    command(status << 16 | FINISHER_FAIL);
}

/// Resets the machine; returns if the device does not.
pub(crate) fn reset() {
    command(FINISHER_RESET);
}

fn command(word: u32) {
    if let Some(register) = registers::<u32>(Device::Test) {
        // SAFETY: the address is the device's alone; a write does not affect memory.
        unsafe { register.write_volatile(word) };
    }
}
