//! Exercise 14: `sys_page_map`.

use layout::{MemLayout, PGSIZE};
use libjos::machine::PhysMem;
use libjos::paging::format::{Format, Perm};
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, SECOND};
use crate::calls::PAGE_MAP;
use crate::complaints::result;
use crate::e13_sys_page_alloc::{NO_ENV, NO_PERM, no_page};
use crate::rig::{UR, URW, World, page};

lab_tests! {
    e14_sys_page_map_shares_a_page
    e14_sys_page_map_gives_the_permissions
    e14_sys_page_map_replaces_what_was_there
    e14_sys_page_map_of_a_page_to_itself
    e14_sys_page_map_refuses_w_on_a_page_that_may_not_be_written
    e14_sys_page_map_refuses_wrong_arguments
    e14_sys_page_map_without_memory_changes_nothing
}

fn e14_sys_page_map_shares_a_page<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::strangers();
    let pa = world.put(FIRST, page(0), Perm::URW);
    // In itself, in a child, and from the child back.
    let cases = [
        ([0, page(0), 0, page(9), URW], FIRST, 2),
        ([0, page(0), 0x1001, page(5), URW], SECOND, 3),
        ([0x1001, page(5), 0x1000, L::UTOP - PGSIZE, URW], FIRST, 4),
        ([0x1001, page(5), 0x1001, page(4), URW], SECOND, 5),
    ];
    for (arguments, index, uses) in cases {
        let what = PAGE_MAP.with(&arguments);
        world.must(PAGE_MAP, &arguments, 0);
        let found = world.must_map(index, arguments[3], Perm::URW, &what);
        assert!(found == pa, "{what} must map the frame at {pa}, but maps that at {found}");
        world.must_count(pa, uses, &what);
    }
    world.must_map(FIRST, page(0), Perm::URW, "sys_page_map of it");
    world.store(page(9) + 8, 77).expect("a page that can be written");
    assert!(
        world.load(page(0) + 8) == Ok(77),
        "a page that is shared must show what was written elsewhere"
    );
}

fn e14_sys_page_map_gives_the_permissions<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    world.put(FIRST, page(0), Perm::URW);
    let what = PAGE_MAP.with(&[0, page(0), 0x1001, page(0), UR]);
    world.must(PAGE_MAP, &[0, page(0), 0x1001, page(0), UR], 0);
    world.must_map(SECOND, page(0), Perm::UR, &what);
    world.must_map(FIRST, page(0), Perm::URW, &what);
    // No call names X: a page of code stays one, and no other becomes one.
    world.put(FIRST, page(1), Perm::UR | Perm::X);
    world.must(PAGE_MAP, &[0, page(1), 0x1001, page(1), UR], 0);
    world.must_map(SECOND, page(1), Perm::UR | Perm::X, "sys_page_map of a page of code");
    if !F::AVAIL.is_empty() {
        world.must(PAGE_MAP, &[0, page(0), 0x1001, page(2), UR | 0x800], 0);
        let perm = Perm::UR | Perm::from_bits_truncate(0x800);
        world.must_map(
            SECOND,
            page(2),
            perm,
            "sys_page_map with a bit of the program's own (0x800)",
        );
    }
}

fn e14_sys_page_map_replaces_what_was_there<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    let pa = world.put(FIRST, page(0), Perm::URW);
    let old = world.put(FIRST, page(1), Perm::URW);
    world.pmap.machine().store(pa, 77_u64);
    assert!(world.load(page(1)) == Ok(0));
    let what = "sys_page_map to where another page was";
    world.must(PAGE_MAP, &[0, page(0), 0, page(1), UR], 0);
    let found = world.must_map(FIRST, page(1), Perm::UR, what);
    assert!(found == pa, "{what} must map the frame at {pa}, but maps that at {found}");
    world.must_count(pa, 2, what);
    world.must_count(old, 0, what);
    let seen = world.load(page(1));
    assert!(
        seen == Ok(77),
        "{what}: the program must see 77 there, but sees {seen:x?}: the old page, by a stale translation?"
    );
}

fn e14_sys_page_map_of_a_page_to_itself<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    let pa = world.put(FIRST, page(0), Perm::URW);
    let what = "sys_page_map of a page to its own address, without W";
    world.must(PAGE_MAP, &[0, page(0), 0, page(0), UR], 0);
    let found = world.must_map(FIRST, page(0), Perm::UR, what);
    assert!(found == pa, "{what} must leave it the frame at {pa}, but it has that at {found}");
    world.must_count(pa, 1, what);
}

fn e14_sys_page_map_refuses_w_on_a_page_that_may_not_be_written<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    world.put(FIRST, page(0), Perm::UR);
    world.put(FIRST, page(1), Perm::UR | Perm::X);
    let before = world.state();
    for (env, va) in [(0, page(0)), (0x1001, page(0)), (0x1001, page(1))] {
        let arguments = [0, va, env, page(8), URW];
        let why = "the page may not be written, so W must be refused";
        world.must_since(PAGE_MAP, &arguments, -3, why);
        let what = format!("{} of a page that may not be written", PAGE_MAP.with(&arguments));
        world.assert_unchanged(&before, &what);
    }
}

fn e14_sys_page_map_refuses_wrong_arguments<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::strangers();
    world.put(FIRST, page(0), Perm::URW);
    world.put(FIRST, page(6), Perm::KRW);
    let before = world.state();
    let mut refused = |arguments: &[u64], wanted| {
        world.must(PAGE_MAP, arguments, wanted);
        world.assert_unchanged(&before, &PAGE_MAP.with(arguments));
    };
    for env in NO_ENV {
        refused(&[env, page(0), 0, page(1), UR], -2);
        refused(&[0, page(0), env, page(1), UR], -2);
    }
    for va in no_page::<L>() {
        refused(&[0, va, 0, page(1), UR], -3);
        refused(&[0, page(0), 0, va, UR], -3);
    }
    for perm in NO_PERM {
        refused(&[0, page(0), 0, page(1), perm], -3);
    }
    // Where no page of the program's is.
    for va in [page(6), page(7), 0, L::UTOP - PGSIZE] {
        refused(&[0, va, 0x1001, page(1), UR], -3);
    }
}

fn e14_sys_page_map_without_memory_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let tables = F::LEVELS as usize - 1;
    for (env, takes) in [(0, 0), (0x1001, tables)] {
        let mut world = World::<L, F>::family(1);
        world.put(FIRST, page(0), Perm::URW);
        let arguments = [0, page(0), env, page(1), URW];
        let took = world.with_little_memory(&PAGE_MAP.with(&arguments), |world| {
            let found = world.result_of(PAGE_MAP, &arguments);
            assert!(
                found == 0 || found == -4,
                "sys_page_map without memory must return -4 (-E_NO_MEM), but returns {}",
                result(found)
            );
            found == 0
        });
        assert!(
            took == takes,
            "{} takes {took} frames, but needs {takes}",
            PAGE_MAP.with(&arguments)
        );
    }
}
