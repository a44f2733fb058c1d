//! What Tab does: it completes the name before the cursor, or lists the names that there are.

use core::fmt::{self, Write};

use super::row::COLUMNS;
use super::text::{Fixed, Text};
use super::{LONGEST, LineEditor};

/// Words that are listed at most when Tab finds several.
pub(super) const MOST_LISTED: usize = 120;

/// What can stand where the cursor is.
pub trait Complete {
    /// Calls `each` with every word that may follow `before`, which ends where the word begins
    /// that Tab was pressed in. Those that do not begin as that word does are passed over.
    fn candidates(&self, before: &str, word: &str, each: &mut dyn FnMut(&str));

    /// Whether a word that follows `before` ends with its last letter, so that Tab puts a blank
    /// behind it. A number does not: a sum may go on.
    fn is_whole(&self, before: &str) -> bool;
}

impl<T: Text> LineEditor<'_, T> {
    /// Where the name before the cursor begins: after a space, or a sign of a sum.
    fn name_start(&self) -> usize {
        let before = &self.line[..self.cursor];
        let sign = |(at, c): (usize, char)| {
            c == ' ' || c == '+' || c == '-' && !before[..at].ends_with(' ')
        };
        before.char_indices().rev().find(|&(at, c)| sign((at, c))).map_or(0, |(at, _)| at + 1)
    }

    /// Completes the name before the cursor as far as all candidates agree, or lists them.
    pub(super) fn complete(&mut self, complete: &dyn Complete, out: &mut dyn Write) -> fmt::Result {
        let start = self.name_start();
        let (before, word) = self.line[..self.cursor].split_at(start);
        let mut common = Fixed::<LONGEST>::EMPTY;
        let (mut is_any, mut is_one) = (false, true);
        for_each(complete, before, word, &mut |candidate| {
            if !is_any {
                is_any = true;
                common = kept(candidate);
            } else {
                is_one &= &*common == candidate;
                let same = common.bytes().zip(candidate.bytes()).take_while(|(a, b)| a == b);
                common = kept(&candidate[..same.count()]);
            }
        });
        if !is_any {
            return out.write_str("\x07");
        }
        let typed = word.len();
        let blank = if is_one && complete.is_whole(before) { " " } else { "" };
        if common.len() > typed || is_one {
            let fits = self.insert(&common[typed..], out)? && self.insert(blank, out)?;
            return if fits { Ok(()) } else { out.write_str("\x07") };
        }
        self.list(complete, start, out)
    }

    /// Lists the candidates for the name that begins at `start`, below the line, and shows the
    /// line again.
    fn list(&mut self, complete: &dyn Complete, start: usize, out: &mut dyn Write) -> fmt::Result {
        let (before, word) = self.line[..self.cursor].split_at(start);
        let (mut column, mut listed, mut result) = (COLUMNS, 0, Ok(()));
        for_each(complete, before, word, &mut |candidate| {
            listed += 1;
            if result.is_err() || listed > MOST_LISTED {
                return;
            }
            // Columns of 16 characters, or as many of them as it takes.
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
        out.write_str("\n")?;
        self.redraw(out)
    }
}

/// A candidate, which [`for_each`] has found to fit.
fn kept(candidate: &str) -> Fixed<LONGEST> {
    let mut kept = Fixed::EMPTY;
    let _ = kept.replace(0..0, candidate);
    kept
}

/// Calls `each` with the candidates that begin with `word` and could be typed; of equal ones in a
/// row with the first.
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
