//! Each expectation of `check_page` refuses every answer but the one that it names, and says both.

use std::panic::{AssertUnwindSafe, catch_unwind};

use layout::{Jos64, MB};

use super::*;
use crate::check::tests::message;
use crate::paging::format::x86_64::X86_64;
use crate::pmap::mem_init;
use crate::sim::SimMachine;

type Pc<'a> = Checks<'a, SimMachine<Jos64, X86_64>>;

/// Is given the frame that VA0 is mapped to, another one, and the address of the entry.
type Expectation = fn(&mut Pc<'_>, Frame, Frame, PhysAddr);

/// The message of the expectation, if it is not met.
fn said(expect: Expectation) -> Option<String> {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let mut checks = pmap.checks();
    let (pp, other) = (checks.alloc_for_check(), checks.alloc_for_check());
    checks.expect_insert(pp, VA0, Perm::KRW, Ok(()));
    let (_, pte) = checks.vm.page_lookup(checks.kern_pgdir, VA0).expect("VA0 is mapped");
    let expected = AssertUnwindSafe(|| expect(&mut checks, pp, other, pte.pa));
    catch_unwind(expected).err().map(|panic| message(&*panic))
}

#[test]
fn expectations_that_are_met_say_nothing() {
    let met: [Expectation; 9] = [
        |checks, _, other, _| checks.expect_insert(other, VA0, Perm::KRW, Ok(())),
        |checks, _, _, _| checks.expect_remove(VA0, Ok(())),
        |checks, _, _, at| checks.expect_walk(VA0, false, Ok(Some(at))),
        |checks, pp, _, at| checks.expect_lookup(VA0, Some(pp), Some(at)),
        |checks, _, _, _| checks.expect_lookup(VA1, None, None),
        |checks, pp, _, _| checks.expect_mapped(VA0, Some(pp), Perm::KRW),
        |checks, _, _, _| checks.expect_mapped(VA1, None, Perm::KRW),
        |checks, pp, _, _| checks.expect_ref(pp, 1, "then"),
        |checks, pp, _, _| checks.check_walk(VA0, pp),
    ];
    for (index, expect) in met.into_iter().enumerate() {
        assert_eq!(said(expect), None, "expectation {index}");
    }
}

#[test]
fn expectations_that_are_not_met_say_what_there_is_and_what_must_be() {
    let unmet: [(Expectation, &str); 15] = [
        (
            |checks, pp, _, _| {
                checks.expect_insert(pp, VA1, Perm::KRW, Err(MapError::NoMemory { va: VA0 }));
            },
            "page_insert at 0x1000 gives: success; it must give: no free page for a page table for 0x0",
        ),
        (
            |checks, _, _, _| checks.expect_remove(VA0, Err(MapError::NoMemory { va: VA0 })),
            "page_remove of 0x0 gives: success; it must give: no free page for a page table for 0x0",
        ),
        (
            |checks, _, _, at| checks.expect_walk(VA0, false, Ok(Some(at + 8))),
            "pgdir_walk of 0x0 gives: ",
        ),
        (|checks, _, _, _| checks.expect_walk(VA0, false, Ok(None)), "it must give: nothing"),
        // Each of the two by itself: the page, and the entry.
        (
            |checks, _, other, at| checks.expect_lookup(VA0, Some(other), Some(at)),
            "page_lookup of 0x0 gives ",
        ),
        (
            |checks, pp, _, at| checks.expect_lookup(VA0, Some(pp), Some(at + 8)),
            "page_lookup of 0x0 gives ",
        ),
        (
            |checks, _, _, _| checks.expect_lookup(VA0, None, None),
            "not nothing by the one at nothing",
        ),
        (
            |checks, _, other, _| checks.expect_mapped(VA0, Some(other), Perm::KRW),
            "0x0 must lead to ",
        ),
        (|checks, pp, _, _| checks.expect_mapped(VA0, Some(pp), Perm::KR), "0x0 must lead to "),
        (
            |checks, _, _, _| checks.expect_mapped(VA0, None, Perm::KRW),
            "0x0 must lead to nothing, not ",
        ),
        (|checks, pp, _, _| checks.expect_mapped(VA1, Some(pp), Perm::KRW), "0x1000 must lead to "),
        (|checks, pp, _, _| checks.expect_ref(pp, 2, "by then"), " by then must be 2, is 1"),
        (
            |checks, _, _, _| checks.expect_free(0, "by then"),
            "check_page: 0 pages must be free by then, not ",
        ),
        (|checks, pp, _, _| checks.expect_next(pp, "that page"), " must be free; got "),
        (|checks, _, other, _| checks.check_walk(VA0, other), "page_lookup of 0x0 gives "),
    ];
    let silent: Vec<_> = unmet
        .into_iter()
        .filter_map(|(expect, says)| {
            let said = said(expect);
            (!said.as_ref().is_some_and(|said| said.contains(says))).then_some((says, said))
        })
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}
