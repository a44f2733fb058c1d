//! Tests of the screen: the cells that its viewer sees, and the cursor.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::arch::host::process::{alone, each_alone};
use crate::arch::host::vga;

/// The text of a row: light grey on black.
fn on_black(text: &[u8]) -> Vec<u16> {
    let mut row: Vec<_> = text.iter().map(|byte| 0x0700 | u16::from(*byte)).collect();
    row.resize(80, 0x0720);
    row
}

#[test]
fn rows_and_cursor() {
    let wide = "x".repeat(80);
    let many = |rows: Range<usize>| rows.map(|n| format!("{n}")).collect::<Vec<_>>();
    // The text; the rows; the cursor.
    let cases: Vec<(String, Vec<String>, (usize, usize))> = Vec::from([
        ("".into(), Vec::new(), (0, 0)),
        ("ab".into(), Vec::from(["ab".into()]), (0, 2)),
        (" ~".into(), Vec::from([" ~".into()]), (0, 2)),
        ("ab\ncd".into(), Vec::from(["ab".into(), "cd".into()]), (1, 2)),
        ("ab\n\n".into(), Vec::from(["ab".into()]), (2, 0)),
        ("ab\rc".into(), Vec::from(["cb".into()]), (0, 1)),
        ("ab\n\rc".into(), Vec::from(["ab".into(), "c".into()]), (1, 1)),
        // Tabs go to the next multiple of 8, and blank the cells between.
        ("\tx".into(), Vec::from(["        x".into()]), (0, 9)),
        ("abc\tx".into(), Vec::from(["abc     x".into()]), (0, 9)),
        ("1234567\tx".into(), Vec::from(["1234567 x".into()]), (0, 9)),
        ("12345678\tx".into(), Vec::from(["12345678        x".into()]), (0, 17)),
        ("abcdefghi\r\tx".into(), Vec::from(["        x".into()]), (0, 9)),
        // A bell is not seen; a backspace goes back and erases nothing.
        ("a\x07b".into(), Vec::from(["ab".into()]), (0, 2)),
        ("ab\x08".into(), Vec::from(["ab".into()]), (0, 1)),
        ("ab\x08\x08c".into(), Vec::from(["cb".into()]), (0, 1)),
        ("\x08a".into(), Vec::from(["a".into()]), (0, 1)),
        ("ab\n\x08x".into(), Vec::from([format!("{:<79}x", "ab")]), (1, 0)),
        // The row's end.
        (wide[..79].into(), Vec::from([wide[..79].into()]), (0, 79)),
        (wide.clone(), Vec::from([wide.clone()]), (1, 0)),
        (format!("{wide}y"), Vec::from([wide.clone(), "y".into()]), (1, 1)),
        (format!("{wide}\ny"), Vec::from([wide.clone(), String::new(), "y".into()]), (2, 1)),
        // The screen's end.
        (many(0..25).join("\n"), many(0..25), (24, 2)),
        (many(0..26).join("\n"), many(1..26), (24, 2)),
        (many(0..25).join("\n") + "\n", many(1..25), (24, 0)),
        (many(0..100).join("\n"), many(75..100), (24, 2)),
        (
            format!("{}\n{wide}", many(0..24).join("\n")),
            [many(1..24), [wide.clone()].into()].concat(),
            (24, 0),
        ),
    ]);
    let ended = each_alone(&cases, |(text, rows, cursor)| {
        let mut screen = Screen::new();
        vga::fill(0x1F21);
        screen.init();
        screen.write(text);
        assert_eq!(vga::text(), *rows, "{text:?}");
        screen.show_cursor();
        assert_eq!(vga::cursor(), *cursor, "{text:?}");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// As many small squares as a terminal uses columns.
#[test]
fn characters_outside_of_ascii() {
    let cases: [(&str, &[u8]); 6] = [
        ("f\u{fc}r", b"f\xFEr"),
        ("a\u{4f60}b", b"a\xFE\xFEb"),
        ("e\u{301}x", b"ex"),
        ("a\x7fb", b"ab"),
        ("a\x1bb", b"ab"),
        ("a\x00b", b"ab"),
    ];
    let ended = each_alone(&cases, |(text, row)| {
        let mut screen = Screen::new();
        screen.init();
        screen.write(text);
        assert_eq!(vga::cells(0), on_black(row), "{text:?}");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// Clearing replaces the firmware's text in every cell, and touches nothing outside of the screen.
#[test]
fn clearing() {
    alone(|| {
        let beyond = window::at::<u16>(TEXT_BUFFER + 80 * 25 * 2);
        vga::fill(0x1F21);
        let mut screen = Screen::new();
        screen.write("some\ntext");
        screen.init();
        assert!((0..25).all(|row| vga::cells(row) == on_black(b"")));
        assert_eq!(vga::cursor(), (0, 0));
        screen.write("a");
        assert_eq!(vga::cells(0), on_black(b"a"));
        // The cursor moves only when it is asked to.
        assert_eq!(vga::cursor(), (0, 0));
        // SAFETY: plain memory that nobody borrows.
        assert_eq!(unsafe { beyond.read() }, 0);
    })
    .assert_returned();
}
