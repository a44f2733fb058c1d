//! Tests of the command line.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::arch::host::process::{alone, each_alone};
use crate::rig;

/// A change of options.
type Change = fn(&mut Options);

/// The options of an empty command line but for a change, spelled out.
fn spelled(change: Change) -> String {
    let mut options = Options {
        fault: None,
        program: None,
        memory_limit: None,
        heap_poison: false,
        pages_poison: false,
        leakcheck: false,
        log: LevelFilter::Warn,
    };
    change(&mut options);
    format!("{options:?}")
}

#[test]
fn each_option() {
    let cases: [(&str, Change); 23] = [
        ("", |_| ()),
        (" \t ", |_| ()),
        ("mem=64M", |it| it.memory_limit = Some(PhysAddr::new(64 << 20))),
        ("mem=4K", |it| it.memory_limit = Some(PhysAddr::new(4 << 10))),
        ("mem=2G", |it| it.memory_limit = Some(PhysAddr::new(2 << 30))),
        ("run=hello", |it| it.program = Some("hello")),
        ("run=hello run=yield", |it| it.program = Some("yield")),
        ("heap=poison", |it| it.heap_poison = true),
        ("pages=poison", |it| it.pages_poison = true),
        ("leakcheck", |it| it.leakcheck = true),
        ("log=off", |it| it.log = LevelFilter::Off),
        ("log=error", |it| it.log = LevelFilter::Error),
        ("log=warn", |it| it.log = LevelFilter::Warn),
        ("log=info", |it| it.log = LevelFilter::Info),
        ("log=debug", |it| it.log = LevelFilter::Debug),
        ("log=trace", |it| it.log = LevelFilter::Trace),
        ("test=read-null", |it| it.fault = faults::find(b"read-null")),
        ("test=panic", |it| it.fault = faults::all().find(|fault| fault.name == "panic")),
        // The last one counts.
        ("mem=64M mem=32M", |it| it.memory_limit = Some(PhysAddr::new(32 << 20))),
        ("log=off log=trace", |it| it.log = LevelFilter::Trace),
        ("test=panic test=read-null", |it| it.fault = faults::find(b"read-null")),
        ("leakcheck leakcheck", |it| it.leakcheck = true),
        ("  heap=poison\tpages=poison  leakcheck log=info mem=8M ", |it| {
            (it.heap_poison, it.pages_poison, it.leakcheck) = (true, true, true);
            it.log = LevelFilter::Info;
            it.memory_limit = Some(PhysAddr::new(8 << 20));
        }),
    ];
    for (line, change) in cases {
        let options = format!("{:?}", parse(LoaderText::new(line.as_bytes())));
        assert_eq!(options, spelled(change), "{line:?}");
    }
    assert_eq!(faults::find(b"panic").map(|fault| fault.name), Some("panic"));
}

#[test]
fn warnings() {
    const UNKNOWN: &str = "known: test=NAME run=PROGRAM mem=SIZE log=LEVEL heap=poison pages=poison leakcheck \
        -- APPLICATION'S WORDS";
    const SIZE: &str = "ignored: mem= wants a size such as 64M, 256M or 2G";
    const LEVEL: &str = "ignored: log= wants off, error, warn, info, debug or trace";
    let lines = |lines: &[&str]| lines.join("\r\n") + "\r\n";
    let unknown = |word: &str| format!("warning: unknown option \"{word}\" ignored");
    let names: Vec<_> = faults::all().map(|fault| fault.name).collect();
    let names: Vec<_> = names.chunks(4).map(|row| format!(" {}", row.join(" "))).collect();
    let tests = |name: &str| {
        let first = format!("warning: unknown test \"{name}\" ignored; known tests:");
        lines(&[&first, &names.join("\r\n")])
    };
    let cases: Vec<(&[u8], String)> = Vec::from([
        (&b"colour=mauve"[..], lines(&[&unknown("colour=mauve"), UNKNOWN])),
        (b"a leakcheck b", lines(&[&unknown("a"), &unknown("b"), UNKNOWN])),
        (b"heap", lines(&[&unknown("heap"), UNKNOWN])),
        (b"heap=poisoned", lines(&[&unknown("heap=poisoned"), UNKNOWN])),
        (b"LEAKCHECK", lines(&[&unknown("LEAKCHECK"), UNKNOWN])),
        (b"mem", lines(&[&unknown("mem"), UNKNOWN])),
        (b"a\xffb", lines(&[&unknown("a\u{fffd}b"), UNKNOWN])),
        (b"mem=", lines(&[&format!("warning: \"mem=\" {SIZE}")])),
        (b"mem=lots", lines(&[&format!("warning: \"mem=lots\" {SIZE}")])),
        (b"mem=\xff", lines(&[&format!("warning: \"mem=\u{fffd}\" {SIZE}")])),
        (b"log=loud", lines(&[&format!("warning: \"log=loud\" {LEVEL}")])),
        (b"log=", lines(&[&format!("warning: \"log=\" {LEVEL}")])),
        (b"log=\xff", lines(&[&format!("warning: \"log=\u{fffd}\" {LEVEL}")])),
        (b"test=", tests("")),
        (b"test=read-nul", tests("read-nul")),
        (b"test=\xff", tests("\u{fffd}")),
    ]);
    let ended = each_alone(&cases, |(line, _)| {
        rig::console();
        let options = format!("{:?}", parse(LoaderText::new(line)));
        let leakcheck: Change = |it| it.leakcheck = true;
        let is_leakcheck = line.windows(9).any(|word| word == b"leakcheck");
        assert_eq!(options, spelled(if is_leakcheck { leakcheck } else { |_| () }));
    });
    for ((line, wanted), ended) in cases.iter().zip(ended) {
        ended.assert_returned();
        assert_eq!(ended.printed, *wanted, "{}", String::from_utf8_lossy(line));
    }
}

/// But no test runs if the last one is unknown.
#[test]
fn a_wrong_value_keeps_an_earlier_one() {
    alone(|| {
        rig::console();
        let options = parse(LoaderText::new(b"mem=64M mem=x log=info log=x test=panic test=x"));
        assert_eq!(options.memory_limit, Some(PhysAddr::new(64 << 20)));
        assert_eq!(options.log, LevelFilter::Info);
        assert!(options.fault.is_none(), "a test that is not known: the application runs");
    })
    .assert_returned();
}

#[test]
fn the_applications_words() {
    for (line, ours, application) in [
        ("", "", ""),
        ("a b", "a b", ""),
        ("--", "", ""),
        ("-- x y", "", "x y"),
        ("a --", "a ", ""),
        ("a -- ", "a ", ""),
        ("a -- x", "a ", "x"),
        ("a\t--\tx", "a\t", "x"),
        ("a --  x  y ", "a ", "x  y"),
        ("a -- x -- y", "a ", "x -- y"),
        ("a -- --", "a ", "--"),
        ("a--b", "a--b", ""),
        ("a-- b", "a-- b", ""),
        ("a --b", "a --b", ""),
        ("--- x", "--- x", ""),
        ("- - x", "- - x", ""),
        ("a- -x", "a- -x", ""),
        ("--a -- --b", "--a ", "--b"),
    ] {
        assert_eq!(split(line.as_bytes()), (ours.as_bytes(), application.as_bytes()), "{line:?}");
    }
}

#[test]
fn init_keeps_options_and_words() {
    alone(|| {
        rig::console();
        assert_eq!(format!("{:?}", options()), spelled(|_| ()));
        assert_eq!(application(), "");
        init(LoaderText::new(b"leakcheck -- leak heap=poison"));
        assert_eq!(format!("{:?}", options()), spelled(|it| it.leakcheck = true));
        assert_eq!(application(), "leak heap=poison");
    })
    .assert_printed(0, &[]);
}

#[test]
fn words_that_are_not_utf_8() {
    alone(|| {
        rig::console();
        init(LoaderText::new(b"leakcheck -- a \xff b"));
        assert_eq!(format!("{:?}", options()), spelled(|it| it.leakcheck = true));
        assert_eq!(application(), "");
    })
    .assert_printed(0, &["warning: what follows -- is not UTF-8; ignored"]);
}
