//! The features of the processor.

pub(crate) use crate::arch::x86::features::describe;

/// The levels at which this processor accepts a leaf, as a bit mask: pages of 4 KB, and of 4 MB, which the
/// entry has turned on.
pub(crate) fn leaf_levels() -> u32 {
    0b11
}
