//! Plants mutants of each kind into small sources, and compares the planted source.

use super::*;

/// Plants one mutant, number 7, at a line and column (both from 1) of this body of a function.
fn planted(source: &str, genre: &str, start: (usize, usize), replacement: &str) -> Planted {
    plant(source, &[mutant(7, genre, start, replacement)]).unwrap()
}

fn mutant(id: u32, genre: &str, start: (usize, usize), replacement: &str) -> Mutant {
    Mutant { id, genre: genre.into(), start, replacement: replacement.into() }
}

/// The source's tokens, since rustfmt's blanks and line ends do not matter.
fn words(source: &str) -> String {
    source.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_planted(planted: &Planted, expected: &str) {
    assert_eq!(words(&planted.source), words(expected));
    assert_eq!(planted.planted, BTreeSet::from([7]));
}

/// Asserts that a mutant that cannot be chosen at run time leaves the source unchanged.
#[track_caller]
fn assert_left_out(source: &str, genre: &str, start: (usize, usize), replacement: &str) {
    let planted = planted(source, genre, start, replacement);
    assert_eq!(words(&planted.source), words(source));
    assert!(planted.planted.is_empty());
}

#[test]
fn a_function_returns_at_once() {
    let planted = planted("fn f() -> u32 { g(); 2 }", "FnValue", (1, 17), "1");
    assert_planted(&planted, "fn f() -> u32 { if ::mutant::is(7u32) { return 1; } g(); 2 }");
    assert!(planted.in_const_fn.is_empty());
}

#[test]
fn a_const_fn_is_told() {
    let planted = planted("const fn f() -> u32 { 2 }", "FnValue", (1, 23), "1");
    assert_planted(&planted, "const fn f() -> u32 { if ::mutant::is(7u32) { return 1; } 2 }");
    assert_eq!(planted.in_const_fn, BTreeSet::from([7]));
}

#[test]
fn a_call_is_left_out() {
    let planted = planted("fn f() { a.g(1); a.h(2); }", "Call", (1, 18), "");
    assert_planted(&planted, "fn f() { a.g(1); if !::mutant::is(7u32) { a.h(2); } }");
}

#[test]
fn a_naked_function_has_no_room() {
    let source = "#[unsafe(naked)] extern \"C\" fn f() { g(); }";
    assert_left_out(source, "FnValue", (1, 39), "()");
}

#[test]
fn methods_and_defaults_of_traits_are_functions_too() {
    let method = planted("impl S { fn f(&self) { g(); } }", "FnValue", (1, 24), "()");
    assert_planted(&method, "impl S { fn f(&self) { if ::mutant::is(7u32) { return (); } g(); } }");
    let default = planted("trait T { fn f(&self) { g(); } }", "FnValue", (1, 25), "()");
    assert_planted(
        &default,
        "trait T { fn f(&self) { if ::mutant::is(7u32) { return (); } g(); } }",
    );
}

#[test]
fn a_block_before_an_operator_is_no_statement() {
    let planted = planted("fn f() { g(unsafe { h() } & i); }", "BinaryOperator", (1, 27), "|");
    assert_planted(
        &planted,
        "fn f() { g((if ::mutant::is(7u32) { (unsafe { h() }) | i } else { (unsafe { h() }) & i })); }",
    );
}

#[test]
fn an_operator_is_another() {
    let planted = planted("fn f() { g(a + b); }", "BinaryOperator", (1, 14), "-");
    assert_planted(&planted, "fn f() { g((if ::mutant::is(7u32) { a - b } else { a + b })); }");
}

#[test]
fn an_operator_that_binds_otherwise_takes_other_operands() {
    let planted = planted("fn f() -> u32 { a - b * c }", "BinaryOperator", (1, 23), "+");
    assert_planted(
        &planted,
        "fn f() -> u32 { (if ::mutant::is(7u32) { a - b + c } else { a - b * c }) }",
    );
}

#[test]
fn an_assignment_is_an_operator() {
    let planted = planted("fn f() { a += b; }", "BinaryOperator", (1, 12), "*=");
    assert_planted(&planted, "fn f() { (if ::mutant::is(7u32) { a *= b } else { a += b }); }");
}

#[test]
fn several_mutants_of_one_chain() {
    let list =
        [mutant(1, "BinaryOperator", (1, 19), "-"), mutant(2, "BinaryOperator", (1, 23), "*")];
    let planted = plant("fn f() -> u32 { a + b + (c) }", &list).unwrap();
    let expected = "fn f() -> u32 { (if ::mutant::is(1u32) { a - b + (c) } \
                    else if ::mutant::is(2u32) { a + b * (c) } else { a + b + (c) }) }";
    assert_eq!(words(&planted.source), expected);
    assert_eq!(planted.planted, BTreeSet::from([1, 2]));
}

#[test]
fn an_operator_inside_an_operand_is_planted_beside_the_outer_one() {
    let list =
        [mutant(1, "BinaryOperator", (1, 19), "-"), mutant(2, "BinaryOperator", (1, 24), "/")];
    let planted = plant("fn f() -> u32 { a + (b * c) }", &list).unwrap();
    let expected = "fn f() -> u32 { (if ::mutant::is(1u32) { a - (b * c) } \
                    else { a + ((if ::mutant::is(2u32) { b / c } else { b * c })) }) }";
    assert_eq!(words(&planted.source), expected);
}

#[test]
fn conditions_with_let_are_planted_but_for_their_and() {
    let source = "fn f() { if let Some(a) = b && c < d { g(); } }";
    let planted = planted(source, "BinaryOperator", (1, 34), ">");
    assert_planted(
        &planted,
        "fn f() { if let Some(a) = b && (if ::mutant::is(7u32) { c > d } else { c < d }) { g(); } }",
    );
    assert_left_out(source, "BinaryOperator", (1, 29), "||");
}

#[test]
fn a_sign_is_gone() {
    let planted = planted("fn f() -> bool { !a }", "UnaryOperator", (1, 18), "");
    assert_planted(&planted, "fn f() -> bool { (if ::mutant::is(7u32) { a } else { !a }) }");
}

#[test]
fn an_arm_is_gone() {
    let source = "fn f() { match a { 1 => g(), _ => h(), } }";
    assert_planted(
        &planted(source, "MatchArm", (1, 20), ""),
        "fn f() { match a { 1 if !::mutant::is(7u32) => g(), _ => h(), } }",
    );
    let source = "fn f() { match a { b if b > 1 || c => g(), _ => h(), } }";
    assert_planted(
        &planted(source, "MatchArm", (1, 20), ""),
        "fn f() { match a { b if !::mutant::is(7u32) && (b > 1 || c) => g(), _ => h(), } }",
    );
}

#[test]
fn a_guard_is_always_true() {
    let source = "fn f() { match a { b if b > 1 => g(), _ => h(), } }";
    assert_planted(
        &planted(source, "MatchArmGuard", (1, 25), "true"),
        "fn f() { match a { b if (if ::mutant::is(7u32) { true } else { b > 1 }) => g(), _ => h(), } }",
    );
}

#[test]
fn a_field_is_taken_from_the_rest() {
    let source = "fn f() -> S { S { a, b: 1, ..c } }";
    assert_planted(
        &planted(source, "StructField", (1, 22), ""),
        "fn f() -> S { (if ::mutant::is(7u32) { S { a, ..c } } else { S { a, b: 1, ..c } }) }",
    );
    assert_left_out("fn f() -> S { S { a, b: 1 } }", "StructField", (1, 22), "");
}

#[test]
fn what_only_the_compiler_evaluates_is_left_out() {
    assert_left_out("const A: u32 = 1 + 2;", "BinaryOperator", (1, 18), "-");
    assert_left_out("static A: u32 = 1 + 2;", "BinaryOperator", (1, 19), "-");
    assert_left_out("impl S { const A: u32 = 1 + 2; }", "BinaryOperator", (1, 27), "-");
    assert_left_out("trait T { const A: u32 = 1 + 2; }", "BinaryOperator", (1, 28), "-");
    assert_left_out("fn f() { let a: [u8; 1 + 2]; }", "BinaryOperator", (1, 24), "-");
    assert_left_out("struct S { a: [u8; 1 + 2], }", "BinaryOperator", (1, 22), "-");
    assert_left_out("fn f() { g([0; 1 + 2]); }", "BinaryOperator", (1, 18), "-");
    assert_left_out("enum E { A = 1 + 2, }", "BinaryOperator", (1, 16), "-");
}

#[test]
fn what_is_no_expression_is_left_out() {
    // A type would begin at the <.
    assert_left_out("fn f() -> bool { a as u64 == b }", "BinaryOperator", (1, 27), "<");
    assert!(plant("fn f( {", &[]).is_err());
}

#[test]
fn a_mutant_is_read_from_what_cargo_mutants_prints() {
    let text = r#"{"id": 7, "genre": "FnValue", "replacement": "1", "span": {"start": {"line": 3, "column": 5}}}"#;
    let mut value: Value = serde_json::from_str(text).unwrap();
    let mutant = Mutant::from_json(&value).unwrap();
    assert_eq!((mutant.id, mutant.genre.as_str(), mutant.start), (7, "FnValue", (3, 5)));
    value["id"] = 65536.into();
    assert!(Mutant::from_json(&value).is_none(), "the switch has no room for it");
}
