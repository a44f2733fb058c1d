//! The features of the hart.

use core::fmt;

/// The levels at which a hart accepts a leaf, as a bit mask: Sv39 has pages of 4 KB, 2 MB and 1 GB.
pub(crate) fn leaf_levels() -> u32 {
    0b111
}

/// Writes the hart's kind. Supervisor mode cannot read its name and its extensions.
pub(crate) fn describe(out: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(out, "Processor: RISC-V, with Sv39")
}
