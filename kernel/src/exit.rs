//! The end of the machine: QEMU exits if it has a device for that; elsewhere the processor halts.

use crate::arch;
use crate::console;

/// The exit status of QEMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Status {
    /// The application ended with code 0.
    Success = 33,
    /// A panic, an application's failure, or a failure that the user asked for.
    Failure = 35,
}

/// Ends QEMU with `status`. If there is no such device, says so and halts.
pub(crate) fn exit(status: Status) -> ! {
    console::flush();
    exit_silently(status);
    println!("Halted: there is no {}. The machine can be turned off.", arch::exit::DEVICE);
    halt()
}

/// Asks QEMU to end with `status`; returns if there is no such device.
pub(crate) fn exit_silently(status: Status) {
    arch::exit::end(status as u32);
}

/// Resets the machine.
pub(crate) fn reboot() -> ! {
    console::flush();
    arch::exit::reset();
    halt()
}

/// Stops the processor permanently.
pub(crate) fn halt() -> ! {
    loop {
        arch::cpu::halt();
    }
}

#[cfg(test)]
mod tests;
