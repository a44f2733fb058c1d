//! The end: QEMU's isa-debug-exit device where there is one, and a halted processor elsewhere.

use x86_64::VirtAddr;
use x86_64::instructions::interrupts::int3;
use x86_64::instructions::port::Port;
use x86_64::instructions::tables::lidt;
use x86_64::instructions::{hlt, interrupts};
use x86_64::structures::DescriptorTablePointer;

use crate::console;

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

/// How the machine ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Status {
    /// All is well: QEMU's status 33.
    Success = 0x10,
    /// A panic, or what the user called a failure: QEMU's status 35.
    Failure = 0x11,
}

/// Ends QEMU with `status`. Where nothing takes notice, says so and halts.
pub(crate) fn exit(status: Status) -> ! {
    console::flush();
    exit_silently(status);
    println!("Halted: there is no isa-debug-exit device. The machine can be turned off.");
    halt()
}

/// Asks QEMU to end with `status`; returns where nothing listens at the port.
pub(crate) fn exit_silently(status: Status) {
    let mut port = Port::<u32>::new(DEBUG_EXIT);
    // SAFETY: at this port of a PC there is the device or nothing; neither touches memory.
    unsafe { port.write(status as u32) };
}

/// Resets the machine.
pub(crate) fn reboot() -> ! {
    console::flush();
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
    halt()
}

/// Stops the processor for good.
pub(crate) fn halt() -> ! {
    loop {
        interrupts::disable();
        hlt();
    }
}
