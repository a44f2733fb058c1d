//! Bodies that are refused, and by which words; and bodies that are not.

use super::complaints;
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
    ] {
        let said = of(body);
        assert!(said.contains(word), "{body}: {said}");
    }
    assert!(of(&"\n".repeat(300)).contains("more than 200 lines"));
}

#[test]
fn a_complaint_names_the_line() {
    assert!(of("\n\n  self.steal()").starts_with("line 3: `.steal()`"));
}
