//! [`Row`]: what the terminal shows behind the prompt, and how it comes to show something else.
//!
//! It uses characters, spaces and backspaces alone, so that a bare screen without escape sequences
//! serves as well as a terminal.

use core::fmt::{self, Write};

use unicode_width::UnicodeWidthChar;

use super::text::{Fixed, Text};

/// Columns of the screens that a line is made for.
pub const COLUMNS: usize = 80;
/// Bytes of the text of a row: enough for its columns in the longest characters.
pub(super) const BYTES: usize = 4 * COLUMNS;

/// How many columns of a terminal `c` takes: most take one, those of East Asia two, and an accent
/// that combines with the character before it takes none.
#[must_use]
pub fn width(c: char) -> usize {
    c.width().unwrap_or(0)
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

/// What a row of the terminal shows behind the prompt.
#[derive(Debug, Default)]
pub(super) struct Row {
    text: Fixed<BYTES>,
    /// Where in `text` the terminal's cursor stands.
    cursor: usize,
}

impl Row {
    /// Shows `text`, which [fits](fitting), in the place of what is there, with the cursor before
    /// byte `cursor`. Only what differs is written.
    pub(super) fn show(&mut self, text: &str, cursor: usize, out: &mut dyn Write) -> fmt::Result {
        let old = core::mem::take(&mut self.text);
        let same = common(&old, text);
        let at = if (old.len(), text.len()) == (same, same) {
            self.cursor
        } else {
            step(&old, self.cursor, same, out)?;
            let blanks = columns(&old[same..]).saturating_sub(columns(&text[same..]));
            write!(out, "{}{:blanks$}", &text[same..], "")?;
            back(blanks, out)?;
            text.len()
        };
        // It fits, by the caller's promise.
        let _ = self.text.replace(0..0, text);
        self.cursor = cursor;
        step(text, at, cursor, out)
    }
}

/// Moves the terminal's cursor within `text` from byte `from` to byte `to`: to the right by writing
/// the characters there once more, each with all that combines with it, or it would lose that.
fn step(text: &str, from: usize, to: usize, out: &mut dyn Write) -> fmt::Result {
    if to <= from {
        return back(columns(&text[to..from]), out);
    }
    let from = from + combining(&text[from..to]);
    let to = to + combining(&text[to..]);
    out.write_str(text.get(from..to).unwrap_or_default())
}

/// Bytes at the beginning of `text` that combine with the character before it.
pub(super) fn combining(text: &str) -> usize {
    text.chars().take_while(|c| width(*c) == 0).map(char::len_utf8).sum()
}

/// Moves the terminal's cursor left.
fn back(columns: usize, out: &mut dyn Write) -> fmt::Result {
    (0..columns).try_for_each(|_| out.write_str("\x08"))
}

/// How many bytes both texts begin with, up to a character that begins a column in both.
fn common(one: &str, two: &str) -> usize {
    let mut same = 0;
    let mut chars = one.chars().zip(two.chars());
    while chars.next().is_some_and(|(a, b)| {
        a == b && {
            same += a.len_utf8();
            true
        }
    }) {}
    if combining(&one[same..]) + combining(&two[same..]) > 0 {
        let base = one[..same].char_indices().rev().find(|&(_, c)| width(c) > 0);
        return base.map_or(0, |(at, _)| at);
    }
    same
}
