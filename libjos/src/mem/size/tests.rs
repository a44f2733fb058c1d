//! Tests of sizes as text.

use std::string::ToString;

use super::*;

#[test]
fn sizes_have_the_unit_that_fits() {
    for (bytes, expected) in
        [(512, "512 bytes"), (3 << 10, "3 KB"), (2 << 20, "2 MB"), (1 << 30, "1 GB")]
    {
        assert_eq!(Size(bytes).to_string(), expected);
    }
    assert_eq!(Size(1025).to_string(), "1025 bytes");
    assert_eq!(std::format!("{:#} {:#} {:#}", Size(4096), Size(3 << 30), Size(1025)), "4K 3G 1025");
}

#[test]
fn sizes_are_typed_with_a_letter() {
    for (text, bytes) in [
        ("0", 0),
        ("4096", 4096),
        ("1K", 1024),
        ("640k", 655_360),
        ("1M", 1_048_576),
        ("256m", 268_435_456),
        ("1G", 1_073_741_824),
        ("5g", 5_368_709_120),
        ("18446744073709551615", u64::MAX),
        ("17179869183G", u64::MAX - ((1 << 30) - 1)),
    ] {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
}

#[test]
fn what_is_no_size_is_told() {
    for text in [
        "",
        "M",
        "lots",
        "+1M",
        "-1",
        "1T",
        "1MB",
        "1 M",
        " 1M",
        "0x1000",
        "1.5G",
        "1_000",
        "1µ",
        "18446744073709551616",
        "17179869184G",
        "18014398509481984K",
    ] {
        assert_eq!(text.parse::<Size>(), Err(NoSize), "{text}");
    }
    assert!(NoSize.to_string().starts_with("a size is "));
}
