//! For any bytes that are typed, the terminal shows the line, and its cursor stands at the place of
//! the next character.

mod completion;
mod rows;

use std::string::{String, ToString};
use std::vec::Vec;

use super::{
    COLUMNS, Complete, EditableText, Fixed, History, LONGEST, LineEditor, LineStatus, width,
};

const PROMPT: &str = "K> ";

/// A row of a terminal that knows characters, backspace, bell and line feed.
#[derive(Default)]
struct Terminal {
    rows: Vec<String>,
    /// The text of each column. A character that takes two has an empty second one.
    row: Vec<String>,
    column: usize,
    bells: usize,
}

impl core::fmt::Write for Terminal {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for c in text.chars() {
            match c {
                '\n' => {
                    self.rows.push(core::mem::take(&mut self.row).concat());
                    self.column = 0;
                }
                '\x08' => self.column -= 1,
                '\x07' => self.bells += 1,
                _ => {
                    if self.column + width(c) > COLUMNS {
                        self.write_str("\n")?;
                    }
                    let end = self.column + width(c);
                    self.row.resize(self.row.len().max(end), " ".into());
                    if width(c) == 0 {
                        let before = self.row[..self.column].iter_mut();
                        before.rev().find(|cell| !cell.is_empty()).unwrap().push(c);
                    }
                    for (i, cell) in self.row[self.column..end].iter_mut().enumerate() {
                        *cell = if i == 0 { c.to_string() } else { String::new() };
                    }
                    self.column = end;
                }
            }
        }
        Ok(())
    }
}

struct Words(&'static [&'static str]);

impl Complete for Words {
    fn candidates(&self, before: &str, _: &str, each: &mut dyn FnMut(&str)) {
        let words = if before.trim().is_empty() { self.0 } else { &["KERNBASE", "KERNEL"] };
        words.iter().for_each(|word| each(word));
    }

    fn is_whole(&self, before: &str) -> bool {
        before.trim().is_empty()
    }
}

const WORDS: Words = Words(&["help", "showmappings", "setperm", "set", "help"]);

fn typed_with(bytes: &[u8], history: &History) -> (String, Terminal, LineStatus) {
    typed_among(bytes, history, &WORDS)
}

fn typed_among(
    bytes: &[u8],
    history: &History,
    words: &dyn Complete,
) -> (String, Terminal, LineStatus) {
    let (editor, terminal, status) =
        feed::<Fixed<LONGEST>>(PROMPT, bytes, Some(history), Some(words));
    (editor.line().to_string(), terminal, status)
}

/// Types into a line, and holds the terminal against it after every byte.
fn feed<'a, T: EditableText>(
    prompt: &'a str,
    bytes: &[u8],
    history: Option<&History>,
    words: Option<&dyn Complete>,
) -> (LineEditor<'a, T>, Terminal, LineStatus) {
    let mut terminal = Terminal::default();
    let mut editor = LineEditor::<T>::new(prompt);
    editor.redraw(&mut terminal).unwrap();
    let mut status = LineStatus::Pending;
    for &byte in bytes {
        status = editor.feed(byte, history, words, &mut terminal).unwrap();
        if status == LineStatus::EndOfInput {
            break;
        }
        if status == LineStatus::Pending {
            // The row shows a part of the line that begins at `first`, and the cursor in it.
            let after = std::format!("after {byte:#x} of {bytes:?}");
            let start = COLUMNS - 1 - editor.room();
            let shown = terminal.row[start.min(terminal.row.len())..].concat();
            let line = editor.line().replace('\t', " ");
            let rest = line[editor.first..].trim_end();
            assert!(rest.starts_with(shown.trim_end()), "{after}: {shown:?} of {rest:?}");
            let is_full = terminal.row.len() >= COLUMNS - 2;
            assert!(is_full || shown.trim_end() == rest, "{after}: {shown:?} of {rest:?}");
            assert!(terminal.row.len() < COLUMNS, "{after}: the last column is left free");
            let before: usize = line[editor.first..editor.cursor].chars().map(width).sum();
            assert_eq!(terminal.column, start + before, "{after}");
        }
    }
    (editor, terminal, status)
}

fn typed(bytes: &[u8]) -> String {
    typed_with(bytes, &History::default()).0
}

fn status(bytes: &[u8]) -> LineStatus {
    typed_with(bytes, &History::default()).2
}

fn bells(bytes: &[u8]) -> usize {
    typed_with(bytes, &History::default()).1.bells
}

#[test]
fn characters_are_kept() {
    assert_eq!(typed(b"page 1"), "page 1");
    assert_eq!(status(b"page 1\r"), LineStatus::Done);
    assert_eq!(status(b"\n"), LineStatus::Done);
    assert_eq!(typed(b"page 1\r"), "page 1");
}

/// The editor's output for these bytes.
fn echo(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut editor = LineEditor::<Fixed<LONGEST>>::new(PROMPT);
    for &byte in bytes {
        editor.feed(byte, None, Some(&WORDS), &mut out).unwrap();
    }
    out
}

#[test]
fn no_more_is_written_than_what_differs() {
    assert_eq!(echo(b"help\x7f\r"), "help\x08 \x08\n");
    assert_eq!(echo(b"hlp\x02\x02e\r"), "hlp\x08\x08elp\x08\x08lp\n");
    assert_eq!(echo("äö\x7f\r".as_bytes()), "äö\x08 \x08\n");
    assert_eq!(echo("漢字\x7f\r".as_bytes()), "漢字\x08\x08  \x08\x08\n");
}

#[test]
fn a_line_that_is_too_long_is_refused_whole() {
    let long = [b'x'; 1000];
    let full = &long[..LONGEST];
    assert_eq!(status(&[full, b"\r"].concat()), LineStatus::Done);
    assert_eq!(typed(&[full, b"\r"].concat()), "x".repeat(LONGEST));
    for rest in [&b""[..], b"\x7f", b"\x01\x04", b"\x01y", b"\x17help", b"\x01\x0b\r"] {
        let expected =
            if rest.len() > 2 && rest[1] != b'y' { LineStatus::Done } else { LineStatus::TooLong };
        assert_eq!(status(&[&long[..], rest, b"\r"].concat()), expected, "{rest:?}");
    }
    assert_eq!(bells(&long), 1);
    assert_eq!(bells(&[&long[..], b"\x7f", &long[..]].concat()), 1);
    assert_eq!(bells(&[&long[..], b"\x15", &long[..]].concat()), 2);
    // A character is lost whole; and what was cut short does not come back from the history.
    let wide = [&long[..LONGEST - 1], "ä".as_bytes()].concat();
    assert_eq!(typed(&wide).len(), LONGEST - 1);
    assert_eq!(status(&[&wide[..], b"\r"].concat()), LineStatus::TooLong);
    let (line, _, status) =
        typed_with(&[&long[..], b"\x10\x0e\r"].concat(), &history(&["earlier"]));
    assert_eq!((line.as_str(), status), ("", LineStatus::Done));
    // Nothing is lost: Tab's addition is not typed.
    let (line, terminal, status) =
        typed_with(&[&long[..LONGEST - 8], b" KERNB\t\r"].concat(), &History::default());
    assert_eq!((line.len(), terminal.bells, status), (LONGEST - 2, 1, LineStatus::Done));
}

#[test]
fn a_line_on_the_heap_has_any_length() {
    let long = "Größe 漢字 ".repeat(500);
    let keys = b"\x1b[D\x1b[D\x7f\x01->\x06\x04\x05<-\r";
    let (editor, terminal, status) =
        feed::<String>("? ", &[long.as_bytes(), keys].concat(), None, None);
    let middle = long.strip_prefix("Gr").unwrap().strip_suffix("漢字 ").unwrap();
    let expected = std::format!("->G{middle}字 <-");
    assert_eq!((editor.line(), status, terminal.bells), (&*expected, LineStatus::Done, 0));
    assert_eq!(
        terminal.rows.concat(),
        std::format!("? {expected}"),
        "at the end it is shown whole"
    );
}

#[test]
fn the_prompt_leaves_room_for_the_line() {
    let line = "0123456789".repeat(20);
    for prompt in
        ["", "a prompt\n> ", &"p".repeat(63), &"p".repeat(64), &"p".repeat(79), &"p".repeat(200)]
    {
        let (editor, ..) =
            feed::<String>(prompt, &[line.as_bytes(), b"\x01\x05\x02"].concat(), None, None);
        assert_eq!(editor.line(), line);
    }
}

#[test]
fn characters_of_several_bytes_are_edited_as_one() {
    assert_eq!(typed("aä€🦀b".as_bytes()), "aä€🦀b");
    assert_eq!(typed("aä€🦀\x7f\x7fb".as_bytes()), "aäb");
    assert_eq!(typed("ä€\x02\x02x\x06\x04y".as_bytes()), "xäy");
    assert_eq!(typed("e\u{301}o\x02\x02\x06\x7f".as_bytes()), "o");
    assert_eq!(typed("e\u{301}o\x02\x7f".as_bytes()), "o");
    assert_eq!(typed("e\u{301}o\x01\x04".as_bytes()), "o");
    assert_eq!(typed("漢字\x02\x02x\x04".as_bytes()), "x字");
    assert_eq!(bells("aä€🦀漢字e\u{301}".as_bytes()), 0);
}

#[test]
fn what_is_no_utf_8_is_marked() {
    for bytes in [
        &b"\xff"[..],
        b"\x80",
        b"\xfe\x80",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xe2\x82",
        b"\xf0\x9f\xa6",
        b"\xf5\x80\x80\x80",
        b"\xc3\xc3\xa4",
        b"\xe2\x82\xe2\x82\xac",
        b"a\xf0\x9f\xffb",
    ] {
        let line = [bytes, b"."].concat();
        assert_eq!(typed(&line), String::from_utf8_lossy(&line), "{bytes:?}");
        assert_eq!(status(&[bytes, b"\r"].concat()), LineStatus::Done);
        assert_eq!(typed(&[bytes, b"\r"].concat()), String::from_utf8_lossy(bytes));
    }
}

#[test]
fn control_d_on_an_empty_line_ends_the_input() {
    let (line, terminal, status) = typed_with(b"\x04", &History::default());
    assert_eq!((line.as_str(), status), ("", LineStatus::EndOfInput));
    assert_eq!(terminal.rows, ["K> ^D"]);
    assert_eq!(self::status(b"a\x04"), LineStatus::Pending);
    assert_eq!(self::status(b"a\x7f\x04"), LineStatus::EndOfInput);
}

#[test]
fn a_tab_is_a_character_where_nobody_completes() {
    let (editor, terminal, _) = feed::<String>("? ", b"a\tb\tc\x7f", None, None);
    assert_eq!((editor.line(), terminal.bells), ("a\tb\t", 0));
    // It takes a column, as the space does that is shown in its place.
    for (keys, line) in [("a\t\x7f", "a"), ("a\tb\x02\x02\x7f", "\tb"), ("a\tb\x01\x06\x04", "ab")]
    {
        let (editor, ..) = feed::<String>("? ", keys.as_bytes(), None, None);
        assert_eq!(editor.line(), line, "{keys:?}");
    }
    let (editor, ..) = feed::<String>("? ", b"one\ttwo \t\x17", None, None);
    assert_eq!(editor.line(), "one\t", "it ends a word");
    let tabs = "\t".repeat(3 * COLUMNS);
    let (editor, ..) = feed::<String>("? ", tabs.as_bytes(), None, None);
    assert_eq!(editor.line(), tabs);
}

#[test]
fn erasing_stops_at_the_ends() {
    assert_eq!(typed(b"ab\x08"), "a");
    assert_eq!((typed(b"ab\x7f\x7f\x7f"), bells(b"ab\x7f\x7f\x7f")), ("".into(), 1));
    assert_eq!((typed(b"ab\x04"), bells(b"ab\x04")), ("ab".into(), 1));
    assert_eq!(typed(b"abc\x15"), "");
    assert_eq!(typed(b"abc\x02\x15"), "c");
    assert_eq!(typed(b"abc\x02\x02\x0b"), "a");
    for kill in [b"\x01\x15", b"\x05\x0b", b"\x01\x17"] {
        assert_eq!(bells(kill), 1, "nothing to kill: {kill:?}");
    }
    assert_eq!(typed(b"one two  \x17"), "one ");
    assert_eq!(typed(b"one two\x17\x17\x17"), "");
    assert_eq!(typed("one\u{3000}two\x17".as_bytes()), "one\u{3000}");
}

#[test]
fn the_cursor_moves_and_edits_where_it_is() {
    assert_eq!(typed(b"bd\x02c\x01a\x05e"), "abcde");
    assert_eq!(typed(b"bd\x1b[Dc\x1b[Ha\x1b[Fe"), "abcde");
    assert_eq!(typed(b"abxc\x1b[D\x1b[D\x1b[3~"), "abc");
    assert_eq!(typed(b"a\x1bOD\x1bOD\x1b[C\x1b[Cb\x1b[1~x\x1b[4~y"), "xaby");
    assert_eq!(status(b"abc\x01\r"), LineStatus::Done);
}

/// xterm tells by a second parameter that Shift, Alt or Ctrl is held.
#[test]
fn shift_alt_and_ctrl_leave_a_key_as_it_is() {
    assert_eq!(typed(b"abxc\x1b[1;5D\x1b[1;2D\x1b[3;5~"), "abc");
    assert_eq!(typed(b"bd\x1b[D\x1b[1;5Hc\x1b[4;2~e"), "cbde");
    // No key has an empty first parameter, or one that begins with a mark.
    for unknown in ["\x1b[;3~", "\x1b[?3~"] {
        let line = std::format!("ab\x02{unknown}");
        assert_eq!((typed(line.as_bytes()), bells(line.as_bytes())), ("ab".into(), 1), "{line:?}");
    }
}

#[test]
fn what_has_no_meaning_rings_and_changes_nothing() {
    for byte in (0..0x80u8).filter(|byte| !b"\x03\r\n\x0c\x1b\t".contains(byte)) {
        let expected = if (b' '..=b'~').contains(&byte) { "a".len() + 1 } else { 1 };
        let line = typed(&[b'a', byte]);
        assert!(line.len() <= expected, "{byte:#x}: {line}");
    }
    for unknown in ["\0", "\x1b[15~", "\x1bOP", "\x1b[999;999Z", "\u{9b}", "\x0f", "\x1f"] {
        let line = std::format!("a{unknown}b");
        assert_eq!((typed(line.as_bytes()), bells(line.as_bytes())), ("ab".into(), 1), "{line:?}");
    }
    assert_eq!(typed(b"a\x1b[999;999Zb\x1b[15~c\x1b\x1b[Zd"), "abcd");
    assert_eq!(typed(b"\x1b[9999999999999999999A"), "");
    assert_eq!(status(b"\x1b[1;5\n"), LineStatus::Done);
    assert_eq!((typed(b"\x1bx"), bells(b"\x1bx")), ("x".into(), 1));
}

#[test]
fn an_interrupted_line_is_empty() {
    let (line, terminal, status) = typed_with(b"abc\x02\x03", &History::default());
    assert_eq!((line.as_str(), status), ("", LineStatus::Interrupt));
    assert_eq!(terminal.rows, ["K> abc^C"]);
    assert_eq!(self::status(b"abc\x0c"), LineStatus::Clear);
}

fn history(lines: &[&str]) -> History {
    let mut history = History::default();
    lines.iter().for_each(|line| history.push(line));
    history
}

#[test]
fn earlier_lines_come_back() {
    let history = history(&["first", "a longer second", "a longer second", "  ", "third"]);
    let typed = |bytes: &[u8]| typed_with(bytes, &history).0;
    assert_eq!(typed(b"\x1b[A"), "third");
    assert_eq!(typed(b"\x10\x10"), "a longer second");
    assert_eq!(typed(b"\x10\x10\x10"), "first");
    assert_eq!(typed(b"\x10\x10\x10\x10\x10"), "first");
    assert_eq!(typed(b"own\x10\x10\x0e"), "third");
    assert_eq!(typed(b"own\x10\x10\x0e\x0e"), "own");
    assert_eq!(typed(b"own\x0e"), "own");
    assert_eq!(typed(b"own\x1b[A\x1bOA\x1b[B\x1bOB"), "own");
    assert_eq!(typed(b"\x10\x10!\x02\x02?"), "a longer secon?d!");
}

#[test]
fn history_forgets_the_oldest() {
    let lines: Vec<String> = (0..40).map(|n| std::format!("line {n}")).collect();
    let history = history(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let (line, terminal, _) = typed_with(&[0x10; 50], &history);
    assert_eq!(line, "line 24");
    assert_eq!(terminal.bells, 50 - 16);
}

#[test]
fn no_bytes_do_harm() {
    // A simple generator (xorshift) picks bytes; the terminal is held against the line throughout.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let history =
        history(&["one", "two three", "e\u{301}\u{302}", "漢o\u{301}", &"z".repeat(LONGEST)]);
    for _ in 0..200 {
        let keys = b"abc +-\x01\x02\x04\x05\x06\x08\x0b\x0e\x10\x15\x17\t\x1b[ABCDHF3~\xff\x00\xc3\xa4\xe6\xbc\xa2";
        let bytes: Vec<u8> =
            (0..200).map(|_| keys[(next() % keys.len() as u64) as usize]).collect();
        typed_with(&bytes, &history);
    }
}
