//! Features as CPUID has them (Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E).

use alloc::string::String;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::alone;

fn set(leaf: u32, registers: [u32; 4]) {
    pc().processor.cpuid.insert((leaf, 0), registers);
}

fn text(text: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*text)
}

fn described() -> String {
    let mut out = String::new();
    describe(&mut out).expect("a string takes it");
    out
}

/// A processor of no known vendor with these features: leaf 1 ECX and EDX, leaf 7 EBX and ECX, leaf
/// 0x8000_0001 EDX.
fn features([ecx, edx, more, more_ecx, amd]: [u32; 5]) {
    pc().processor.cpuid.clear();
    set(0, [7, text(b"Test"), text(b"sPro"), text(b"cess")]);
    set(1, [0, 0, ecx, edx]);
    set(7, [0, more, more_ecx, 0]);
    set(0x8000_0000, [0x8000_0001, 0, 0, 0]);
    set(0x8000_0001, [0, 0, 0, amd]);
}

#[test]
fn each_feature() {
    alone(|| {
        for (registers, name) in [
            ([0, 0, 0, 0, 1 << 20], " NX"),
            ([0, 0, 0, 0, 1 << 26], " 1 GB pages"),
            ([0, 1 << 13, 0, 0, 0], " PGE"),
            ([1 << 17, 0, 0, 0, 0], " PCID"),
            ([0, 0, 1 << 7, 0, 0], " SMEP"),
            ([0, 0, 1 << 20, 0, 0], " SMAP"),
            ([0, 0, 0, 1 << 2, 0], " UMIP"),
            ([0, 0, 0, 1 << 16, 0], " LA57"),
            ([1 << 31, 0, 0, 0, 0], " a hypervisor"),
            ([0, 1 << 13, 1 << 7, 0, 1 << 20], " NX, PGE, SMEP"),
            ([0; 5], ""),
        ] {
            features(registers);
            let (_, has) = described()
                .split_once("\n  has:")
                .map(|(a, b)| (String::from(a), String::from(b)))
                .expect("has");
            assert_eq!(has.strip_suffix('\n'), Some(name));
            assert_eq!(leaf_levels(), if name == " 1 GB pages" { 0b111 } else { 0b011 });
        }
    })
    .assert_returned();
}

#[test]
fn vendor_and_name() {
    alone(|| {
        assert_eq!(described(), "Processor: \0\0\0\0\0\0\0\0\0\0\0\0\n  has:\n");
        features([0; 5]);
        set(0, [7, text(b"Genu"), text(b"ntel"), text(b"ineI")]);
        assert_eq!(described(), "Processor: GenuineIntel\n  has:\n");
        set(0x8000_0000, [0x8000_0004, 0, 0, 0]);
        set(0x8000_0002, [text(b"  A "), text(b"PC  "), 0, 0]);
        assert_eq!(described(), "Processor: GenuineIntel, A PC\n  has:\n");
    })
    .assert_returned();
}
