//! The row of the screen: the part of a line that it shows, and the bytes that are written for a change.

use std::string::String;

use super::{COLUMNS, Fixed, History, LONGEST, LineStatus, PROMPT, bells, echo, feed, typed_with};
use crate::line::row::{BYTES, fitting};

/// Columns of the line behind the prompt. The last column of the screen is left free.
const ROOM: usize = COLUMNS - 1 - PROMPT.len();

/// The row of the terminal after `bytes`, without the prompt, and the cursor's column in it.
fn row(bytes: &[u8]) -> (String, usize) {
    let (_, terminal, status) = typed_with(bytes, &History::default());
    assert_eq!(status, LineStatus::Pending);
    (terminal.row[PROMPT.len()..].concat(), terminal.column - PROMPT.len())
}

/// A line of single letters, so long.
fn letters(length: usize) -> String {
    ('a'..='z').cycle().take(length).collect()
}

#[test]
fn the_editor_is_given_up_for_its_line() {
    let (editor, ..) = feed::<Fixed<LONGEST>>(PROMPT, b"help\x02!\r", None, None);
    assert_eq!(&*editor.into_line(), "hel!p");
}

#[test]
fn the_bell_rings_at_the_ends_of_the_line() {
    for key in ["\x02", "\x06", "\x1b[D", "\x1b[C", "\x01\x02", "ab\x06", "ab\x02\x02\x02"] {
        assert_eq!(bells(key.as_bytes()), 1, "{key:?}");
    }
    assert_eq!(bells(b"ab\x02\x02\x06\x06"), 0);
}

#[test]
fn as_much_as_fits_is_shown() {
    let line = letters(ROOM + 1);
    assert_eq!(row(&line.as_bytes()[..ROOM]), (line[..ROOM].into(), ROOM));
    // One letter more, and the row begins half a row before the cursor.
    let half = ROOM / 2;
    assert_eq!(row(line.as_bytes()).1, half);
    assert!(line.ends_with(row(line.as_bytes()).0.trim_end()));
}

#[test]
fn the_row_stays_while_the_cursor_is_in_it() {
    let line = letters(200);
    let keys = |bytes: &[u8]| [line.as_bytes(), bytes].concat();
    let said = |bytes: &[u8]| echo(&keys(bytes))[echo(line.as_bytes()).len()..].to_string();
    let (shown, column) = row(line.as_bytes());
    // To the left up to the second letter of the row, and back.
    let left = [0x02].repeat(column - 1);
    assert_eq!(row(&keys(&left)), (shown.clone(), 1));
    assert_eq!(said(&left), "\x08".repeat(column - 1));
    assert_eq!(row(&keys(&[&left[..], &[0x06].repeat(column - 1)].concat())), (shown, column));
}

/// A cursor at the start of the row would hide the letter that Backspace takes out.
#[test]
fn letters_are_shown_before_the_cursor() {
    let line = letters(200);
    let left = [0x02].repeat(row(line.as_bytes()).1);
    let (shown, column) = row(&[line.as_bytes(), &left].concat());
    assert_eq!(column, ROOM / 2);
    let at = 200 - left.len();
    assert_eq!(shown, line[at - column..][..ROOM]);
}

/// An accent at the start of the row would be shown on the prompt.
#[test]
fn the_row_begins_with_a_letter() {
    let line = "e\u{301}".repeat(ROOM + 1);
    let half = ROOM / 2;
    assert_eq!(row(line.as_bytes()), ("e\u{301}".repeat(half) + &" ".repeat(ROOM - half), half));
}

#[test]
fn columns_and_bytes_are_limited() {
    assert_eq!(fitting("abc".chars(), 3), 3);
    assert_eq!(fitting("abc".chars(), 2), 2);
    assert_eq!(fitting("a\u{6f22}".chars(), 2), 1, "the second letter takes two columns");
    assert_eq!(fitting("ab\u{301}c".chars(), 2), "ab\u{301}".len(), "an accent takes none");
    // Accents of two bytes each, behind two letters and behind one.
    let accents = "\u{301}".repeat(BYTES);
    assert_eq!(fitting(("ab".to_string() + &accents).chars(), 2), BYTES);
    assert_eq!(fitting(("a".to_string() + &accents).chars(), 2), BYTES - 1);
}

/// An accent changes the letter before it, which is written once more with all of its accents.
#[test]
fn a_letter_is_written_with_its_accents() {
    assert_eq!(echo("xe\u{301}\u{302}".as_bytes()), "xe\x08e\u{301}\x08e\u{301}\u{302}");
    // At the start of the line an accent belongs to the prompt: a move over it writes nothing.
    assert_eq!(echo("\u{301}x\x01\x06\x06".as_bytes()), "\u{301}x\x08x");
}
