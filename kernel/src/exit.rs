//! The end: that of QEMU where the machine has a device for it, and a halted processor elsewhere.

use crate::arch;
use crate::console;

/// How the machine ends: QEMU's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Status {
    /// All is well.
    Success = 33,
    /// A panic, or what the user called a failure.
    Failure = 35,
}

/// Ends QEMU with `status`. Where nothing takes notice, says so and halts.
pub(crate) fn exit(status: Status) -> ! {
    console::flush();
    exit_silently(status);
    println!("Halted: there is no {}. The machine can be turned off.", arch::exit::DEVICE);
    halt()
}

/// Asks QEMU to end with `status`; returns where nothing takes notice.
pub(crate) fn exit_silently(status: Status) {
    arch::exit::end(status as u32);
}

/// Resets the machine.
pub(crate) fn reboot() -> ! {
    console::flush();
    arch::exit::reset();
    halt()
}

/// Stops the processor for good.
pub(crate) fn halt() -> ! {
    loop {
        arch::exit::halt();
    }
}
