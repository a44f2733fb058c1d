//! [`Size`]: a number of bytes, as it is printed and as people type it.

use core::fmt;
use core::str::FromStr;

use layout::{GB, KB, MB};

/// Bytes. They are printed in the largest unit that holds them without a rest: `4 KB`, or by `{:#}`
/// as they are typed, `4K`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            bytes if bytes.is_multiple_of(GB) => (GB, "GB"),
            bytes if bytes.is_multiple_of(MB) => (MB, "MB"),
            bytes if bytes.is_multiple_of(KB) => (KB, "KB"),
            _ => (1, "bytes"),
        };
        match self.0 / unit {
            count if f.alternate() && unit > 1 => write!(f, "{count}{}", &name[..1]),
            count if f.alternate() => write!(f, "{count}"),
            count => write!(f, "{count} {name}"),
        }
    }
}

/// A text is no size, or one of 2^64 bytes and more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSize;

impl fmt::Display for NoSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size is a number of bytes, or one with K, M or G behind it")
    }
}

impl core::error::Error for NoSize {}

/// Decimal digits: bytes, or with K, M or G behind them kilobytes and so on, of 1024.
impl FromStr for Size {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        let (digits, unit) = match text.as_bytes() {
            [digits @ .., b'K' | b'k'] => (digits, KB),
            [digits @ .., b'M' | b'm'] => (digits, MB),
            [digits @ .., b'G' | b'g'] => (digits, GB),
            digits => (digits, 1),
        };
        if digits.is_empty() {
            return Err(NoSize);
        }
        let number = digits.iter().try_fold(0_u64, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        });
        number.and_then(|number| number.checked_mul(unit)).map(Self).ok_or(NoSize)
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            std::format!("{:#} {:#} {:#}", Size(4096), Size(3 << 30), Size(1025)),
            "4K 3G 1025"
        );
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
}
