//! Exercise 7: `user_access`.

use layout::{MemLayout, PGSIZE};
use libjos::env::memory::user_access;
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::mappings::steps;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;

use crate::complaints::called;
use crate::rig::page;
use crate::space::Space;

lab_tests! {
    e07_user_access_finds_the_byte
    e07_user_access_asks_for_the_permission
    e07_user_access_refuses_what_is_not_mapped
    e07_user_access_ends_at_utop_and_at_ulim
    e07_user_access_reads_what_the_kernel_shows
    e07_user_access_in_a_large_page
}

impl<L: MemLayout, F: Format + Mmu> Space<L, F> {
    /// Maps the page at `va` to a new frame, by `page_insert`.
    fn put(&mut self, va: u64, perm: Perm) -> PhysAddr {
        let frame = self.pmap.page_alloc(ALLOC_ZERO).unwrap();
        self.pmap.page_insert(self.space.pgdir_mut(), frame, VirtAddr::new(va), perm).unwrap();
        self.pmap.pages().page2pa(frame)
    }

    /// Asks for the byte at `va`.
    fn must(&self, va: u64, perm: Perm, wanted: Option<PhysAddr>, why: &str) {
        let name = format!("user_access({va:#x}, {perm})");
        let found = called(&name, || user_access(&self.pmap, &self.space, VirtAddr::new(va), perm));
        let [wanted_is, found_is] =
            [wanted, found].map(|pa| pa.map_or("None".into(), |pa| format!("{pa}")));
        assert!(found == wanted, "{name} must give {wanted_is}, but gives {found_is}: {why}");
    }
}

fn e07_user_access_finds_the_byte<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Space::<L, F>::new();
    for va in [page(0), page(1), 0, L::UTOP - PGSIZE] {
        let pa = rig.put(va, Perm::URW);
        for offset in [0, 1, 0xABC, PGSIZE - 1] {
            for perm in [Perm::UR, Perm::URW] {
                rig.must(
                    va + offset,
                    perm,
                    Some(pa + offset),
                    "the program has the page, and may write it",
                );
            }
        }
    }
    rig.end();
}

fn e07_user_access_asks_for_the_permission<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Space::<L, F>::new();
    let (code, constant) = (rig.put(page(0), Perm::UR | Perm::X), rig.put(page(1), Perm::UR));
    for (va, pa) in [(page(0), code), (page(1), constant)] {
        rig.must(va + 5, Perm::UR, Some(pa + 5), "the program may read it");
        rig.must(va + 5, Perm::URW, None, "the program may not write it");
        rig.must(va + 5, Perm::W, None, "the program may not write it");
    }
    rig.put(page(2), Perm::KRW);
    for perm in [Perm::UR, Perm::URW, Perm::empty()] {
        rig.must(page(2), perm, None, "the page is the kernel's alone");
    }
    rig.end();
}

fn e07_user_access_refuses_what_is_not_mapped<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Space::<L, F>::new();
    rig.put(page(1), Perm::URW);
    // In a table that there is, and in none.
    for va in [page(0) + 7, page(2), page(2) + PGSIZE - 1, 0, 1, 0x6000_0000, L::UTOP - 1] {
        rig.must(va, Perm::UR, None, "nothing is mapped there");
    }
    if L::HALVES {
        let mirrored = page(1) | L::LOWER_END << 1;
        rig.must(
            mirrored,
            Perm::UR,
            None,
            "the address is not canonical: no processor translates it",
        );
    }
    rig.end();
}

fn e07_user_access_ends_at_utop_and_at_ulim<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Space::<L, F>::new();
    let last = rig.put(L::UTOP - PGSIZE, Perm::URW) + (PGSIZE - 1);
    rig.must(L::UTOP - 1, Perm::URW, Some(last), "it is the last byte below UTOP");
    for va in [L::UTOP, L::UENVS, L::UPAGES] {
        rig.must(va, Perm::URW, None, "no program writes at UTOP and above");
    }
    for va in
        [L::ULIM - 1, L::ULIM, L::KERNBASE, L::KERNBASE + (2 << 20), L::KSTACKTOP - 1, L::VA_LAST]
    {
        rig.must(va, Perm::UR, None, "the memory is the kernel's");
    }
    rig.end();
}

fn e07_user_access_reads_what_the_kernel_shows<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Space::<L, F>::new();
    // `pages` may be shown by large pages.
    for va in [L::UPAGES, L::UPAGES + 5, L::UPAGES + PGSIZE + 0x123] {
        let shown = rig.pmap.va2pa(rig.pmap.kern_pgdir(), VirtAddr::new(va));
        rig.must(va, Perm::UR, shown, "programs read pages at UPAGES");
    }
    if L::SELF_MAP {
        rig.put(page(0), Perm::URW);
        let entry_of = |va: u64| L::UVPT + va % (1 << L::VA_BITS) / PGSIZE * F::Word::BYTES;
        let at = rig.pmap.va2pa(rig.space.pgdir(), VirtAddr::new(entry_of(page(0)))).expect("UVPT");
        assert!(rig.pmap.machine().load::<F::Word>(at) != F::Word::ZERO);
        rig.must(entry_of(page(0)), Perm::UR, Some(at), "programs read their page tables at UVPT");
        rig.must(
            entry_of(page(0)),
            Perm::URW,
            None,
            "no program writes at UTOP and above (an entry that the walk finds at UVPT is that of a table, which lets its pages be \
             written)",
        );
    }
    rig.end();
}

/// Such as the kernel shows `pages` with where there is much of it. Here it is made by hand, below UTOP.
fn e07_user_access_in_a_large_page<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Space::<L, F>::new();
    let (va, large) = (F::page_size(1), PhysAddr::new(L::PHYS_BASE));
    rig.put(va, Perm::UR);
    let steps = steps::<F, _>(rig.pmap.machine(), rig.space.pgdir().address(), VirtAddr::new(va));
    let at = steps.filter(|step| step.level == 1).map(|step| step.at).next().expect("a table");
    rig.pmap.machine().store(at, F::leaf(1, large, Perm::UR));
    for offset in [5, PGSIZE, 7 * PGSIZE + 0x123, F::page_size(1) - 1] {
        let why = "the address lies in a large page, and its offset there is that in a page of the level at which the walk ended";
        rig.must(va + offset, Perm::UR, Some(large + offset), why);
        rig.must(va + offset, Perm::URW, None, "the program may not write it");
    }
}
