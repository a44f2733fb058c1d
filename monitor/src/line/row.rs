//! [`Row`]: the text that the terminal shows behind the prompt, and how it is changed.
//!
//! It uses only characters, spaces and backspaces, so that a bare screen without escape sequences
//! serves as well as a terminal.

use core::fmt::{self, Write};

use unicode_width::UnicodeWidthChar;

use super::text::{EditableText, Fixed, part};

/// The columns of a screen.
pub const COLUMNS: usize = 80;
/// The bytes of a row's text: enough for its columns in the longest characters.
pub(super) const BYTES: usize = 4 * COLUMNS;

/// How many columns of a terminal `c` takes: most take one, those of East Asia two, and an accent
/// that combines with the character before it takes none. A tab takes one: it is shown as a space.
#[must_use]
pub fn width(c: char) -> usize {
    if c == '\t' { 1 } else { c.width().unwrap_or(0) }
}

/// How many columns `text` takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// How many bytes of `chars` fit into `room` columns of a row.
pub(super) fn fitting(chars: impl Iterator<Item = char>, room: usize) -> usize {
    let (mut bytes, mut columns) = (0, 0);
    for c in chars {
        columns += width(c);
        if columns > room || bytes + c.len_utf8() > BYTES {
            break;
        }
        bytes += c.len_utf8();
    }
    bytes
}

/// The text that a row of the terminal shows behind the prompt.
#[derive(Debug, Default)]
pub(super) struct Row {
    text: Fixed<BYTES>,
    /// The byte of `text` before which the terminal's cursor stands.
    cursor: usize,
}

impl Row {
    /// Shows `text`, which [fits](fitting), in the place of the old text, with the cursor before byte
    /// `cursor`. Only the part that differs is written.
    pub(super) fn show(&mut self, text: &str, cursor: usize, out: &mut dyn Write) -> fmt::Result {
        let old = core::mem::take(&mut self.text);
        let same = common(&old, text);
        let at = if (old.len(), text.len()) == (same, same) {
            self.cursor
        } else {
            step(&old, self.cursor, same, out)?;
            let blanks = columns(part(&old, same..)).saturating_sub(columns(part(text, same..)));
            write!(out, "{}{:blanks$}", part(text, same..), "")?;
            back(blanks, out)?;
            text.len()
        };
        // `text` fits, as the caller has to see to.
        let _ = self.text.replace(0..0, text);
        self.cursor = cursor;
        step(text, at, cursor, out)
    }
}

/// Moves the terminal's cursor within `text` from byte `from` to byte `to`. To the right it writes the
/// characters there once more, except those at `from` that combine with the character before it. None combines at
/// `to`, if that is further right.
fn step(text: &str, from: usize, to: usize, out: &mut dyn Write) -> fmt::Result {
    if to <= from {
        return back(columns(part(text, to..from)), out);
    }
    let from = from + combining(part(text, from..to));
    out.write_str(part(text, from..to))
}

/// How many bytes at the start of `text` combine with the character before it.
pub(super) fn combining(text: &str) -> usize {
    text.chars().take_while(|c| width(*c) == 0).map(char::len_utf8).sum()
}

/// Moves the terminal's cursor left.
fn back(columns: usize, out: &mut dyn Write) -> fmt::Result {
    (0..columns).try_for_each(|_| out.write_str("\x08"))
}

/// How many bytes both texts begin with, up to a character that begins a column in both.
fn common(one: &str, two: &str) -> usize {
    let equal = one.chars().zip(two.chars()).take_while(|(a, b)| a == b);
    let same = equal.map(|(a, _)| a.len_utf8()).sum();
    if combining(part(one, same..)) + combining(part(two, same..)) > 0 {
        let base = part(one, ..same).char_indices().rev().find(|&(_, c)| width(c) > 0);
        return base.map_or(0, |(at, _)| at);
    }
    same
}
