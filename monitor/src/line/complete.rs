//! [`Complete`]: the words that Tab can complete to; how far they agree, and how they are listed.

use core::fmt::{self, Write};

use super::row::COLUMNS;
use super::text::{EditableText, Fixed, LONGEST, part};

/// The most words that are listed when Tab finds several.
pub(super) const MOST_LISTED: usize = 120;

/// A source of words that can stand at the cursor.
pub trait Complete {
    /// Calls `each` with every word that may follow `before`. `word` is typed already: words that
    /// do not begin so are passed over.
    fn candidates(&self, before: &str, word: &str, each: &mut dyn FnMut(&str));

    /// Whether a word that follows `before` ends with its last letter, so that Tab puts a blank
    /// behind it. A number does not: a sum may go on.
    fn is_whole(&self, before: &str) -> bool;
}

/// The start of the name at the end of `text`: behind a space or a sign of a sum.
pub(super) fn name_start(text: &str) -> usize {
    let is_sign = |&(at, c): &(usize, char)| {
        c == ' ' || c == '+' || c == '-' && !part(text, ..at).ends_with(' ')
    };
    text.char_indices().rev().find(is_sign).map_or(0, |(at, _)| at + 1)
}

/// The text that all candidates begin with, and whether there is only one; `None` if there is none.
pub(super) fn agreed(
    complete: &dyn Complete,
    before: &str,
    word: &str,
) -> Option<(Fixed<LONGEST>, bool)> {
    let mut agreed: Option<(Fixed<LONGEST>, bool)> = None;
    for_each(complete, before, word, &mut |candidate| {
        agreed = Some(match agreed {
            None => (kept(candidate), true),
            Some((common, is_one)) => {
                let same = common.bytes().zip(candidate.bytes()).take_while(|(a, b)| a == b);
                (kept(part(candidate, ..same.count())), is_one && &*common == candidate)
            }
        });
    });
    agreed
}

/// Lists the candidates in columns, on rows of their own.
pub(super) fn list(
    complete: &dyn Complete,
    before: &str,
    word: &str,
    out: &mut dyn Write,
) -> fmt::Result {
    let (mut column, mut listed, mut result) = (COLUMNS, 0, Ok(()));
    for_each(complete, before, word, &mut |candidate| {
        listed += 1;
        if result.is_err() || listed > MOST_LISTED {
            return;
        }
        // A column has 16 characters; a longer candidate takes several.
        let width = (candidate.len() + 2).next_multiple_of(16);
        if column + width > COLUMNS {
            result = out.write_str("\n");
            column = 0;
        }
        column += width;
        result = result.and_then(|()| write!(out, "{candidate:<width$}"));
    });
    result?;
    if listed > MOST_LISTED {
        write!(out, "\n... and {} more", listed - MOST_LISTED)?;
    }
    out.write_str("\n")
}

/// A copy of a candidate, which fits because [`for_each`] has checked it.
fn kept(candidate: &str) -> Fixed<LONGEST> {
    let mut kept = Fixed::EMPTY;
    let _ = kept.replace(0..0, candidate);
    kept
}

/// Calls `each` with the candidates that begin with `word` and could be typed. Equal ones in a row
/// count once.
fn for_each(complete: &dyn Complete, before: &str, word: &str, each: &mut dyn FnMut(&str)) {
    let mut last = Fixed::<LONGEST>::EMPTY;
    complete.candidates(before, word, &mut |candidate| {
        let printable = candidate.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = candidate.len() <= LONGEST && *candidate != *last;
        if printable && fits && candidate.starts_with(word) {
            last = kept(candidate);
            each(candidate);
        }
    });
}
