//! Bodies that are refused, and by which words; and bodies that are not.

use super::{MOST_BYTES, complaints};
use crate::exercises::Lab;
use crate::files::own_folder;

/// The complaints about a body of `page_insert`.
fn of(body: &str) -> String {
    let lab = Lab::read(&own_folder().join("lab2")).unwrap();
    complaints(&lab, lab.exercise("page_insert").unwrap(), Ok(body.into())).join("\n")
}

#[test]
fn what_is_listed_or_bound_may_be_used() {
    for body in [
        "self.page_remove(pgdir, va)?;\nOk(())",
        "let f = |x: u64| x + 1; assert!(f(1) == 2, \"{}\", f(0)); Ok(())",
        "if let Some((old, pte)) = self.page_lookup(pgdir, va) && old == frame { return Ok(()); }\nOk(())",
        "match self.pgdir_walk(pgdir, va, true) { Ok(Some(pte)) => drop_it(pte), _ => {} }\nOk(())",
        "for i in 0..3 { let _ = i; } Ok(()) // a comment",
        "let Pte { pa } = pte_of()?; self.machine.store(pa, WordOf::<M>::ZERO); Ok(())",
    ] {
        let said = of(body);
        let own = ["`drop_it`", "`pte_of`"].iter().any(|name| said.contains(name));
        assert!(said.is_empty() || own && said.lines().count() == 1, "{body}: {said}");
    }
}

#[test]
fn anything_else_is_refused_by_name() {
    for (body, word) in [
        ("self.map_range(pgdir, va, 1, pa, perm, s)", "`.map_range()`"),
        ("Self::map_range(self, pgdir)", "`Self::map_range`"),
        ("let f = Self::map_range; f()", "`Self::map_range`"),
        ("<Self as PageAllocator>::page_alloc(self)", "<Type as Trait>"),
        ("unsafe { hint() }", "no unsafe"),
        ("core::arch::asm!(\"hlt\")", "`core::arch::asm!`"),
        ("println!(\"x\")", "`println!`"),
        ("std::process::exit(0)", "`std::process::exit`"),
        ("include!(\"x.rs\")", "`include!`"),
        ("panic!(\"{}\", include_str!(\"/etc/passwd\"))", "`include_str!`"),
        ("#[allow(unused)] let x = 1;", "attributes"),
        ("/// doc\nlet x = 1;", "attributes"),
        ("fn page_remove() {} Ok(())", "no items"),
        ("use crate::x; Ok(())", "no items"),
        ("macro_rules! panic { () => {} } Ok(())", "no items"),
        ("Ok(()) } fn other() {", "line 1"),
        ("Ok(()) /* ", "line"),
        ("assert!({ self.map_range(); true })", "`.map_range()`"),
        ("assert!(true, \"{x}\", x = self.map_range())", "`.map_range()`"),
        ("{ let link_upwards = 1; } link_upwards(run, 1)", "`link_upwards`"),
        ("let x = [0; { steal() }]; Ok(())", "`steal`"),
        ("let x = Vec::<{ steal() }>::new(); Ok(())", "`steal`"),
        ("(self.fill)(pa)", "with a name"),
        ("async { 1 }", "asynchronous"),
        ("const { steal() }", "kind of expression"),
        ("Poison { head: 0 }", "`Poison`"),
        ("// exercise 4 (page_alloc): your code from here\nOk(())", "a comment like"),
        ("match va { x if steal(x) => Ok(()), _ => Ok(()) }", "`steal`"),
        ("let Some(x) = frame else { steal() }; Ok(())", "`steal`"),
        ("#[cfg(test)] if create {} Ok(())", "attributes"),
        ("#[cfg(test)] for _ in 0..1 {} Ok(())", "attributes"),
        ("assert_eq!(*self.steal() = 5, ()); Ok(())", "`.steal()`"),
        ("assert_eq!([0][{ steal(); 0 }] = 5, ()); Ok(())", "`steal`"),
        ("let Poison = 1; Poison { head: 0 }; Ok(())", "`Poison`"),
        ("let x = frame.r#map_range(); Ok(())", "`.r#map_range()`"),
        (
            "let core = 1; core::hint::unreachable_unchecked()",
            "`core::hint::unreachable_unchecked`",
        ),
        ("panic!(\"{}\", env!(\"HOME\"))", "`env!`"),
        ("#[link_section = \".boot\"] static X: u8 = 1; Ok(())", "no items"),
        ("mod m { pub fn steal() {} } m::steal()", "no items"),
        ("impl Drop for Pte { fn drop(&mut self) {} }", "no items"),
        ("Some(pa).map(crate::steal); Ok(())", "`crate::steal`"),
        ("[1].iter().map(|x| steal(x)).count(); Ok(())", "`steal`"),
        ("let f = |steal: [u8; { steal(); 1 }]| 1; Ok(())", "`steal`"),
        ("while let Some(steal) = steal() {} Ok(())", "`steal`"),
        ("if let Some(steal) = frame {} else { steal() } Ok(())", "`steal`"),
        ("let x: [u8; { steal() }] = va; Ok(())", "`steal`"),
        ("let x: steal!() = va; Ok(())", "`steal!`"),
        ("match va { steal!() => Ok(()) }", "`steal!`"),
        ("builtin # offset_of(Pte, pa)", "kind of expression"),
    ] {
        let said = of(body);
        assert!(said.contains(word), "{body}: {said}");
    }
    assert!(of(&"\n".repeat(300)).contains("more than 200 lines"));
    assert!(of(&"!".repeat(1 << 20)).contains("more than 200 lines, or 16 KB"));
}

#[test]
fn characters_that_nobody_sees_are_refused() {
    for (body, word) in [
        (" /*\n\u{85}*/ Ok(())", "line 2: a character that nobody sees, U+0085"),
        ("let x\u{3000}= 1; Ok(())", "U+3000"),
        ("Ok(()) // \u{202e}", "U+202E"),
        ("// \rOk(())", "U+000D"),
        ("Ok(()) // \0", "U+0000"),
    ] {
        assert!(of(body).contains(word), "{body:?}: {}", of(body));
    }
    assert_eq!(of("\tOk(()) // ein schöner Kommentar: 页"), "");
}

#[test]
fn the_deepest_bodies_are_judged() {
    let whole = |opening: &str, closing: &str| {
        let n = (MOST_BYTES - 40) / (opening.len() + closing.len());
        let body = format!("{}steal(){};", opening.repeat(n), closing.repeat(n));
        assert!(of(&body).contains("`steal`"), "{opening}{closing}");
    };
    for (opening, closing) in [
        ("!", ""),
        ("&", ""),
        ("(", ")"),
        ("{", "}"),
        ("[", "]"),
        ("||", ""),
        ("va=", ""),
        ("", ".ok()"),
        ("", "+1"),
    ] {
        whole(opening, closing);
    }
    let chain = "if va{}else ".repeat((MOST_BYTES - 40) / 12);
    assert!(of(&format!("{chain}{{steal()}}")).contains("`steal`"));
}

#[test]
fn a_complaint_names_the_line() {
    assert!(of("\n\n  self.steal()").starts_with("line 3: `.steal()`"));
}
