//! The features of the processor, by its identification (CPUID).

use core::fmt;

use crate::arch::cpu::cpuid;

/// The levels at which this processor accepts a leaf, as a bit mask.
///
/// Every processor has pages of 4 KB and 2 MB; those of 1 GB exist if CPUID says so (Intel SDM vol. 3A,
/// 4.1.4). CPUID is slow, above all in a virtual machine, so callers keep the result.
pub(crate) fn leaf_levels() -> u32 {
    let features = cpuid().get_extended_processor_and_feature_identifiers();
    let has_1gb = features.is_some_and(|features| features.has_1gib_pages());
    0b011 | u32::from(has_1gb) << 2
}

/// Writes the processor's name and those of its features that matter to a memory system.
pub(crate) fn describe(out: &mut dyn fmt::Write) -> fmt::Result {
    let cpuid = cpuid();
    write!(out, "Processor:")?;
    if let Some(vendor) = cpuid.get_vendor_info() {
        write!(out, " {}", vendor.as_str())?;
    }
    if let Some(brand) = cpuid.get_processor_brand_string() {
        write!(out, ", {}", brand.as_str().trim())?;
    }
    let basic = cpuid.get_feature_info();
    let more = cpuid.get_extended_feature_info();
    let amd = cpuid.get_extended_processor_and_feature_identifiers();
    let basic = |has: fn(&raw_cpuid::FeatureInfo) -> bool| basic.as_ref().is_some_and(has);
    let more = |has: fn(&raw_cpuid::ExtendedFeatures) -> bool| more.as_ref().is_some_and(has);
    let amd = |has: fn(&raw_cpuid::ExtendedProcessorFeatureIdentifiers) -> bool| {
        amd.as_ref().is_some_and(has)
    };
    write!(out, "\n  has:")?;
    let features = [
        ("NX", amd(|f| f.has_execute_disable())),
        ("1 GB pages", amd(|f| f.has_1gib_pages())),
        ("PGE", basic(|f| f.has_pge())),
        ("PCID", basic(|f| f.has_pcid())),
        ("SMEP", more(|f| f.has_smep())),
        ("SMAP", more(|f| f.has_smap())),
        ("UMIP", more(|f| f.has_umip())),
        ("LA57", more(|f| f.has_la57())),
        ("a hypervisor", basic(|f| f.has_hypervisor())),
    ];
    let mut comma = "";
    for (name, _) in features.iter().filter(|(_, has)| *has) {
        write!(out, "{comma} {name}")?;
        comma = ",";
    }
    writeln!(out)
}

#[cfg(test)]
mod tests;
