//! Tests of the pager.

use alloc::format;
use alloc::string::String;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::{alone, each_alone};
use crate::rig;

/// The output that `script` describes: a number for as many numbered lines, and words.
fn output(script: &str) -> String {
    let mut lines = 0;
    let word = |word: &str| match word {
        "ask" => "-- more --".into(),
        "gone" => "\r          \r".into(),
        "bell" => "\x07".into(),
        "end" => "\r\n".into(),
        "^C" => "^C\r\n".into(),
        count => {
            let count: usize = count.parse().expect("a number");
            let numbered = (lines..lines + count).map(|n| format!("line {n}\r\n"));
            lines += count;
            numbered.collect::<String>()
        }
    };
    script.split_whitespace().map(word).collect()
}

/// Writes `count` numbered lines.
fn write_lines(pager: &mut Pager, count: usize) -> fmt::Result {
    (0..count).try_for_each(|n| writeln!(pager, "line {n}"))
}

#[test]
fn keys() {
    // Lines to write, typed bytes, the output, whether the reader saw all.
    let cases: [(usize, &[u8], &str, bool); 15] = [
        (0, b"", "", true),
        (23, b"", "23", true),
        // There is no question behind the last line.
        (24, b"", "24", true),
        (25, b" ", "24 ask gone 1", true),
        (48, b" ", "24 ask gone 24", true),
        (49, b"  ", "24 ask gone 24 ask gone 1", true),
        (25, b"\r", "24 ask gone 1", true),
        (26, b"\r\r", "24 ask gone 1 ask gone 1", true),
        (50, b"\r ", "24 ask gone 1 ask gone 24 ask", false),
        (49, b"\r q", "24 ask gone 1 ask gone 24", true),
        (25, b"q", "24 ask end", false),
        (25, b"Q", "24 ask end", false),
        (25, b"x\x1b ", "24 ask bell bell gone 1", true),
        (60, b" x\x07q", "24 ask gone 24 ask bell bell end", false),
        (60, b"\rq", "24 ask gone 1 ask end", false),
    ];
    let ended = each_alone(&cases, |(count, typed, _, whole)| {
        rig::console();
        pc().serial.type_bytes(typed);
        if *count == 50 {
            // Nothing more is typed: the pager waits.
            pc().serial.type_bytes(b"q");
        }
        let result = write_lines(&mut Pager::new(true), *count);
        assert_eq!(result.is_ok(), *whole);
    });
    for ((count, typed, script, _), ended) in cases.iter().zip(ended) {
        ended.assert_returned();
        let end = if *count == 50 { "\r\n" } else { "" };
        assert_eq!(ended.printed, output(script) + end, "{count} lines, {typed:?}");
    }
}

/// Ctrl-C ends the question, too. It must be typed then: one typed before ends the line.
#[test]
fn ctrl_c() {
    let cases = [(true, "1 ^C"), (false, "1 ^C")];
    let ended = each_alone(&cases, |(waits, _)| {
        rig::console();
        pc().serial.type_bytes(b"a\x03b");
        assert!(write_lines(&mut Pager::new(*waits), 30).is_err());
        assert_eq!(console::try_read(), Some((b'b', Source::Serial)));
    });
    for ((_, script), ended) in cases.iter().zip(ended) {
        ended.assert_returned();
        assert_eq!(ended.printed, output(script));
    }
}

#[test]
fn ctrl_c_at_the_question() {
    let ended = alone(|| {
        rig::console();
        let mut pager = Pager::new(true);
        assert!(write_lines(&mut pager, 24).is_ok());
        pc().serial.type_bytes(b"\x03");
        assert!(pager.write_str("more").is_err());
    });
    ended.assert_returned();
    assert_eq!(ended.printed, output("24 ask end"));
}

#[test]
fn no_question() {
    let ended = alone(|| {
        rig::console();
        pc().serial.type_bytes(b"q");
        assert!(write_lines(&mut Pager::new(false), 200).is_ok());
        assert_eq!(console::try_read(), Some((b'q', Source::Serial)), "it is for the next command");
    });
    ended.assert_returned();
    assert_eq!(ended.printed, output("200"));
}

/// A line that is longer than the screen is wide takes more than one row.
#[test]
fn rows_of_long_lines() {
    let cases = [(0, 1), (1, 1), (79, 1), (80, 1), (81, 2), (160, 2), (161, 3), (400, 5)];
    let ended = each_alone(&cases, |(length, rows)| {
        rig::console();
        let mut pager = Pager::new(true);
        let _ = writeln!(pager, "{:x>1$}", "", length);
        assert_eq!((pager.rows, pager.column, pager.length), (*rows, 0, 0));
    });
    for ((length, _), ended) in cases.iter().zip(ended) {
        ended.assert_printed(0, &[&"x".repeat(*length)]);
    }
}

/// A line in pieces is one line, and what has no end comes out when it is asked for.
#[test]
fn pieces() {
    let ended = alone(|| {
        rig::console();
        let mut pager = Pager::new(true);
        for piece in ["one ", "two", "\nthree", "", " f\u{fc}r\u{4f60}"] {
            assert!(pager.write_str(piece).is_ok());
        }
        pager.flush();
        assert_eq!((pager.rows, pager.column, pager.length), (1, 10, 0));
        // 70 columns are left of this row.
        let _ = writeln!(pager, "{:x>71}", "");
        assert_eq!(pager.rows, 3);
    });
    ended.assert_printed(0, &["one two", &format!("three f?r?{:x>71}", "")]);
}

#[test]
fn paging() {
    use Source::{Keyboard, Serial};
    assert_eq!(Paging::default(), Paging::Auto);
    for (paging, name, keyboard, serial) in [
        (Paging::On, "on", true, true),
        (Paging::Off, "off", false, false),
        (Paging::Auto, "auto", true, false),
    ] {
        assert_eq!((paging.waits(Keyboard), paging.waits(Serial)), (keyboard, serial), "{name}");
        assert_eq!(format!("{paging}"), name);
    }
}
