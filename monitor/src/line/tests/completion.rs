//! Tab: completion and lists.

use std::string::{String, ToString};
use std::vec::Vec;

use super::{History, LONGEST, Words, bells, typed, typed_among, typed_with};
use crate::line::Complete;
use crate::line::complete::MOST_LISTED;

#[test]
fn tab_completes_as_far_as_it_can() {
    assert_eq!(typed(b"sh\t"), "showmappings ");
    assert_eq!(typed(b"he\t"), "help ");
    assert_eq!(typed(b"s\tet"), "set");
    assert_eq!(typed(b"setp\t1"), "setperm 1");
    assert_eq!(typed(b"dump K\t"), "dump KERN");
    assert_eq!(typed(b"dump end+KERNB\t"), "dump end+KERNBASE");
    assert_eq!(typed(b"dump end-KERNB\t"), "dump end-KERNBASE");
    assert_eq!(typed(b"dump KERNB\t+0x1000"), "dump KERNBASE+0x1000");
    assert_eq!((typed(b"dump KERNBASE\t"), bells(b"dump KERNBASE\t")), ("dump KERNBASE".into(), 0));
    assert_eq!((typed(b"x\t"), bells(b"x\t")), ("x".into(), 1));
    assert_eq!(typed(b"sh x\x01\x06\x06\t"), "showmappings  x");
}

#[test]
fn tab_lists_what_there_is_to_choose_from() {
    let (line, terminal, _) = typed_with(b"set\t", &History::default());
    assert_eq!(line, "set");
    let rows = terminal.rows;
    assert_eq!(rows[0], "K> set");
    assert_eq!(rows[1].split_whitespace().collect::<Vec<_>>(), ["setperm", "set"]);
    assert_eq!(rows.len(), 2);
}

/// The rows in which Tab lists these words.
fn listed(words: &dyn Complete) -> Vec<String> {
    let (_, terminal, _) = typed_among(b"n\t", &History::default(), words);
    terminal.rows[1..].iter().map(|row| row.trim_end().to_string()).collect()
}

#[test]
fn words_are_listed_in_columns() {
    // Five columns fill a row. A name of 14 characters and the space behind it fit into one.
    let rows = listed(&Words(&[
        "n1",
        "n2-of-13-chars",
        "n3",
        "n4",
        "n5",
        "n6",
        "n7-of-15-charss",
        "n8",
        "n9-of-15-charss",
    ]));
    let [first, second, third] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(first, "n1              n2-of-13-chars  n3              n4              n5");
    assert_eq!(second, "n6              n7-of-15-charss                 n8");
    assert_eq!(third, "n9-of-15-charss", "it would not fit into the second");
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

    fn is_whole(&self, _: &str) -> bool {
        true
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
