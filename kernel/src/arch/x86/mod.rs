//! What i386 and x86-64 share: the devices of a PC.

pub(crate) mod clock;
pub(crate) mod exit;
pub(crate) mod keyboard;
pub(crate) mod screen;
pub(crate) mod serial;

/// One of the processor's I/O ports.
use x86_64::instructions::port::Port;
