//! [`Size`]: a number of bytes, printed and typed with a unit.

use core::fmt;
use core::str::FromStr;

use layout::{GB, KB, MB};

/// A number of bytes, printed in the largest unit that divides it: `4 KB`, or by `{:#}` as it is typed, `4K`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, short, long) = match self.0 {
            bytes if bytes.is_multiple_of(GB) => (GB, "G", " GB"),
            bytes if bytes.is_multiple_of(MB) => (MB, "M", " MB"),
            bytes if bytes.is_multiple_of(KB) => (KB, "K", " KB"),
            _ => (1, "", " bytes"),
        };
        write!(f, "{}{}", self.0 / unit, if f.alternate() { short } else { long })
    }
}

/// The error of a text that is no size, or one of 2^64 bytes and more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSize;

impl fmt::Display for NoSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size is a number of bytes, or one with K, M or G behind it")
    }
}

impl core::error::Error for NoSize {}

/// Reads decimal digits as bytes, or with K, M or G behind them as units of 1024, 1024^2 or 1024^3.
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
mod tests;
