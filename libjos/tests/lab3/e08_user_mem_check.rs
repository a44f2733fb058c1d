//! Exercise 8: `user_mem_check`.

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::{Format, Perm};
use libjos::sim::mmu::Mmu;

use crate::by_hand::FIRST;
use crate::complaints::called;
use crate::rig::{World, page};

lab_tests! {
    e08_user_mem_check_looks_at_every_page
    e08_user_mem_check_names_the_first_address_that_fails
    e08_user_mem_check_asks_for_w
    e08_user_mem_check_of_no_bytes
    e08_user_mem_check_at_the_edges
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    pub(crate) fn check_must(&self, va: u64, len: u64, perm: Perm, wanted: Result<(), u64>) {
        let name = format!("user_mem_check({va:#x}, {len:#x}, {perm})");
        let found = called(&name, || {
            self.envs.user_mem_check(&self.pmap, FIRST, VirtAddr::new(va), len, perm)
        });
        let found = found.map_err(VirtAddr::as_u64);
        let show = |result: Result<(), u64>| match result {
            Ok(()) => "Ok".into(),
            Err(va) => format!("Err({va:#x})"),
        };
        assert!(
            found == wanted,
            "{name} must give {}, but gives {}: the first address that the program may not access so, not below the one asked for",
            show(wanted),
            show(found)
        );
    }
}

/// An environment with three pages in a row, and one that it may only read.
fn with_pages<L: MemLayout, F: Format + Mmu>() -> World<L, F> {
    let mut world = World::made();
    world.alloc(0);
    (0..3).for_each(|n| {
        world.put(FIRST, page(n), Perm::URW);
    });
    world.put(FIRST, page(3), Perm::UR);
    world
}

fn e08_user_mem_check_looks_at_every_page<L: MemLayout, F: Format + Mmu>() {
    let world = with_pages::<L, F>();
    let cases = [
        (page(0), 1),
        (page(0), PGSIZE),
        (page(0), PGSIZE + 1),
        (page(0) + 5, 3 * PGSIZE - 5),
        (page(1) - 1, 2),
        (page(0), 4 * PGSIZE),
        (page(4) - 1, 1),
    ];
    for (va, len) in cases {
        world.check_must(va, len, Perm::UR, Ok(()));
    }
    for (va, len) in
        [(page(0), 4 * PGSIZE + 1), (page(4) - 1, 2), (page(2) + 7, 2 * PGSIZE), (page(0), L::ULIM)]
    {
        world.check_must(va, len, Perm::UR, Err(page(4)));
    }
}

fn e08_user_mem_check_names_the_first_address_that_fails<L: MemLayout, F: Format + Mmu>() {
    let world = with_pages::<L, F>();
    // In the first page, the address asked for, not the page's start.
    for (va, len) in
        [(1, 1), (0xFFF, 2), (page(4) + 0x123, 5), (page(0) - 1, 2), (page(0) - 8, 3 * PGSIZE)]
    {
        world.check_must(va, len, Perm::UR, Err(va));
    }
    // In a later one, its first byte.
    world.check_must(page(3) + 0xFF0, 0x1000, Perm::UR, Err(page(4)));
}

fn e08_user_mem_check_asks_for_w<L: MemLayout, F: Format + Mmu>() {
    let world = with_pages::<L, F>();
    world.check_must(page(0), 3 * PGSIZE, Perm::URW, Ok(()));
    world.check_must(page(0), 3 * PGSIZE + 1, Perm::URW, Err(page(3)));
    world.check_must(page(3) + 9, 1, Perm::URW, Err(page(3) + 9));
    world.check_must(page(3) + 9, 1, Perm::UR, Ok(()));
    for va in [L::UTOP, L::UENVS + 4, L::UPAGES] {
        world.check_must(va, 1, Perm::URW, Err(va));
    }
}

fn e08_user_mem_check_of_no_bytes<L: MemLayout, F: Format + Mmu>() {
    let world = with_pages::<L, F>();
    for va in [0, page(0), page(9) + 1, L::UTOP, L::KERNBASE, L::VA_LAST] {
        world.check_must(va, 0, Perm::UR, Ok(()));
    }
}

fn e08_user_mem_check_at_the_edges<L: MemLayout, F: Format + Mmu>() {
    let mut world = with_pages::<L, F>();
    world.put(FIRST, L::UTOP - PGSIZE, Perm::URW);
    world.check_must(L::UTOP - PGSIZE, PGSIZE, Perm::URW, Ok(()));
    world.check_must(L::UTOP - 8, 9, Perm::URW, Err(L::UTOP));
    for va in [L::UENVS, L::UPAGES] {
        world.check_must(va, 8, Perm::UR, Ok(()));
    }
    for va in [L::ULIM - 1, L::ULIM, L::KERNBASE, L::KERNBASE + 5, L::KSTACKTOP - 8, L::VA_LAST] {
        world.check_must(va, 1, Perm::UR, Err(va));
    }
    // A length that goes beyond the end of the address space.
    let most = L::VA_LAST;
    for (va, len, fails) in
        [(page(0), most, page(4)), (1, most, 1), (most, 2, most), (most, most, most)]
    {
        world.check_must(va, len, Perm::UR, Err(fails));
    }
}
