//! Numbers as people type them: hexadecimal, binary, decimal, names, and sums of such.

use core::fmt;

/// Why a text does not stand for a number, with the part that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpressionError<'w> {
    /// A number or a name is missing, before, between or after the signs.
    Missing(&'w str),
    /// The word begins with a digit, and is not a number.
    NotANumber(&'w str),
    /// No address has this name.
    UnknownName(&'w str),
    /// The number, or the sum, is 2^64 or more, or more than this machine has addresses.
    Overflow(&'w str),
    /// The sum is less than 0.
    Negative(&'w str),
}

impl fmt::Display for ExpressionError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing(text) => write!(f, "something is missing in \"{text}\""),
            Self::NotANumber(text) => write!(f, "\"{text}\" is not a number"),
            Self::UnknownName(text) => {
                write!(f, "unknown name \"{text}\"")?;
                if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    write!(f, " (a hexadecimal number begins with 0x)")?;
                }
                Ok(())
            }
            Self::Overflow(text) => write!(f, "{text} is too large"),
            Self::Negative(text) => write!(f, "{text} is less than 0"),
        }
    }
}

impl core::error::Error for ExpressionError<'_> {}

/// The value of `text`: terms with `+` and `-` between them, added from left to right. A term is a
/// number (`0x` and hexadecimal digits, `0b` and binary ones, or decimal ones, `_` anywhere between)
/// or a name, whose value `resolve` gives.
///
/// # Errors
///
/// [`ExpressionError`].
pub fn evaluate<'w>(
    text: &'w str,
    resolve: &dyn Fn(&str) -> Option<u64>,
) -> Result<u64, ExpressionError<'w>> {
    let mut rest = text;
    let mut sum: u64 = 0;
    let mut add = true;
    loop {
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() {
            return Err(ExpressionError::Missing(text));
        }
        let value = term(word, resolve)?;
        sum = if add {
            sum.checked_add(value).ok_or(ExpressionError::Overflow(text))?
        } else {
            sum.checked_sub(value).ok_or(ExpressionError::Negative(text))?
        };
        let Some(sign) = behind.bytes().next() else { return Ok(sum) };
        add = sign == b'+';
        rest = &behind[1..];
    }
}

/// The value of a number or a name.
fn term<'w>(
    word: &'w str,
    resolve: &dyn Fn(&str) -> Option<u64>,
) -> Result<u64, ExpressionError<'w>> {
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return resolve(word).ok_or(ExpressionError::UnknownName(word));
    }
    let (digits, radix) = match word.split_at_checked(2) {
        Some(("0x" | "0X", digits)) => (digits, 16),
        Some(("0b" | "0B", digits)) => (digits, 2),
        _ => (word, 10),
    };
    let mut value: u64 = 0;
    let mut any = false;
    for c in digits.chars().filter(|&c| c != '_') {
        let digit = c.to_digit(radix).ok_or(ExpressionError::NotANumber(word))?;
        any = true;
        value = value
            .checked_mul(radix.into())
            .and_then(|value| value.checked_add(digit.into()))
            .ok_or(ExpressionError::Overflow(word))?;
    }
    if any { Ok(value) } else { Err(ExpressionError::NotANumber(word)) }
}

#[cfg(test)]
mod tests;
