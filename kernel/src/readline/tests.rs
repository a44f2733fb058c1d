//! Tests of reading a line: the editor itself is `libjos`'s, and has its own.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::arch::host::process::{alone, each_alone};
use crate::arch::host::{pc, vga};
use crate::rig;

/// The answer in words.
fn words<T: core::ops::Deref<Target = str>>(answer: Answer<T>) -> String {
    match answer {
        Answer::Line { line, source } => format!("{:?} by {source:?}", &*line),
        Answer::TooLong => "too long".into(),
        Answer::EndOfInput => "end".into(),
    }
}

/// Two words that Tab can complete to.
struct Words;

impl Complete for Words {
    fn candidates(&self, _: &str, _: &str, each: &mut dyn FnMut(&str)) {
        ["help", "halt"].into_iter().for_each(each);
    }

    fn is_whole(&self, _: &str) -> bool {
        true
    }
}

#[test]
fn answers_of_the_monitors_prompt() {
    let longest = "x".repeat(LONGEST);
    // Typed bytes; the answer; the screen's first row, if it is of interest.
    let cases = [
        ("help\r".into(), r#""help" by Serial"#.into(), Some("K> help")),
        ("\r".into(), r#""" by Serial"#.into(), Some("K>")),
        ("\n".into(), r#""" by Serial"#.into(), Some("K>")),
        ("abc\x03".into(), r#""" by Serial"#.into(), Some("K> abc^C")),
        ("ab\x7fc\r".into(), r#""ac" by Serial"#.into(), Some("K> ac")),
        ("\x04".into(), "end".into(), None),
        ("a\x04\r".into(), r#""a" by Serial"#.into(), None),
        ("one\rtwo\r".into(), r#""one" by Serial"#.into(), Some("K> one")),
        ("\x1b[A\r".into(), r#""earlier" by Serial"#.into(), Some("K> earlier")),
        ("he\t\r".into(), r#""help " by Serial"#.into(), Some("K> help")),
        ("ab\x0cc\r".into(), r#""abc" by Serial"#.into(), Some("K> abc")),
        (format!("{longest}\r"), format!("{longest:?} by Serial"), None),
        (format!("{longest}x\r"), "too long".into(), None),
    ];
    let ended = each_alone(&cases, |(typed, answer, row)| {
        rig::console();
        pc().serial.type_bytes(typed.as_bytes());
        let mut history = History::default();
        history.push("earlier");
        assert_eq!(words(readline("K> ", &history, &Words, &mut |_| console::read())), *answer);
        assert_eq!(row.unwrap_or(&vga::row(0)), vga::row(0));
        assert_eq!(console::try_read().is_some(), typed.starts_with("one"), "the next line waits");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// Whoever waits for bytes may print meanwhile, and show the line again.
#[test]
fn output_while_a_line_is_typed() {
    let ended = alone(|| {
        rig::console();
        pc().serial.type_bytes(b"ab\r");
        let mut bytes = 0;
        let answer = readline("K> ", &History::default(), &Words, &mut |redraw| {
            if bytes == 1 {
                println!("\nnews");
                redraw();
            }
            bytes += 1;
            console::read()
        });
        assert_eq!(words(answer), r#""ab" by Serial"#);
    });
    assert_eq!(ended.printed, "K> a\r\nnews\r\nK> ab\r\n");
    ended.assert_returned();
}

/// Ctrl-L clears the terminal and the screen, and shows prompt and line again in the first row.
#[test]
fn clear() {
    alone(|| {
        rig::console();
        println!("above");
        pc().serial.type_bytes(b"ab\x0c\r");
        pc().serial.received.clear();
        assert_eq!(words(read_line::<String>("K> ")), r#""ab" by Serial"#);
        assert_eq!(vga::text(), ["K> ab"]);
        let received = String::from_utf8_lossy(&pc().serial.received).into_owned();
        let (_, after) = received.split_once("\x1b[2J\x1b[H").expect("the terminal is cleared");
        assert!(after.contains("K> ab"), "{after:?}");
    })
    .assert_returned();
}

/// The device of Enter counts.
#[test]
fn source() {
    alone(|| {
        rig::console();
        pc().serial.type_bytes(b"ab");
        pc().keyboard.send(&[0x1C]);
        assert_eq!(words(read_line::<String>("")), r#""ab" by Keyboard"#);
    })
    .assert_returned();
}

/// Without a history and a completer, up does nothing, and a tab is a character.
#[test]
fn an_applications_line() {
    alone(|| {
        rig::console();
        pc().serial.type_bytes(b"he\t\x1b[A!\r");
        assert_eq!(words(read_line::<String>("? ")), r#""he\t!" by Serial"#);
        // It may be longer than a line of the monitor.
        let long: Vec<u8> = core::iter::repeat_n(b'y', 2 * LONGEST).collect();
        pc().serial.type_bytes(&long);
        pc().serial.type_bytes(b"\r");
        let long = String::from_utf8_lossy(&long).into_owned();
        assert_eq!(words(read_line::<String>("? ")), format!("{long:?} by Serial"));
    })
    .assert_returned();
}
