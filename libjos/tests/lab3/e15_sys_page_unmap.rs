//! Exercise 15: `sys_page_unmap`.

use layout::{MemLayout, PGSIZE};
use libjos::paging::format::{Format, Perm};
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, SECOND};
use crate::calls::PAGE_UNMAP;
use crate::e13_sys_page_alloc::{NO_ENV, no_page};
use crate::rig::{World, page};
use crate::state::take;

lab_tests! {
    e15_sys_page_unmap_takes_a_page_away
    e15_sys_page_unmap_where_nothing_is_mapped
    e15_sys_page_unmap_refuses_wrong_arguments
}

fn e15_sys_page_unmap_takes_a_page_away<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::strangers();
    for (env, index, va) in [
        (0, FIRST, page(0)),
        (0x1001, SECOND, page(0)),
        (0, FIRST, L::UTOP - PGSIZE),
        (0x1000, FIRST, 0),
    ] {
        let pa = world.put(index, va, Perm::URW);
        let kept = world.put(index, page(1), Perm::URW);
        if index == FIRST {
            assert!(world.load(va) == Ok(0));
        }
        let (nfree, what) = (world.nfree(), PAGE_UNMAP.with(&[env, va]));
        world.must(PAGE_UNMAP, &[env, va], 0);
        let pages: Vec<_> = world.pages(index).iter().map(|leaf| leaf.va.as_u64()).collect();
        assert!(
            pages == [page(1)],
            "after {what} envs[{}] must map {:#x} alone, but maps {pages:x?}",
            index.number(),
            page(1)
        );
        world.must_count(pa, 0, &what);
        world.must_count(kept, 1, &what);
        assert!(world.nfree() == nfree + 1, "after {what} the page's frame must be free");
        if index == FIRST {
            let seen = world.pmap.machine_mut().user_load(libjos::mem::addr::VirtAddr::new(va));
            assert!(
                seen.is_err(),
                "after {what} the program can still read there: a stale translation?"
            );
        }
        world.must(PAGE_UNMAP, &[env, page(1)], 0);
    }
}

/// It is no error, and takes no memory.
fn e15_sys_page_unmap_where_nothing_is_mapped<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(1);
    world.put(FIRST, page(0), Perm::UR);
    take(&mut world.pmap, 0);
    let before = world.state();
    for (env, va) in
        [(0, page(1)), (0, page(500)), (0, 0), (0, L::UTOP - PGSIZE), (0x1001, page(0))]
    {
        world.must(PAGE_UNMAP, &[env, va], 0);
        world.assert_unchanged(
            &before,
            &format!("{}, where nothing is mapped,", PAGE_UNMAP.with(&[env, va])),
        );
    }
}

fn e15_sys_page_unmap_refuses_wrong_arguments<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::strangers();
    world.put(FIRST, page(1), Perm::UR);
    let before = world.state();
    let mut refused = |arguments: &[u64], wanted| {
        world.must(PAGE_UNMAP, arguments, wanted);
        world.assert_unchanged(&before, &PAGE_UNMAP.with(arguments));
    };
    NO_ENV.iter().for_each(|env| refused(&[*env, page(1)], -2));
    no_page::<L>().iter().for_each(|va| refused(&[0, *va], -3));
}
