//! The end of a PC: QEMU's isa-debug-exit device, the chipset's reset, a halted processor.

use x86_64::VirtAddr;
use x86_64::instructions::interrupts::int3;
use x86_64::instructions::tables::lidt;
use x86_64::instructions::{hlt, interrupts};
use x86_64::structures::DescriptorTablePointer;

use super::Port;

/// The name of the device that ends QEMU, where there is one.
pub(crate) const DEVICE: &str = "isa-debug-exit device";

/// The port of the device, as QEMU's command line sets it:
/// `-device isa-debug-exit,iobase=0xf4,iosize=0x04`. A write of `v` ends QEMU with status
/// `2 * v + 1`, so that no status of ours is 0.
const DEBUG_EXIT: u16 = 0xF4;

/// The chipset's reset control (PIIX3 data sheet, 2.5.4), and the bits for a full reset.
const RESET_CONTROL: u16 = 0xCF9;
const RESET_REQUEST: u8 = 1 << 1 | 1 << 2;
/// The keyboard controller's command port, and the command that pulses the processor's reset line.
const KEYBOARD_COMMAND: u16 = 0x64;
const PULSE_RESET: u8 = 0xFE;
/// Reads of a port, about a microsecond each, in which a reset must have come.
const RESET_PATIENCE: u32 = 10_000;

/// Asks QEMU to end with `status`, an odd number; returns where nothing listens at the port.
pub(crate) fn end(status: u32) {
    let mut port = Port::<u32>::new(DEBUG_EXIT);
    // SAFETY: at this port of a PC there is the device or nothing; neither touches memory.
    unsafe { port.write(status / 2) };
}

/// Resets the machine; returns where nothing does.
pub(crate) fn reset() {
    // SAFETY: on a PC these ports are the chipset's reset control and the keyboard controller's, or
    // nobody's; a reset is what is asked for, and nothing runs after it.
    unsafe {
        Port::<u8>::new(RESET_CONTROL).write(RESET_REQUEST);
        Port::<u8>::new(KEYBOARD_COMMAND).write(PULSE_RESET);
        // Either may take a moment.
        for _ in 0..RESET_PATIENCE {
            let _: u8 = Port::new(KEYBOARD_COMMAND).read();
        }
        // Where there is neither (microvm): an exception that cannot be delivered shuts the processor
        // down, which boards answer with a reset (Intel SDM vol. 3A, 6.15, double fault).
        lidt(&DescriptorTablePointer { limit: 0, base: VirtAddr::zero() });
        int3();
    }
}

/// Stops the processor until something wakes it; nothing should.
pub(crate) fn halt() {
    interrupts::disable();
    hlt();
}
