//! The features of the processor, by its identification (CPUID).

use crate::arch::instructions::cpuid;

pub(crate) use crate::arch::x86::features::describe;

/// The levels at which this processor accepts a leaf, as a bit mask.
///
/// Every processor has pages of 4 KB and 2 MB; those of 1 GB exist if CPUID says so (Intel SDM vol. 3A,
/// 4.1.4). CPUID is slow, above all in a virtual machine, so callers keep the result.
pub(crate) fn leaf_levels() -> u32 {
    let features = cpuid().get_extended_processor_and_feature_identifiers();
    let has_1gb = features.is_some_and(|features| features.has_1gib_pages());
    0b011 | u32::from(has_1gb) << 2
}

#[cfg(test)]
mod tests;
