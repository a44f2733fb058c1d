//! Whatever is typed, the terminal shows the line, and the cursor stands where the next character
//! goes.

use std::string::{String, ToString};
use std::vec::Vec;

use super::{Complete, History, LONGEST, LineEditor, MOST_LISTED, Outcome};

const PROMPT: &str = "K> ";

/// A row of a terminal that knows characters, backspace, bell and line feed.
#[derive(Default)]
struct Terminal {
    rows: Vec<Vec<u8>>,
    row: Vec<u8>,
    column: usize,
    bells: usize,
}

impl core::fmt::Write for Terminal {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            match byte {
                b'\n' => {
                    self.rows.push(core::mem::take(&mut self.row));
                    self.column = 0;
                }
                0x08 => self.column -= 1,
                0x07 => self.bells += 1,
                _ => {
                    assert!(self.column < 80, "the row must not wrap");
                    self.row.resize(self.row.len().max(self.column + 1), b' ');
                    self.row[self.column] = byte;
                    self.column += 1;
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
}

const WORDS: Words = Words(&["help", "showmappings", "setperm", "set", "help"]);

fn typed_with(bytes: &[u8], history: &History) -> (String, Terminal, Outcome) {
    typed_among(bytes, history, &WORDS)
}

/// Types into a line, and holds the terminal against it after every byte.
fn typed_among(
    bytes: &[u8],
    history: &History,
    words: &dyn Complete,
) -> (String, Terminal, Outcome) {
    let mut terminal = Terminal::default();
    let mut editor = LineEditor::new(PROMPT);
    editor.redraw(&mut terminal).unwrap();
    let mut outcome = Outcome::Pending;
    for &byte in bytes {
        outcome = editor.feed(byte, history, words, &mut terminal).unwrap();
        if outcome == Outcome::Pending {
            let shown = String::from_utf8(terminal.row.clone()).unwrap();
            let expected = std::format!("{PROMPT}{}", editor.line());
            assert_eq!(shown.trim_end(), expected.trim_end(), "after {byte:#x} of {bytes:?}");
            assert_eq!(terminal.column, PROMPT.len() + editor.cursor, "{byte:#x} of {bytes:?}");
        }
    }
    (editor.line().to_string(), terminal, outcome)
}

fn typed(bytes: &[u8]) -> String {
    typed_with(bytes, &History::new()).0
}

fn outcome(bytes: &[u8]) -> Outcome {
    typed_with(bytes, &History::new()).2
}

fn bells(bytes: &[u8]) -> usize {
    typed_with(bytes, &History::new()).1.bells
}

#[test]
fn characters_are_kept() {
    assert_eq!(typed(b"page 1"), "page 1");
    assert_eq!(outcome(b"page 1\r"), Outcome::Done);
    assert_eq!(outcome(b"\n"), Outcome::Done);
    assert_eq!(typed(b"page 1\r"), "page 1");
}

#[test]
fn what_is_typed_at_the_end_is_echoed_as_it_is() {
    let mut out = String::new();
    let mut editor = LineEditor::new(PROMPT);
    for byte in *b"help\x7f\r" {
        editor.feed(byte, &History::new(), &WORDS, &mut out).unwrap();
    }
    assert_eq!(out, "help\x08 \x08\n");
}

#[test]
fn a_full_line_rings_once_and_loses_nothing() {
    let long = [b'x'; 1000];
    assert_eq!(typed(&long), "x".repeat(LONGEST));
    assert_eq!("K> ".len() + LONGEST, 79, "the screen's last column is free");
    assert_eq!(bells(&long), 1);
    let again = [&long[..], b"\x7f", &long[..]].concat();
    assert_eq!(bells(&again), 2);
    let inside = [&long[..], b"\x01y\x7f\x04z"].concat();
    assert_eq!(typed(&inside), std::format!("z{}", "x".repeat(LONGEST - 1)));
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
}

#[test]
fn the_cursor_moves_and_edits_where_it_is() {
    assert_eq!(typed(b"bd\x02c\x01a\x05e"), "abcde");
    assert_eq!(typed(b"bd\x1b[Dc\x1b[Ha\x1b[Fe"), "abcde");
    assert_eq!(typed(b"abxc\x1b[D\x1b[D\x1b[3~"), "abc");
    assert_eq!(typed(b"a\x1bOD\x1bOD\x1b[C\x1b[Cb\x1b[1~x\x1b[4~y"), "xaby");
    assert_eq!(outcome(b"abc\x01\r"), Outcome::Done);
}

#[test]
fn what_has_no_meaning_rings_and_changes_nothing() {
    for byte in (0..=255u8).filter(|byte| !b"\x03\r\n\x0c\x1b\t".contains(byte)) {
        let expected = if (b' '..=b'~').contains(&byte) { "a".len() + 1 } else { 1 };
        let line = typed(&[b'a', byte]);
        assert!(line.len() <= expected, "{byte:#x}: {line}");
    }
    assert_eq!(typed("aä€b".as_bytes()), "ab");
    assert!(bells(b"\x00\xff\xfe\x80") == 4);
    assert_eq!(typed(b"a\x1b[999;999Zb\x1b[15~c\x1b\x1b[Zd"), "abcd");
    assert_eq!(typed(b"\x1b[9999999999999999999A"), "");
    assert_eq!(outcome(b"\x1b[1;5\n"), Outcome::Done);
    assert_eq!(typed(b"\x1bx"), "x");
}

#[test]
fn an_interrupted_line_is_empty() {
    let (line, terminal, outcome) = typed_with(b"abc\x02\x03", &History::new());
    assert_eq!((line.as_str(), outcome), ("", Outcome::Interrupt));
    assert_eq!(terminal.rows, [b"K> abc^C"]);
    assert_eq!(self::outcome(b"abc\x0c"), Outcome::Clear);
}

fn history(lines: &[&str]) -> History {
    let mut history = History::new();
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
fn tab_completes_as_far_as_it_can() {
    assert_eq!(typed(b"sh\t"), "showmappings ");
    assert_eq!(typed(b"he\t"), "help ");
    assert_eq!(typed(b"s\tet"), "set");
    assert_eq!(typed(b"setp\t1"), "setperm 1");
    assert_eq!(typed(b"dump K\t"), "dump KERN");
    assert_eq!(typed(b"dump end+KERNB\t"), "dump end+KERNBASE ");
    assert_eq!(typed(b"dump end-KERNB\t"), "dump end-KERNBASE ");
    assert_eq!((typed(b"x\t"), bells(b"x\t")), ("x".into(), 1));
    assert_eq!(typed(b"sh x\x01\x06\x06\t"), "showmappings  x");
}

#[test]
fn tab_lists_what_there_is_to_choose_from() {
    let (line, terminal, _) = typed_with(b"set\t", &History::new());
    assert_eq!(line, "set");
    let rows: Vec<_> = terminal.rows.iter().map(|row| String::from_utf8_lossy(row)).collect();
    assert_eq!(rows[0], "K> set");
    assert_eq!(rows[1].split_whitespace().collect::<Vec<_>>(), ["setperm", "set"]);
    assert_eq!(rows.len(), 2);
}

/// The rows in which Tab lists these words.
fn listed(words: &dyn Complete) -> Vec<String> {
    let (_, terminal, _) = typed_among(b"n\t", &History::new(), words);
    let rows = terminal.rows[1..].iter();
    rows.map(|row| String::from_utf8_lossy(row).trim_end().to_string()).collect()
}

#[test]
fn words_are_listed_in_columns() {
    // Five columns fill a row. A name of 14 characters and the space behind it fit into one.
    let rows =
        listed(&Words(&["n1", "n2-of-13-chars", "n3", "n4", "n5", "n6", "n7-of-15-charss", "n8"]));
    let [first, second] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(first, "n1              n2-of-13-chars  n3              n4              n5");
    assert_eq!(second, "n6              n7-of-15-charss                 n8");
    assert_eq!(listed(&Words(&["n1-chars9", "n2"])), ["n1-chars9       n2"]);
}

#[test]
fn what_cannot_be_typed_is_not_listed() {
    const LONG: &str = match core::str::from_utf8(&[b'n'; LONGEST + 1]) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    };
    let rows = listed(&Words(&["n1", LONG, "n2", "n2", "n\t", "n 3", "m", "n3"]));
    assert_eq!(rows, ["n1              n2              n3"]);
}

/// So many words, that have no more than an n in common.
struct Numbers(usize);

impl Complete for Numbers {
    fn candidates(&self, _: &str, _: &str, each: &mut dyn FnMut(&str)) {
        (1..=self.0).for_each(|n| each(&std::format!("n{n}")));
    }
}

#[test]
fn a_long_list_is_cut_off() {
    let rows = listed(&Numbers(MOST_LISTED));
    assert_eq!(rows.len(), MOST_LISTED / 5);
    assert!(rows.last().unwrap().ends_with("n120"), "{rows:?}");
    for more in [1, 7] {
        let rows = listed(&Numbers(MOST_LISTED + more));
        assert_eq!(rows.len(), MOST_LISTED / 5 + 1);
        assert_eq!(*rows.last().unwrap(), std::format!("... and {more} more"));
    }
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
    let history = history(&["one", "two three", &"z".repeat(LONGEST)]);
    for _ in 0..if cfg!(miri) { 5 } else { 500 } {
        let keys = b"abc +-\x01\x02\x04\x05\x06\x08\x0b\x0e\x10\x15\x17\t\x1b[ABCDHF3~\xff\x00";
        let bytes: Vec<u8> =
            (0..200).map(|_| keys[(next() % keys.len() as u64) as usize]).collect();
        typed_with(&bytes, &history);
    }
}
