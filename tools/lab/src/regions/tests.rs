//! Tests of the marks.

use super::*;

/// A text with the marks of two labs and of all.
const SOURCE: &str = "\
one
    // lab 2: begin body
    two
    // lab 3: begin other
    three
    // lab 3: end
    // lab 2: end
<!-- lab 3: begin other -->
four
<!-- lab 3: end -->
// lab: begin shared
five
// lab 2: begin body
six
// lab 2: end
// lab: end
// lab 2: a sentence
// lab: another
";

/// The text that a handout of `lab` has for `source`.
fn put(lab: u32, given: &str, source: &str) -> Outcome<String> {
    let mut all = Given::default();
    all.add(lab, given)?;
    all.put(lab, source)
}

#[test]
fn another_labs_marks_go_and_the_text_between_them_stays() {
    let given =
        "// lab: begin shared\nFIVE\n// lab: end\n// lab 3: begin other\nOTHER\n// lab 3: end\n";
    let source = SOURCE.replace("// lab: begin shared\n", "").replace("// lab: end\n", "");
    assert_eq!(
        put(3, given, &source).unwrap(),
        "one\n    two\nOTHER\nOTHER\nfive\nsix\n// lab 2: a sentence\n// lab: another\n"
    );
    assert_eq!(
        put(4, "", &source).unwrap(),
        "one\n    two\n    three\nfour\nfive\nsix\n// lab 2: a sentence\n// lab: another\n"
    );
}

#[test]
fn marks_without_a_number_are_every_labs() {
    for lab in [2, 3] {
        for given in [
            "// lab: begin a\nA\n// lab: end\n",
            &format!("# lab {lab}: begin a\nA\n# lab {lab}: end\n"),
        ] {
            let source =
                "0\n# lab: begin a\n1\n# lab: end\n// lab: begin omit\n2\n// lab: end\n3\n";
            assert_eq!(put(lab, given, source).unwrap(), "0\nA\n3\n");
        }
    }
}

#[test]
fn a_part_ends_with_its_own_mark() {
    for (source, says) in [
        ("// lab: begin omit\n// lab 2: end\n", "a mark out of order: // lab 2: end"),
        ("// lab 2: begin omit\n// lab: end\n", "a mark out of order: // lab: end"),
        ("// lab 2: begin omit\n// lab: begin omit\n", "a mark out of order: // lab: begin omit"),
        ("// lab 2: end\n", "a mark out of order: // lab 2: end"),
        ("// lab 2: begin omit\n// lab 3: end\n", "the part \"omit\" has no end"),
        ("// lab: begin name\n// lab: end\n", "nothing is given for \"name\""),
    ] {
        assert_eq!(put(2, "", source), Err(says.into()), "{source}");
    }
}
