//! The devices of a PC, which i386 and x86-64 share.

pub(crate) mod clock;
pub(crate) mod exit;
pub(crate) mod keyboard;
pub(crate) mod screen;
pub(crate) mod serial;

/// One of the processor's I/O ports.
use super::machine::Port;
