//! Right and wrong numbers, names and sums.

use super::ExpressionError::{Missing, Negative, NotANumber, Overflow, UnknownName};
use super::*;

fn value(text: &str) -> Result<u64, ExpressionError<'_>> {
    evaluate(text, &|name| match name {
        "KERNBASE" => Some(0xFFFF_FFFF_F000_0000),
        "a::b" => Some(7),
        "feed" => Some(1),
        _ => None,
    })
}

#[test]
fn numbers_names_and_sums() {
    assert_eq!(value("0"), Ok(0));
    assert_eq!(value("4096"), Ok(4096));
    assert_eq!(value("0x1000"), Ok(0x1000));
    assert_eq!(value("0XfF"), Ok(0xFF));
    assert_eq!(value("0b101"), Ok(5));
    assert_eq!(value("0xffff_ffff_f000_0000"), Ok(0xFFFF_FFFF_F000_0000));
    assert_eq!(value("KERNBASE"), Ok(0xFFFF_FFFF_F000_0000));
    assert_eq!(value("KERNBASE+0x1000"), Ok(0xFFFF_FFFF_F000_1000));
    assert_eq!(value("a::b-7+1_0-0x2"), Ok(8));
    assert_eq!(value("feed"), Ok(1));
    assert_eq!(value("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(value("0xffffffffffffffff"), Ok(u64::MAX));
}

#[test]
fn what_is_no_number_is_told() {
    for text in ["", "+", "-1", "1+", "1++2", "KERNBASE-", "1-+"] {
        assert_eq!(value(text), Err(Missing(text)));
    }
    assert_eq!(value("0x"), Err(NotANumber("0x")));
    assert_eq!(value("0xfoo"), Err(NotANumber("0xfoo")));
    assert_eq!(value("12ab"), Err(NotANumber("12ab")));
    assert_eq!(value("0b12"), Err(NotANumber("0b12")));
    assert_eq!(value("0b_"), Err(NotANumber("0b_")));
    assert_eq!(value("1+kernbase"), Err(UnknownName("kernbase")));
    assert_eq!(value("dead"), Err(UnknownName("dead")));
    assert!(UnknownName("dead").to_string().contains("begins with 0x"));
    assert!(!UnknownName("main").to_string().contains("begins with 0x"));
    assert_eq!(value("1ä"), Err(NotANumber("1ä")));
    assert_eq!(value("0ä"), Err(NotANumber("0ä")));
    assert_eq!(value("ä"), Err(UnknownName("ä")));
}

#[test]
fn nothing_wraps() {
    let long = "9".repeat(1000);
    assert_eq!(value(&long), Err(Overflow(&long)));
    assert_eq!(value("0x10000000000000000"), Err(Overflow("0x10000000000000000")));
    assert_eq!(value("18446744073709551616"), Err(Overflow("18446744073709551616")));
    let text = "KERNBASE+0x10000000";
    assert_eq!(value(text), Err(Overflow(text)));
    assert_eq!(value("1-2"), Err(Negative("1-2")));
    assert_eq!(value("1-2+5"), Err(Negative("1-2+5")));
}
