//! Exercise 13: `sys_page_alloc`.

use layout::{MemLayout, PGSIZE};
use libjos::env::EnvIndex;
use libjos::machine::PhysMem;
use libjos::mem::addr::PhysAddr;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::sim::mmu::Mmu;

use crate::by_hand::{FIRST, SECOND, soil};
use crate::calls::PAGE_ALLOC;
use crate::complaints::{leads, result};
use crate::rig::{UR, URW, World, page};

lab_tests! {
    e13_sys_page_alloc_maps_a_page_of_zeros
    e13_sys_page_alloc_maps_in_a_child
    e13_sys_page_alloc_gives_the_permissions
    e13_sys_page_alloc_replaces_what_was_there
    e13_sys_page_alloc_refuses_wrong_arguments
    e13_sys_page_alloc_without_memory_changes_nothing
}

/// Addresses that no call takes.
pub(crate) fn no_page<L: MemLayout>() -> [u64; 9] {
    let (a, b) = (page(1) + 1, page(1) + 0x800);
    [1, a, b, L::UTOP, L::UTOP + PGSIZE, L::UENVS, L::ULIM, L::KERNBASE, L::VA_LAST & !(PGSIZE - 1)]
}

/// Permissions that no call takes: without P or U, or with bits that are the kernel's.
pub(crate) const NO_PERM: [u64; 9] = [0, 1, 2, 4, 6, 3, UR | 8, UR | 0x100, UR | 0x1000];

/// Ids of none that the caller, 0x1000, may change: its neighbour, and such as there are not.
pub(crate) const NO_ENV: [u64; 5] = [0x1002, 0x1003, 0x2000, 0x1800, 0xFFFF_FFFF];

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    /// The first environment, a child of it, and an environment that is none.
    pub(crate) fn strangers() -> Self {
        let mut world = Self::family(1);
        world.alloc(0);
        world.said();
        world
    }

    /// The page at `va` after `what` must be mapped with these permissions. Returns its frame.
    pub(crate) fn must_map(&self, index: EnvIndex, va: u64, perm: Perm, what: &str) -> PhysAddr {
        let found = self.mapped(index, va);
        assert!(
            found.is_some_and(|(_, has)| has == F::effective(perm)),
            "after {what} the page at {va:#x} of envs[{}] must be mapped with {}, but leads {}",
            index.number(),
            F::effective(perm),
            leads(found)
        );
        found.map(|(pa, _)| pa).unwrap()
    }

    /// The frame at `pa` must be used so often.
    pub(crate) fn must_count(&self, pa: PhysAddr, wanted: u32, what: &str) {
        let found = self.pp_ref(pa);
        assert!(
            found == wanted,
            "after {what} pp_ref of the frame at {pa} must be {wanted}, but is {found}"
        );
    }
}

fn e13_sys_page_alloc_maps_a_page_of_zeros<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    soil(&world.pmap);
    for va in [page(0), page(1), 0, L::UTOP - PGSIZE, L::UXSTACKTOP - 3 * PGSIZE] {
        let what = PAGE_ALLOC.with(&[0, va, URW]);
        world.must(PAGE_ALLOC, &[0, va, URW], 0);
        let pa = world.must_map(FIRST, va, Perm::URW, &what);
        world.must_count(pa, 1, &what);
        for offset in (0..PGSIZE).step_by(4) {
            let word: u32 = world.pmap.machine().load(pa + offset);
            assert!(
                word == 0,
                "after {what} the page must be of zeros, but at offset {offset:#x} is {word:#x}"
            );
        }
    }
    // As the processor sees it.
    world.store(page(0) + 8, 77).expect("a page that can be written");
    assert!(
        world.load(page(0) + 8) == Ok(77),
        "after sys_page_alloc the program reads another value than it wrote"
    );
}

fn e13_sys_page_alloc_maps_in_a_child<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::strangers();
    let what = PAGE_ALLOC.with(&[0x1001, page(0), URW]);
    world.must(PAGE_ALLOC, &[0x1001, page(0), URW], 0);
    world.must_map(SECOND, page(0), Perm::URW, &what);
    let own = world.pages(FIRST);
    assert!(own.is_empty(), "{what} is for envs[1], but maps {own:x?} in the caller, envs[0]");
    world.must(PAGE_ALLOC, &[0x1000, page(1), UR], 0);
    world.must_map(FIRST, page(1), Perm::UR, "sys_page_alloc for the caller's own id");
}

fn e13_sys_page_alloc_gives_the_permissions<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    for (n, (asked, perm)) in (0..).zip([(UR, Perm::UR), (URW, Perm::URW)]) {
        world.must(PAGE_ALLOC, &[0, page(n), asked], 0);
        world.must_map(FIRST, page(n), perm, &PAGE_ALLOC.with(&[0, page(n), asked]));
    }
    let stored = world.pmap.machine_mut().user_store(libjos::mem::addr::VirtAddr::new(page(0)), 1);
    assert!(stored.is_err(), "after sys_page_alloc without W the program can write to the page");
    // The bits that are a program's own.
    for own in [0x400, 0x800] {
        let wanted = if F::AVAIL.is_empty() { -3 } else { 0 };
        world.must(PAGE_ALLOC, &[0, page(5), UR | own], wanted);
        if wanted == 0 {
            let perm = Perm::UR | Perm::from_bits_truncate(own as u16);
            world.must_map(FIRST, page(5), perm, &PAGE_ALLOC.with(&[0, page(5), UR | own]));
        }
    }
}

fn e13_sys_page_alloc_replaces_what_was_there<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::family(0);
    let old = world.put(FIRST, page(0), Perm::URW);
    world.pmap.machine().store(old, 77_u64);
    assert!(world.load(page(0)) == Ok(77));
    world.must(PAGE_ALLOC, &[0, page(0), UR], 0);
    let what = "sys_page_alloc where a page was";
    let new = world.must_map(FIRST, page(0), Perm::UR, what);
    assert!(new != old, "{what} must map a new frame, but maps the old one, at {old}");
    world.must_count(new, 1, what);
    world.must_count(old, 0, what);
    let seen = world.load(page(0));
    assert!(
        seen == Ok(0),
        "{what}: the program must see zeros, but sees {seen:x?}: the old page, by a stale translation?"
    );
}

fn e13_sys_page_alloc_refuses_wrong_arguments<L: MemLayout, F: Format + Mmu>() {
    let mut world = World::<L, F>::strangers();
    world.put(FIRST, page(0), Perm::UR);
    let before = world.state();
    let mut refused = |arguments: &[u64], wanted| {
        world.must(PAGE_ALLOC, arguments, wanted);
        world.assert_unchanged(&before, &PAGE_ALLOC.with(arguments));
    };
    NO_ENV.iter().for_each(|env| refused(&[*env, page(1), URW], -2));
    no_page::<L>().iter().for_each(|va| refused(&[0, *va, URW], -3));
    NO_PERM.iter().for_each(|perm| refused(&[0, page(1), *perm], -3));
}

fn e13_sys_page_alloc_without_memory_changes_nothing<L: MemLayout, F: Format + Mmu>() {
    let tables = F::LEVELS as usize - 1;
    // Where all tables are missing, where none is, and where a page is replaced.
    for (va, takes) in [(page(0), 1 + tables), (page(1), 1), (page(1), 1)] {
        let mut world = World::<L, F>::family(0);
        if takes == 1 {
            world.put(FIRST, page(0), Perm::UR);
            world.put(FIRST, page(1), Perm::URW);
        }
        let arguments = [0, va, URW];
        let took = world.with_little_memory(&PAGE_ALLOC.with(&arguments), |world| {
            let found = world.result_of(PAGE_ALLOC, &arguments);
            assert!(
                found == 0 || found == -4,
                "sys_page_alloc without memory must return -4 (-E_NO_MEM), but returns {}",
                result(found)
            );
            found == 0
        });
        assert!(
            took == takes,
            "{} takes {took} frames, but needs {takes}",
            PAGE_ALLOC.with(&arguments)
        );
    }
}
