//! The end of a PC: QEMU's isa-debug-exit device, and the reset.

use crate::arch::cpu;
use crate::arch::instructions::Port;

/// The name of the device that ends QEMU.
pub(crate) const DEVICE: &str = "isa-debug-exit device";

/// The port of the device, as QEMU's command line sets it:
/// `-device isa-debug-exit,iobase=0xf4,iosize=0x04`. A write of `v` ends QEMU with status
/// `2 * v + 1`, which is never 0.
const DEBUG_EXIT: u16 = 0xF4;

/// The chipset's reset control (PIIX3 data sheet, 2.5.4), and the bits for a full reset.
const RESET_CONTROL: u16 = 0xCF9;
const RESET_REQUEST: u8 = 1 << 1 | 1 << 2;
/// The keyboard controller's command port, and the command that pulses the processor's reset line.
const KEYBOARD_COMMAND: u16 = 0x64;
const PULSE_RESET: u8 = 0xFE;
/// Reads of a port, about a microsecond each, to wait for a reset.
const RESET_PATIENCE: u32 = 10_000;

/// Asks QEMU to end with `status`, an odd number; returns if there is no device at the port.
pub(crate) fn end(status: u32) {
    let mut port = Port::<u32>::new(DEBUG_EXIT);
    // SAFETY: this port of a PC belongs to the device or to none; a write does not affect memory.
    unsafe { port.write(status / 2) };
}

/// Resets the machine; returns if every way to do so fails.
pub(crate) fn reset() {
    // SAFETY: on a PC these ports belong to the chipset's reset control and the keyboard controller,
    // or to no device; nothing runs after the reset.
    unsafe {
        Port::<u8>::new(RESET_CONTROL).write(RESET_REQUEST);
        Port::<u8>::new(KEYBOARD_COMMAND).write(PULSE_RESET);
        // Either may take a moment.
        for _ in 0..RESET_PATIENCE {
            let _ = Port::<u8>::new(KEYBOARD_COMMAND).read();
        }
    }
    // A machine with neither (microvm) resets a processor that shuts down.
    // SAFETY: nothing runs after this.
    unsafe { cpu::shut_down() };
}
