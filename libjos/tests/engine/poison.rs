//! Watched pages: a write to a page that is free is named when the page is next given out, whichever
//! way it became free and whichever way it goes; and nothing else is found fault with.

use std::mem::{ManuallyDrop, forget};
use std::panic::{AssertUnwindSafe, catch_unwind};

use layout::{MB, MemLayout, PGSIZE};
use libjos::app::area::Access;
use libjos::app::backing::Backing;
use libjos::app::memory::{Memory, map_pages};
use libjos::machine::{Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{ALLOC_ZERO, AllocFlags, POISON, PageAllocator};
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::paging::vm::Vm;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

type Sim<L, F> = Pmap<SimMachine<L, F>>;

on_every_format! {
    every_way_out_is_watched
    every_way_in_is_watched
    all_else_goes_on
    a_debugger_finds_the_list
}

/// A machine with `ram` bytes whose free pages are watched.
#[expect(unsafe_code)]
fn watched<L: MemLayout, F: Format + Mmu>(ram: u64) -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(ram);
    let mut pmap = mem_init(machine, boot);
    pmap.machine_mut().move_to_kernel_stack();
    let fill = pmap.machine().memory().filler();
    // SAFETY: it fills frames of this machine.
    unsafe { pmap.poison_pages(fill) };
    pmap
}

/// The message with which `work` panics.
fn panic_of(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("nobody noticed");
    panic.downcast_ref::<String>().expect("it has values in it").clone()
}

/// Writes to the page at `pa`, which is free, and expects `take` to name it.
fn found<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    what: &str,
    pa: PhysAddr,
    take: impl FnOnce(&mut Sim<L, F>),
) {
    let offset = PGSIZE - 8;
    let old: u64 = pmap.machine().load(pa + offset);
    assert_eq!(old, POISON, "{}: {what}: {pa} was not filled", F::NAME);
    pmap.machine().store(pa + offset, 0x1234_u64);
    let expected =
        format!("page {pa} was used after it was freed: 0x1234 was written at offset {offset:#x}");
    assert_eq!(panic_of(|| take(pmap)), expected, "{}: {what}", F::NAME);
}

const ZERO: VirtAddr = VirtAddr::new(0);

/// How pages are taken; whether there were any.
type Take<L, F> = fn(&mut Sim<L, F>, &mut AddressSpace) -> bool;

/// Page by page and by runs, zeroed or not, for tables, user memory, copies, areas and heaps.
fn every_way_out_is_watched<L: MemLayout, F: Format + Mmu>() {
    const FAR: VirtAddr = VirtAddr::new(64 * MB);
    let ways: [(&str, Take<L, F>); 9] = [
        ("page_alloc", |pmap, _| pmap.page_alloc(AllocFlags::empty()).is_some()),
        ("page_alloc of zeros", |pmap, _| pmap.page_alloc(ALLOC_ZERO).is_some()),
        ("page_alloc_run", |pmap, _| {
            let runs = std::iter::from_fn(|| pmap.page_alloc_run(ALLOC_ZERO, 3));
            runs.count() > 0
        }),
        ("pgdir_walk", |pmap, _| {
            let (vm, pgdir) = pmap.split();
            vm.pgdir_walk(pgdir, FAR, true).is_ok()
        }),
        ("uvmcreate", |pmap, _| AddressSpace::uvmcreate(pmap).map(forget).is_ok()),
        ("uvmalloc", |pmap, space| space.uvmalloc(pmap, 0, PGSIZE, Perm::W).is_ok()),
        ("map_pages", |pmap, _| map_pages(pmap, FAR, 1, Perm::KRW, ALLOC_ZERO).is_ok()),
        ("an area", |pmap, _| Memory::map(pmap, FAR, 1, Access::Read).is_ok()),
        ("a heap", |pmap, _| Backing::new().map(pmap, FAR, F::page_size(1)).is_ok()),
    ];
    for (what, take) in ways {
        let mut pmap = watched::<L, F>(8 * MB + 4 * F::page_size(1));
        let mut space = ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
        // A run takes what lies together, all others the first page.
        let first = pmap.pages().page_free_list().next().unwrap();
        let pa = match what {
            "page_alloc_run" => {
                let run = pmap.page_alloc_run(AllocFlags::empty(), 3).unwrap();
                let pa = pmap.pages().page2pa(run) + 5 * PGSIZE;
                pmap.pages_mut().page_free_run(run, 3);
                pa
            }
            _ => pmap.pages().page2pa(first),
        };
        found(&mut pmap, what, pa, |pmap| assert!(take(pmap, &mut space), "{what}"));
    }
}

/// An address space with eight pages, and where the first one lies.
fn eight_pages<M: Machine>(vm: &mut Vm<M>) -> (AddressSpace, PhysAddr) {
    let mut space = AddressSpace::uvmcreate(vm).unwrap();
    space.uvmalloc(vm, 0, 8 * PGSIZE, Perm::W).unwrap();
    let pa = vm.va2pa(space.pgdir(), ZERO).unwrap();
    (space, pa)
}

/// How a page that is mapped at address 0 becomes free; the ones behind it perhaps, too.
type Give<L, F> = fn(&mut Sim<L, F>, &mut AddressSpace);

fn every_way_in_is_watched<L: MemLayout, F: Format + Mmu>() {
    let ways: [(&str, Give<L, F>); 4] = [
        ("page_remove", |pmap, space| pmap.page_remove(space.pgdir_mut(), ZERO).unwrap()),
        ("a single page of a removal", |pmap, space| {
            assert_eq!(pmap.unmap_range(space.pgdir_mut(), ZERO, PGSIZE).unwrap().finish(), 1);
        }),
        ("a run of a removal", |pmap, space| {
            assert_eq!(pmap.unmap_range(space.pgdir_mut(), ZERO, 8 * PGSIZE).unwrap().finish(), 8);
        }),
        ("page_insert of another", |pmap, space| {
            let other = pmap.page_alloc(ALLOC_ZERO).unwrap();
            pmap.page_insert(space.pgdir_mut(), other, ZERO, Perm::URW).unwrap();
        }),
    ];
    let all = |pmap: &mut Sim<L, F>| while pmap.page_alloc(ALLOC_ZERO).is_some() {};
    for (what, give) in ways {
        let mut pmap = watched::<L, F>(8 * MB);
        let (mut space, pa) = eight_pages(&mut pmap);
        give(&mut pmap, &mut space);
        forget(space);
        found(&mut pmap, what, pa, all);
    }
    let mut pmap = watched::<L, F>(8 * MB);
    let (space, pa) = eight_pages(&mut pmap);
    space.uvmfree(&mut pmap);
    found(&mut pmap, "uvmfree", pa, all);
    // Whole and in its middle, and a table.
    let mut pmap = watched::<L, F>(8 * MB);
    let run = pmap.page_alloc_run(AllocFlags::empty(), 4).unwrap();
    let pa = pmap.pages().page2pa(run) + 7 * PGSIZE;
    pmap.pages_mut().page_free_run(run, 4);
    found(&mut pmap, "page_free_run", pa, all);
    let mut pmap = watched::<L, F>(8 * MB);
    let (vm, kern_pgdir) = pmap.split();
    let pte = vm.pgdir_walk(kern_pgdir, ZERO, true).unwrap().unwrap();
    vm.prune(kern_pgdir, ZERO);
    found(&mut pmap, "prune", pte.pa.page_start(), all);
}

/// The checks hold, also with pages above the window; pages come as they always do, zeroed if asked,
/// and all of them; what a check finds it names.
fn all_else_goes_on<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = watched::<L, F>(8 * MB);
    let nfree = pmap.pages().nfree();
    for _ in 0..2 {
        pmap.checks().check_page_free_list();
        pmap.checks().check_page_alloc();
        pmap.checks().check_page();
        pmap.checks().check_page_installed_pgdir();
        assert_eq!(pmap.pages().nfree(), nfree);
    }
    let set_aside = pmap.pages_mut().set_aside_free_list();
    assert_eq!((pmap.page_alloc(ALLOC_ZERO), pmap.page_alloc_run(ALLOC_ZERO, 1)), (None, None));
    pmap.pages_mut().give_back(set_aside);
    let frames: Vec<_> = std::iter::from_fn(|| pmap.page_alloc(ALLOC_ZERO)).collect();
    assert_eq!((frames.len(), pmap.pages().nfree()), (nfree, 0));
    for frame in &frames {
        let pa = pmap.pages().page2pa(*frame);
        assert_eq!([pa, pa + (PGSIZE - 8)].map(|pa| pmap.machine().load::<u64>(pa)), [0, 0]);
        pmap.machine().store(pa, 1_u64);
    }
    for frame in frames {
        pmap.pages_mut().page_free(frame);
    }
    let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let pa = pmap.pages().page2pa(frame);
    assert_eq!(pmap.machine().load::<u64>(pa), POISON, "without ALLOC_ZERO it is as it was left");
    pmap.pages_mut().page_free(frame);
    pmap.checks().check_page_free_list();
    let last = pmap.pages().page_free_list().last().unwrap();
    let pa = pmap.pages().page2pa(last);
    found(&mut pmap, "check_page_free_list", pa, |pmap| pmap.checks().check_page_free_list());
}

/// Frames that only PHYSMAP shows.
#[test]
fn pages_above_the_window_are_watched() {
    let mut pmap = watched::<layout::Jos64, libjos::paging::format::x86_64::X86_64>(260 * MB);
    let last = pmap.pages().page_free_list().last().unwrap();
    let pa = pmap.pages().page2pa(last);
    assert!(pa.as_u64() > layout::Jos64::WINDOW_SIZE);
    found(&mut pmap, "above the window", pa, |pmap| while pmap.page_alloc(ALLOC_ZERO).is_some() {});
}

/// Whatever was written there instead.
#[test]
fn zeros_are_no_poison() {
    let mut pmap = watched::<layout::Jos64, libjos::paging::format::x86_64::X86_64>(8 * MB);
    let first = pmap.pages().page_free_list().next().unwrap();
    let pa = pmap.pages().page2pa(first);
    pmap.machine().zero_frame(pa);
    let said = panic_of(|| assert!(pmap.page_alloc(ALLOC_ZERO).is_some()));
    let expected = format!("page {pa} was used after it was freed: 0x0 was written at offset 0x0");
    assert_eq!(said, expected);
}

/// It reads where the first free frame's number is kept, watched or not. In print, the number is there too.
fn a_debugger_finds_the_list<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = watched::<L, F>(8 * MB);
    for _ in 0..2 {
        let first = pmap.pages().page_free_list().next().unwrap().index();
        let at = pmap.globals().pages.unwrap().page_free_list;
        #[expect(unsafe_code)]
        // SAFETY: it points into `pmap`, which has not moved since, and nobody writes to it now.
        let head = unsafe { at.read() };
        assert_eq!(head as usize, first, "{}", F::NAME);
        let pages = format!("{:?}", pmap.pages());
        assert!(pages.contains(&format!("Poison {{ head: {first}, stands_in: false")), "{pages}");
        pmap.page_alloc(ALLOC_ZERO).unwrap();
    }
}
