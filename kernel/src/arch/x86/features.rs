//! The features of the processor, as CPUID reports them.

use core::fmt;

use crate::arch::instructions::cpuid;

/// Writes the processor's name, and the features that it has among those that concern memory. A hypervisor is named
/// too.
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
