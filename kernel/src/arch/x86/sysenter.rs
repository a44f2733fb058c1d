//! SYSENTER, an instruction for system calls that this kernel does not offer.

use raw_cpuid::FeatureInfo;

use crate::arch::instructions::{Msr, cpuid};

/// The register with the selector of the code that SYSENTER enters. If it is 0, the instruction faults (Intel SDM vol. 2B,
/// SYSENTER).
const SYSENTER_CS: u32 = 0x174;

/// Takes SYSENTER from programs: it would enter another kernel's code, in ring 0, if a loader has left its address.
pub(in crate::arch) fn forbid_sysenter() {
    // The first processors that report the instruction do not have it (Intel SDM vol. 2B, SYSENTER).
    let is_early = |f: &FeatureInfo| f.family_id() == 6 && f.model_id() < 3 && f.stepping_id() < 3;
    let features = cpuid().get_feature_info();
    if features.is_some_and(|f| f.has_sysenter_sysexit() && !is_early(&f)) {
        // SAFETY: the register exists, and the kernel does not use the instruction.
        unsafe { Msr::new(SYSENTER_CS).write(0) };
    }
}

#[cfg(test)]
mod tests;
