//! Address spaces and user memory on every format: the kernel's half shared, memory grown, shrunk,
//! copied and copied on write, bytes carried over page boundaries; errors that change nothing;
//! nothing lost, and no stale translation.

mod layouts;

use layout::{Jos32, Jos64, JosSv39, MB, MemLayout, PGSIZE};
use libjos::addr::{PhysAddr, VirtAddr};
use libjos::format::{Entry, Format, Geometry, Perm};
use libjos::i386::I386;
use libjos::machine::{Fault, Machine, PhysMem};
use libjos::mappings::{Mapping, leaves, steps};
use libjos::pages::{AllocFlags, Frame, PageAllocator, PageError, PageInfo};
use libjos::pgdir::MapError;
use libjos::pmap::{Pmap, mem_init};
use libjos::range::PageSizes::{Largest, Smallest};
use libjos::riscv::{Sv39, Sv48};
use libjos::sim::{SimMachine, mmu::Mmu};
use libjos::uvm::{AddressSpace, UvmError};
use libjos::vmprint::{vmprint, vmprint_folded};
use libjos::x86_64::{La57, X86_64};

use layouts::{Jos57, JosSv48};

type Sim<L, F> = Pmap<SimMachine<L, F>>;

const ZERO: VirtAddr = VirtAddr::new(0);

fn booted<L: MemLayout, F: Format + Mmu>() -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(if cfg!(miri) { 5 * MB } else { 8 * MB });
    let mut pmap = mem_init(machine, boot);
    pmap.machine.move_to_kernel_stack();
    pmap
}

/// A machine and a new address space in use.
fn with_space<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, PhysAddr) {
    let mut pmap = booted::<L, F>();
    let pgdir = pmap.uvmcreate().unwrap();
    pmap.switchuvm(pgdir);
    (pmap, pgdir)
}

/// All that is mapped below UTOP in `pgdir`.
fn user_leaves<L: MemLayout, F: Format + Mmu>(pmap: &Sim<L, F>, pgdir: PhysAddr) -> Vec<Mapping> {
    leaves::<F, _>(&pmap.machine, pgdir, ZERO, VirtAddr::new(L::UTOP - 1)).collect()
}

/// The pages that are mapped there, with their permissions as the format can keep them.
fn user_pages<L: MemLayout, F: Format + Mmu>(
    pmap: &Sim<L, F>,
    pgdir: PhysAddr,
) -> Vec<(u64, Perm)> {
    let leaves = user_leaves(pmap, pgdir);
    leaves.iter().map(|leaf| (leaf.va.as_u64() / PGSIZE, leaf.perm)).collect()
}

type State = (Vec<Vec<Mapping>>, usize, Vec<u32>);

/// What must not change when an operation fails: what each directory maps, and every frame.
fn state<L: MemLayout, F: Format + Mmu>(pmap: &Sim<L, F>, pgdirs: &[PhysAddr]) -> State {
    let kern_pgdir = [pmap.kern_pgdir()];
    let maps = pgdirs.iter().chain(&kern_pgdir).map(|pgdir| {
        leaves::<F, _>(&pmap.machine, *pgdir, ZERO, VirtAddr::new(u64::MAX)).collect()
    });
    let refs = pmap.pages.infos().iter().map(|info| info.pp_ref()).collect();
    (maps.collect(), pmap.pages.nfree(), refs)
}

/// Takes all free pages.
fn take_all<M: Machine>(pmap: &mut Pmap<M>) -> Vec<Frame> {
    std::iter::from_fn(|| pmap.page_alloc(AllocFlags::empty())).collect()
}

/// Runs `operation` with no free page, then with one, and so on until it succeeds. Each time
/// before it must fail with `error` and change nothing; in the end it must have used all. Returns
/// how many pages it took.
fn with_each_shortage<L: MemLayout, F: Format + Mmu, T, E: PartialEq + std::fmt::Debug>(
    pmap: &mut Sim<L, F>,
    pgdirs: &[PhysAddr],
    error: E,
    mut operation: impl FnMut(&mut Sim<L, F>) -> Result<T, E>,
) -> (T, usize) {
    let mut taken = take_all(pmap);
    let mut given = 0;
    let done = loop {
        let before = state(pmap, pgdirs);
        match operation(pmap) {
            Ok(done) => break done,
            Err(found) => assert_eq!(found, error, "with {given} pages"),
        }
        assert_eq!(state(pmap, pgdirs), before, "with {given} pages");
        pmap.pages.page_free(taken.pop().expect("a page"));
        given += 1;
    };
    assert_eq!(pmap.pages.nfree(), 0, "it took fewer than the {given} pages that it asked for");
    taken.into_iter().for_each(|frame| pmap.pages.page_free(frame));
    (done, given)
}

/// Tears `pgdir` down, flushes and frees, and returns how many frames came back.
fn free_space<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, pgdir: PhysAddr) -> usize {
    pmap.uvmfree(pgdir).flush(&mut pmap.machine).free(&mut pmap.pages)
}

/// The permissions that format `F` keeps of `perm`.
fn kept<F: Format>(perm: Perm) -> Perm {
    F::effective(perm)
}

fn read_only(va: VirtAddr) -> Result<(), Fault> {
    Err(Fault { va, present: true, write: true })
}

/// Runs `$name` for every format. Not under Miri, where each takes a minute and there is no unsafe
/// code to be seen.
macro_rules! on_every_format {
    ($($name:ident)*) => { $(mod $name {
        use super::*;
        #[test]
        #[cfg_attr(miri, ignore)]
        fn jos64() { super::$name::<Jos64, X86_64>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn jos32() { super::$name::<Jos32, I386>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn jossv39() { super::$name::<JosSv39, Sv39>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn five_levels() { super::$name::<Jos57, La57>(); }
        #[test]
        #[cfg_attr(miri, ignore)]
        fn sv48() { super::$name::<JosSv48, Sv48>(); }
    })* };
}

on_every_format! {
    the_kernel_half_is_shared
    the_kernel_half_changes_through_any_directory
    a_changed_root_entry_arrives_with_the_switch
    a_space_is_made_whole_or_not_at_all
    a_space_gives_everything_back
    large_pages_go_with_their_space
    memory_grows_and_shrinks_by_whole_pages
    growth_fails_whole
    sizes_have_limits
    shrunk_memory_waits_for_the_flush
    sbrk_moves_the_end
    a_copy_is_a_copy
    a_copy_fails_whole
    a_write_on_either_side_stays_there
    the_last_user_of_a_page_gets_it_back_without_a_copy
    the_parent_is_stale_until_the_flush
    read_only_pages_are_shared_and_stay_so
    copy_on_write_fails_whole
    a_count_that_would_overflow_is_an_error
    large_pages_are_copied_but_not_on_write
    bytes_cross_page_boundaries
    only_what_the_user_may_do_is_done
    strings_end
    copyout_copies_what_is_shared
    a_guard_page_is_the_kernels
    tables_in_print
}

/// `kern_pgdir` is not in use, but what it maps above UTOP is.
fn the_kernel_half_changes_through_any_directory<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, _) = with_space::<L, F>();
    let (kern_pgdir, va) = (pmap.kern_pgdir(), VirtAddr::new(L::MMIOBASE));
    let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let pa = pmap.pages.page2pa(frame);
    pmap.map_range(kern_pgdir, va, PGSIZE, pa, Perm::KRW, Smallest).unwrap();
    assert!(pmap.machine.probe_load(va).is_ok());
    let removal = pmap.unmap_range(kern_pgdir, va, PGSIZE).unwrap();
    assert_eq!(removal.flush(&mut pmap.machine).free(&mut pmap.pages), 0);
    assert!(pmap.machine.probe_load(va).is_err(), "a stale translation");
}

fn the_kernel_half_is_shared<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let kern_pgdir = pmap.kern_pgdir();
    let (one, two) = (pmap.uvmcreate().unwrap(), pmap.uvmcreate().unwrap());
    // A device, after both were made: it is there in both.
    let (va, pa) = (VirtAddr::new(L::MMIOBASE), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    pmap.boot_map_region(kern_pgdir, va, PGSIZE, pa, Perm::KRW);
    let kernel_half = |pmap: &Sim<L, F>, pgdir| {
        let (first, last) = (VirtAddr::new(L::UENVS), VirtAddr::new(u64::MAX));
        leaves::<F, _>(&pmap.machine, pgdir, first, last).collect::<Vec<_>>()
    };
    for pgdir in [one, two] {
        assert_eq!(kernel_half(&pmap, pgdir), kernel_half(&pmap, kern_pgdir));
        pmap.switchuvm(pgdir);
        assert_eq!(pmap.va2pa(pgdir, va), Some(pa));
        assert!(pmap.machine.probe_load(VirtAddr::new(L::KSTACKTOP - 8)).is_ok());
        assert!(user_leaves(&pmap, pgdir).is_empty());
        // Each shows its own tables at UVPT.
        let uvpt = steps::<F, _>(&pmap.machine, pgdir, VirtAddr::new(L::UVPT)).next().unwrap();
        match uvpt.entry {
            Entry::Table { pa, .. } if L::SELF_MAP => assert_eq!(pa, pgdir),
            entry => assert!(!L::SELF_MAP && entry == Entry::Absent, "{entry:?}"),
        }
    }
    // And it goes from both, with what the processor knew of it.
    pmap.unmap_range(kern_pgdir, va, PGSIZE)
        .unwrap()
        .flush(&mut pmap.machine)
        .free(&mut pmap.pages);
    assert_eq!((pmap.va2pa(one, va), pmap.va2pa(two, va)), (None, None));
    pmap.switchuvm(kern_pgdir);
    pmap.check_kern_pgdir();
    pmap.check_page_free_list();
}

/// One of each kind, for Miri.
#[cfg(miri)]
#[test]
fn one_of_each_kind() {
    a_write_on_either_side_stays_there::<Jos64, X86_64>();
    sbrk_moves_the_end::<Jos64, X86_64>();
}

/// A table further down is used once, however many address spaces there are.
#[test]
#[cfg_attr(miri, ignore)]
#[should_panic(expected = "must be in use, but is")]
fn a_table_below_a_shared_one_is_not_shared() {
    let (mut pmap, pgdir) = with_space::<Jos64, X86_64>();
    pmap.check_page_free_list();
    let stack = VirtAddr::new(Jos64::KSTACK);
    let table = steps::<X86_64, _>(&pmap.machine, pgdir, stack).last().unwrap().table;
    let frame = pmap.pages.pa2page(table).unwrap();
    pmap.pages.page_incref(frame).unwrap();
    pmap.check_page_free_list();
}

fn a_changed_root_entry_arrives_with_the_switch<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let kern_pgdir = pmap.kern_pgdir();
    let va = VirtAddr::new(L::UENVS);
    let nfree = pmap.pages.nfree();
    // The kernel drops its empty table; the address space still has it.
    pmap.prune(kern_pgdir, va);
    assert_eq!(pmap.pages.nfree(), nfree, "the table is in use");
    let pa = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    pmap.map_range(kern_pgdir, va, PGSIZE, pa, Perm::UR, Smallest).unwrap();
    assert_eq!((pmap.va2pa(kern_pgdir, va), pmap.va2pa(pgdir, va)), (Some(pa), None));
    pmap.switchuvm(pgdir);
    assert_eq!(pmap.va2pa(pgdir, va), Some(pa));
    // Its old table is free again. What was taken: the new table and those below it.
    assert_eq!(pmap.pages.nfree() + F::LEVELS as usize - 2, nfree);
    free_space(&mut pmap, pgdir);
    assert_eq!(pmap.va2pa(kern_pgdir, va), Some(pa), "the kernel's tables stay");
    pmap.check_page_free_list();
}

fn a_space_is_made_whole_or_not_at_all<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let error = MapError::NoMemory { va: VirtAddr::new(L::UENVS) };
    let (first, n) = with_each_shortage(&mut pmap, &[], error, |pmap| pmap.uvmcreate());
    // The kernel's tables that were missing: UENVS, and on i386 MMIO's.
    assert_eq!(n, if F::LEVELS == 2 { 3 } else { 2 });
    let (_, n) = with_each_shortage(&mut pmap, &[first], error, |pmap| pmap.uvmcreate());
    assert_eq!(n, 1, "now they are there");
    // Made and taken down again, it leaves no trace: not in the shared tables' counts either.
    let before = state(&pmap, &[first]);
    let pgdir = pmap.uvmcreate().unwrap();
    assert_ne!(state(&pmap, &[first]), before);
    assert_eq!(free_space(&mut pmap, pgdir), 1);
    assert_eq!(state(&pmap, &[first]), before);
}

fn a_space_gives_everything_back<L: MemLayout, F: Format + Mmu>() {
    let mut pmap = booted::<L, F>();
    let stays = pmap.uvmcreate().unwrap();
    let before = state(&pmap, &[stays]);
    let pgdir = pmap.uvmcreate().unwrap();
    pmap.switchuvm(pgdir);
    pmap.uvmalloc(pgdir, 0, 5 * PGSIZE, Perm::W).unwrap();
    // The exception stack, just below UTOP; a page of another's; one that is mapped twice.
    let top = VirtAddr::new(L::UXSTACKTOP - PGSIZE);
    pmap.uvmalloc(stays, 0, PGSIZE, Perm::W).unwrap();
    let (shared, _) = pmap.page_lookup(stays, ZERO).unwrap();
    for va in [top, VirtAddr::new(L::UTEXT), VirtAddr::new(L::UTEXT + PGSIZE)] {
        pmap.page_insert(pgdir, shared, va, Perm::URW).unwrap();
    }
    pmap.machine.user_store(ZERO, 1).unwrap();
    let used = before.1 - pmap.pages.nfree();
    let tables_and_page_that_stay = F::LEVELS as usize;

    let removal = pmap.uvmfree(pgdir);
    assert_eq!(before.1 - pmap.pages.nfree(), used, "not free before the flush");
    assert!(pmap.machine.user_load(ZERO).is_err(), "kern_pgdir is in use instead");
    let freed = removal.flush(&mut pmap.machine).free(&mut pmap.pages);
    assert_eq!(freed, used - tables_and_page_that_stay);
    assert_eq!(pmap.pages.pp_ref(shared), 1);
    assert_eq!(free_space(&mut pmap, stays), tables_and_page_that_stay + 1);

    // And all over again comes to the same.
    let again = pmap.uvmcreate().unwrap();
    assert_eq!(state(&pmap, &[again]).1, before.1);
    pmap.check_page_free_list();
    pmap.check_kern_pgdir();
}

fn large_pages_go_with_their_space<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let nfree = pmap.pages.nfree();
    let (large, pa) = (F::page_size(1), PhysAddr::new(L::PHYS_BASE + 1024 * MB));
    // Up to the end of the lower half, over UTOP where that is not the end itself.
    let va = VirtAddr::new(L::LOWER_END - large);
    pmap.map_range(pgdir, va, large, pa, Perm::URW, Largest).unwrap();
    assert_eq!(user_leaves(&pmap, pgdir).len(), 1);
    take_all(&mut pmap);
    let freed = free_space(&mut pmap, pgdir);
    assert_eq!(freed, F::LEVELS as usize - 1, "no table was needed for a split");
    assert!(nfree > 0);
}

fn memory_grows_and_shrinks_by_whole_pages<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let urw = kept::<F>(Perm::URW);
    let pages = |pmap: &Sim<L, F>| user_pages(pmap, pgdir).len();
    // A page that was dirty comes as zeros.
    for frame in take_all(&mut pmap) {
        let pa = pmap.pages.page2pa(frame);
        pmap.machine.store(pa, u64::MAX);
        pmap.pages.page_free(frame);
    }
    assert_eq!(pmap.uvmalloc(pgdir, 0, 1, Perm::W), Ok(1));
    assert_eq!(user_pages(&pmap, pgdir), [(0, urw)]);
    assert_eq!(pmap.machine.user_load(ZERO), Ok(0));
    // To the end of the page there is nothing to do, nor where the size is not larger.
    let before = state(&pmap, &[pgdir]);
    assert_eq!(pmap.uvmalloc(pgdir, 1, PGSIZE, Perm::W), Ok(PGSIZE));
    assert_eq!(pmap.uvmalloc(pgdir, PGSIZE, 5, Perm::W), Ok(PGSIZE));
    assert_eq!(state(&pmap, &[pgdir]), before);
    assert_eq!(pmap.uvmalloc(pgdir, PGSIZE, PGSIZE + 1, Perm::X), Ok(PGSIZE + 1));
    let urx = kept::<F>(Perm::UR | Perm::X);
    assert_eq!(user_pages(&pmap, pgdir), [(0, urw), (1, urx)]);

    // Down: 2 pages and a byte to a page and a byte, of 3 pages 2 stay.
    pmap.uvmalloc(pgdir, PGSIZE + 1, 2 * PGSIZE + 1, Perm::W).unwrap();
    let mut shrink = |from: u64, to: u64| {
        let (sz, removal) = pmap.uvmdealloc(pgdir, from, to).unwrap();
        (sz, removal.flush(&mut pmap.machine).free(&mut pmap.pages), pages(&pmap))
    };
    assert_eq!(shrink(2 * PGSIZE + 1, PGSIZE + 1), (PGSIZE + 1, 1, 2));
    assert_eq!(shrink(PGSIZE + 1, 2 * PGSIZE), (PGSIZE + 1, 0, 2), "not smaller");
    assert_eq!(shrink(2 * PGSIZE, PGSIZE + 1), (PGSIZE + 1, 0, 2), "the same pages");
    assert_eq!(shrink(PGSIZE + 1, 0), (0, 2, 0));
    assert_eq!(shrink(9 * PGSIZE, 0), (0, 0, 0), "holes are passed over");
}

fn growth_fails_whole<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    // Over the boundary of two tables, with none there yet but one below the root.
    let boundary = F::page_size(1);
    let start = VirtAddr::new(boundary - 2 * PGSIZE);
    let error = UvmError::NoMemory { va: start };
    let (sz, n) = with_each_shortage(&mut pmap, &[pgdir], error, |pmap| {
        pmap.uvmalloc(pgdir, start.as_u64() - 7, boundary + PGSIZE, Perm::W)
    });
    assert_eq!((sz, n), (boundary + PGSIZE, 3 + F::LEVELS as usize));
    // A page in the way, and a large one.
    let large = VirtAddr::new(2 * boundary);
    let pa = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    pmap.map_range(pgdir, large, boundary, pa, Perm::URW, Largest).unwrap();
    let before = state(&pmap, &[pgdir]);
    for (oldsz, error) in [
        (boundary - 4 * PGSIZE, MapError::AlreadyMapped { va: start }),
        (2 * boundary, MapError::LargePage { va: large, size: boundary }),
    ] {
        let grown = pmap.uvmalloc(pgdir, oldsz, oldsz + 4 * PGSIZE, Perm::W);
        assert_eq!(grown, Err(UvmError::Map(error)));
        assert_eq!(state(&pmap, &[pgdir]), before);
    }
}

fn sizes_have_limits<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let before = state(&pmap, &[pgdir]);
    let limit = |va| UvmError::Limit { va: VirtAddr::new(va) };
    for sz in [L::USTACKTOP + 1, L::UTOP, L::KERNBASE, u64::MAX] {
        assert_eq!(pmap.uvmalloc(pgdir, 0, sz, Perm::W), Err(limit(sz)));
        assert_eq!(pmap.uvmalloc(pgdir, sz, sz, Perm::W), Err(limit(sz)), "nothing to do");
    }
    for sz in [L::UTOP + 1, u64::MAX] {
        assert_eq!(pmap.uvmdealloc(pgdir, sz, 0).unwrap_err(), limit(sz));
        assert_eq!(pmap.uvmcopy(pgdir, pgdir, sz), Err(limit(sz)));
        assert_eq!(pmap.uvmcow(pgdir, pgdir, sz).unwrap_err(), limit(sz));
    }
    // All that there is room for is not all that there is memory for: and that is said at once.
    let all = pmap.uvmalloc(pgdir, 0, L::USTACKTOP, Perm::W);
    assert_eq!(all, Err(UvmError::NoMemory { va: ZERO }));
    assert_eq!(state(&pmap, &[pgdir]), before);
    // The last page below the guard page can be had. That it can be read need not be said.
    let sz = pmap.uvmalloc(pgdir, L::USTACKTOP - PGSIZE, L::USTACKTOP, Perm::W | Perm::R);
    assert_eq!(sz, Ok(L::USTACKTOP));
    let last = VirtAddr::new(L::USTACKTOP - PGSIZE);
    assert_eq!(user_leaves(&pmap, pgdir)[0].perm, kept::<F>(Perm::URW));
    assert_eq!(pmap.machine.user_load(last), Ok(0));
}

fn shrunk_memory_waits_for_the_flush<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
    let va = VirtAddr::new(PGSIZE);
    pmap.machine.user_store(va, 7).unwrap();
    let nfree = pmap.pages.nfree();
    let (_, removal) = pmap.uvmdealloc(pgdir, 2 * PGSIZE, PGSIZE).unwrap();
    assert_eq!((pmap.pages.nfree(), pmap.machine.user_load(va)), (nfree, Ok(7)));
    let flushed = removal.flush(&mut pmap.machine);
    assert!(pmap.machine.user_load(va).is_err());
    assert_eq!((flushed.free(&mut pmap.pages), pmap.pages.nfree()), (1, nfree + 1));
}

fn sbrk_moves_the_end<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let mut space = AddressSpace { pgdir, sz: 0 };
    let mut sbrk = |n: i64| {
        let moved = pmap.sbrk(&mut space, n).map(|(end, removal)| {
            (end.as_u64(), removal.flush(&mut pmap.machine).free(&mut pmap.pages))
        });
        (moved, space.sz, user_pages(&pmap, pgdir).len())
    };
    let page = PGSIZE.cast_signed();
    assert_eq!(sbrk(0), (Ok((0, 0)), 0, 0));
    assert_eq!(sbrk(10), (Ok((0, 0)), 10, 1));
    assert_eq!(sbrk(page), (Ok((10, 0)), PGSIZE + 10, 2));
    assert_eq!(sbrk(-11), (Ok((PGSIZE + 10, 1)), PGSIZE - 1, 1));
    let limit = |va| Err(UvmError::Limit { va: VirtAddr::new(va) });
    assert_eq!(sbrk(-page), (limit(PGSIZE - 1), PGSIZE - 1, 1));
    assert_eq!(sbrk(i64::MIN), (limit(PGSIZE - 1), PGSIZE - 1, 1));
    let most = L::USTACKTOP - (PGSIZE - 1);
    assert_eq!(sbrk(most.cast_signed() + 1), (limit(L::USTACKTOP + 1), PGSIZE - 1, 1));
    let short = UvmError::NoMemory { va: VirtAddr::new(PGSIZE) };
    assert_eq!(sbrk(most.cast_signed()), (Err(short), PGSIZE - 1, 1));
    assert_eq!(sbrk(-(page - 1)), (Ok((PGSIZE - 1, 1)), 0, 0));

    // Where the user's stack is in the way, growth stops.
    let frame = pmap.page_alloc(AllocFlags::empty()).unwrap();
    let stack = VirtAddr::new(3 * PGSIZE);
    pmap.page_insert(pgdir, frame, stack, Perm::URW).unwrap();
    let moved = pmap.sbrk(&mut space, 4 * page).unwrap_err();
    assert_eq!(moved, UvmError::Map(MapError::AlreadyMapped { va: stack }));
    assert_eq!(space.sz, 0);
}

/// Three pages: read-write with 1, 2, 3 at their starts, of which the third is read-only; between
/// the second and the third there is a hole.
fn three_pages<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, pgdir: PhysAddr) -> u64 {
    pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
    pmap.uvmalloc(pgdir, 3 * PGSIZE, 4 * PGSIZE, Perm::empty()).unwrap();
    for (va, value) in [(0, 1_u64), (PGSIZE, 2), (3 * PGSIZE, 3)] {
        let pa = pmap.va2pa(pgdir, VirtAddr::new(va)).unwrap();
        pmap.machine.store(pa, value);
    }
    4 * PGSIZE
}

/// The first words of those pages.
fn three_words<L: MemLayout, F: Format + Mmu>(pmap: &Sim<L, F>, pgdir: PhysAddr) -> [u64; 3] {
    [0, PGSIZE, 3 * PGSIZE].map(|va| {
        let mut word = [0; 8];
        pmap.copyin(pgdir, &mut word, VirtAddr::new(va)).unwrap();
        u64::from_ne_bytes(word)
    })
}

fn a_copy_is_a_copy<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, old) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, old);
    // A device is mapped, not copied; a guard page stays one; what lies beyond the size stays.
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let device_va = VirtAddr::new(4 * PGSIZE);
    pmap.map_range(old, device_va, PGSIZE, device, Perm::URW, Smallest).unwrap();
    pmap.uvmalloc(old, 5 * PGSIZE, 7 * PGSIZE, Perm::W).unwrap();
    pmap.clearpteu(old, VirtAddr::new(5 * PGSIZE)).unwrap().flush(&mut pmap.machine);
    let new = pmap.uvmcreate().unwrap();
    assert_eq!(sz, 4 * PGSIZE);
    pmap.uvmcopy(old, new, 5 * PGSIZE + 1).unwrap();
    let mut expected = user_pages(&pmap, old);
    assert_eq!(expected.pop(), Some((6, kept::<F>(Perm::URW))));
    assert_eq!(user_pages(&pmap, new), expected);
    assert_eq!(three_words(&pmap, new), [1, 2, 3]);
    assert_eq!(pmap.va2pa(new, device_va), Some(device));
    for va in [0, PGSIZE, 3 * PGSIZE, 5 * PGSIZE].map(VirtAddr::new) {
        let (a, b) = (pmap.page_lookup(old, va).unwrap().0, pmap.page_lookup(new, va).unwrap().0);
        assert!(a != b && pmap.pages.pp_ref(a) == 1 && pmap.pages.pp_ref(b) == 1);
    }
    pmap.machine.user_store(ZERO, 9).unwrap();
    assert_eq!((three_words(&pmap, old)[0], three_words(&pmap, new)[0]), (9, 1));
    // The whole page was copied.
    let word = |pgdir, offset| {
        let pa = pmap.va2pa(pgdir, VirtAddr::new(PGSIZE + offset)).unwrap();
        pmap.machine.load::<u64>(pa)
    };
    assert!((0..PGSIZE).step_by(8).all(|offset| word(old, offset) == word(new, offset)));
    for pgdir in [new, old] {
        free_space(&mut pmap, pgdir);
    }
    pmap.check_page_free_list();
}

fn a_copy_fails_whole<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, old) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, old);
    // A fourth page under a table of its own.
    let boundary = F::page_size(1);
    pmap.uvmalloc(old, boundary, boundary + 1, Perm::W).unwrap();
    // A device beside it, which takes no page.
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let device_va = VirtAddr::new(boundary + PGSIZE);
    pmap.map_range(old, device_va, PGSIZE, device, Perm::URW, Smallest).unwrap();
    let new = pmap.uvmcreate().unwrap();
    let error = UvmError::NoMemory { va: ZERO };
    let copy = |pmap: &mut Sim<L, F>| pmap.uvmcopy(old, new, boundary + 2 * PGSIZE);
    let ((), n) = with_each_shortage(&mut pmap, &[old, new], error, copy);
    assert_eq!(n, 4 + F::LEVELS as usize);
    // Something in the way.
    let before = state(&pmap, &[old, new]);
    let error = MapError::AlreadyMapped { va: ZERO };
    assert_eq!(pmap.uvmcopy(old, new, sz), Err(UvmError::Map(error)));
    assert_eq!(pmap.uvmcow(old, new, sz).unwrap_err(), UvmError::Map(error));
    assert_eq!(state(&pmap, &[old, new]), before);
}

/// A parent in use and its child, which share three pages copy-on-write.
fn forked<L: MemLayout, F: Format + Mmu>() -> (Sim<L, F>, PhysAddr, PhysAddr) {
    let (mut pmap, parent) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, parent);
    let child = pmap.uvmcreate().unwrap();
    pmap.uvmcow(parent, child, sz).unwrap().flush(&mut pmap.machine);
    let shared = user_pages(&pmap, parent);
    let (cow, ur) = (kept::<F>(Perm::UR | Perm::COW), kept::<F>(Perm::UR));
    assert_eq!(shared, [(0, cow), (1, cow), (3, ur)]);
    assert_eq!(user_leaves(&pmap, parent), user_leaves(&pmap, child));
    assert_eq!(three_words(&pmap, child), [1, 2, 3]);
    (pmap, parent, child)
}

/// A user's write, with the fault handler behind it, and what it took of free pages.
fn write<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    pgdir: PhysAddr,
    va: VirtAddr,
    value: u64,
) -> usize {
    let nfree = pmap.pages.nfree();
    pmap.switchuvm(pgdir);
    assert_eq!(pmap.machine.user_store(va, value), read_only(va));
    pmap.cow_fault(pgdir, va).unwrap();
    assert_eq!(pmap.machine.user_store(va, value), Ok(()));
    nfree - pmap.pages.nfree()
}

fn a_write_on_either_side_stays_there<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    // The child has read the page; the processor must not go on reading the old one.
    pmap.switchuvm(child);
    assert_eq!(pmap.machine.user_load(ZERO), Ok(1));
    assert_eq!(write(&mut pmap, child, ZERO, 10), 1, "a copy");
    assert_eq!(pmap.machine.user_load(ZERO), Ok(10));
    assert_eq!(three_words(&pmap, parent), [1, 2, 3]);
    assert_eq!(three_words(&pmap, child), [10, 2, 3]);
    // A byte in the middle of the second page, by the parent first: the rest comes along.
    let va = VirtAddr::new(PGSIZE + 64);
    assert_eq!(write(&mut pmap, parent, va, 20), 1, "a copy");
    assert_eq!(write(&mut pmap, child, va, 30), 0, "no copy: the parent has its own");
    assert_eq!((three_words(&pmap, parent), three_words(&pmap, child)), ([1, 2, 3], [10, 2, 3]));
    let word = |pgdir| pmap.machine.load::<u64>(pmap.va2pa(pgdir, va).unwrap());
    assert_eq!((word(parent), word(child)), (20, 30));
    // Both have it to themselves.
    let urw = kept::<F>(Perm::URW);
    assert_eq!(user_pages(&pmap, child)[..2], [(0, urw), (1, urw)]);
    for pgdir in [parent, child] {
        free_space(&mut pmap, pgdir);
    }
    pmap.check_page_free_list();
}

fn the_last_user_of_a_page_gets_it_back_without_a_copy<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    let (frame, _) = pmap.page_lookup(parent, ZERO).unwrap();
    // A grandchild: three have it, then two, then one.
    let grandchild = pmap.uvmcreate().unwrap();
    pmap.uvmcow(child, grandchild, 4 * PGSIZE).unwrap().flush(&mut pmap.machine);
    assert_eq!(pmap.pages.pp_ref(frame), 3);
    assert_eq!(write(&mut pmap, grandchild, ZERO, 30), 1);
    assert_eq!(pmap.pages.pp_ref(frame), 2);
    free_space(&mut pmap, child);
    assert_eq!(pmap.pages.pp_ref(frame), 1);
    assert_eq!(write(&mut pmap, parent, ZERO, 10), 0);
    assert_eq!(pmap.page_lookup(parent, ZERO).unwrap().0, frame);
    // A late fault, from a translation that is not up to date, changes nothing but that.
    pmap.protect_range(parent, ZERO, PGSIZE, Perm::UR).unwrap().flush(&mut pmap.machine);
    assert_eq!(pmap.machine.user_load(ZERO), Ok(10));
    let _not_flushed = pmap.protect_range(parent, ZERO, PGSIZE, Perm::URW).unwrap();
    assert_eq!(pmap.machine.user_store(ZERO, 10), read_only(ZERO));
    let before = state(&pmap, &[parent, grandchild]);
    pmap.cow_fault(parent, ZERO).unwrap();
    assert_eq!(pmap.machine.user_store(ZERO, 10), Ok(()));
    assert_eq!(state(&pmap, &[parent, grandchild]), before);
    assert_eq!(three_words(&pmap, grandchild), [30, 2, 3]);
    assert_eq!(three_words(&pmap, parent), [10, 2, 3]);
}

fn the_parent_is_stale_until_the_flush<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent) = with_space::<L, F>();
    // More pages than are flushed one by one, and fewer.
    for npages in [3, 40] {
        let sz = npages * PGSIZE;
        pmap.uvmalloc(parent, 0, sz, Perm::W).unwrap();
        let last = VirtAddr::new(sz - PGSIZE);
        pmap.machine.user_store(last, 1).unwrap();
        let child = pmap.uvmcreate().unwrap();
        let flush = pmap.uvmcow(parent, child, sz).unwrap();
        // This is why: the write shows in the child.
        pmap.machine.user_store(last, 2).unwrap();
        assert_eq!(pmap.machine.load::<u64>(pmap.va2pa(child, last).unwrap()), 2);
        flush.flush(&mut pmap.machine);
        assert_eq!(pmap.machine.user_store(last, 3), read_only(last));
        free_space(&mut pmap, child);
        let (_, removal) = pmap.uvmdealloc(parent, sz, 0).unwrap();
        removal.flush(&mut pmap.machine).free(&mut pmap.pages);
    }
}

fn read_only_pages_are_shared_and_stay_so<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    let va = VirtAddr::new(3 * PGSIZE);
    let (frame, _) = pmap.page_lookup(child, va).unwrap();
    assert_eq!(pmap.pages.pp_ref(frame), 2);
    let refused = Err(UvmError::NoAccess { va: va + 5 });
    for pgdir in [parent, child] {
        let before = state(&pmap, &[parent, child]);
        assert_eq!(pmap.cow_fault(pgdir, va + 5), refused);
        assert_eq!(pmap.copyout(pgdir, va + 5, b"x"), refused);
        assert_eq!(state(&pmap, &[parent, child]), before);
    }
    // Alone with it, the parent still cannot write: it never could.
    free_space(&mut pmap, child);
    assert_eq!(pmap.pages.pp_ref(frame), 1);
    assert_eq!(pmap.cow_fault(parent, va + 5), refused);
    // Nor is there anything to be done where nothing is mapped, or above UTOP.
    for va in [2 * PGSIZE, L::UTOP, L::UPAGES, L::KERNBASE, u64::MAX].map(VirtAddr::new) {
        assert_eq!(pmap.cow_fault(parent, va), Err(UvmError::NoAccess { va }));
    }
}

fn copy_on_write_fails_whole<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent) = with_space::<L, F>();
    three_pages(&mut pmap, parent);
    // A device is not to be copied: both may write to it.
    let device = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
    let device_va = VirtAddr::new(4 * PGSIZE);
    pmap.map_range(parent, device_va, PGSIZE, device, Perm::URW, Smallest).unwrap();
    let sz = 5 * PGSIZE;
    let child = pmap.uvmcreate().unwrap();
    let both = [parent, child];
    let error = UvmError::NoMemory { va: ZERO };
    let (flush, n) =
        with_each_shortage(&mut pmap, &both, error, |pmap| pmap.uvmcow(parent, child, sz));
    flush.flush(&mut pmap.machine);
    assert_eq!(n, F::LEVELS as usize - 1, "tables alone");
    assert_eq!(user_leaves(&pmap, parent), user_leaves(&pmap, child));
    assert_eq!(user_pages(&pmap, child).pop(), Some((4, kept::<F>(Perm::URW))));
    let va = VirtAddr::new(PGSIZE);
    let error = UvmError::NoMemory { va: va + 9 };
    let (_, n) = with_each_shortage(&mut pmap, &both, error, |pmap| pmap.cow_fault(child, va + 9));
    assert_eq!(n, 1);
    let (_, n) = with_each_shortage(&mut pmap, &both, error, |pmap| pmap.cow_fault(parent, va + 9));
    assert_eq!(n, 0);
}

fn a_count_that_would_overflow_is_an_error<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, parent);
    let child = pmap.uvmcreate().unwrap();
    let va = VirtAddr::new(3 * PGSIZE);
    let (frame, _) = pmap.page_lookup(parent, va).unwrap();
    let pa = pmap.pages.page2pa(frame);
    // As if it were mapped all over the place: the array itself, behind the allocator's back.
    let info = pmap.pages_memory().start + (frame.index() * size_of::<PageInfo>()) as u64;
    pmap.machine.store(info + 4, u32::MAX - 2);
    assert_eq!(pmap.pages.pp_ref(frame), u32::MAX - 2);
    let before = state(&pmap, &[parent, child]);
    let error = UvmError::Map(MapError::Page(PageError::Overflow { pa }));
    assert_eq!(pmap.uvmcow(parent, child, sz).unwrap_err(), error);
    assert_eq!(state(&pmap, &[parent, child]), before);
    // With room for all three pages it is none.
    pmap.machine.store(info + 4, u32::MAX - 3);
    pmap.uvmcow(parent, child, sz).unwrap().flush(&mut pmap.machine);
    assert_eq!(pmap.pages.pp_ref(frame), u32::MAX - 2);
}

fn large_pages_are_copied_but_not_on_write<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, old) = with_space::<L, F>();
    let large = F::page_size(1);
    if pmap.pages.npages() as u64 * PGSIZE < 2 * large {
        return; // Too little RAM for one, under Miri.
    }
    // The large page that holds RAM from `large` on; what else is there does not matter.
    let pa = PhysAddr::new(L::PHYS_BASE + large);
    take_all(&mut pmap).into_iter().for_each(|frame| {
        // In use, so that it can be mapped, but free where it serves as memory here.
        if pmap.pages.page2pa(frame) < pa || pmap.pages.page2pa(frame) >= pa + large {
            pmap.pages.page_free(frame);
        }
    });
    let va = VirtAddr::new(large);
    pmap.map_range(old, va, large, pa, Perm::URW, Largest).unwrap();
    let new = pmap.uvmcreate().unwrap();
    let before = state(&pmap, &[old, new]);
    let error = UvmError::Map(MapError::LargePage { va, size: large });
    assert_eq!(pmap.uvmcow(old, new, 2 * large).unwrap_err(), error);
    assert_eq!(state(&pmap, &[old, new]), before);
    // The first pages of it are copied, as small ones.
    pmap.machine.store(pa + PGSIZE, 7_u64);
    pmap.uvmcopy(old, new, large + 3 * PGSIZE).unwrap();
    let copied: Vec<u64> = user_leaves(&pmap, new).iter().map(|leaf| leaf.size).collect();
    assert_eq!(copied, [PGSIZE; 3]);
    let copy = pmap.va2pa(new, va + PGSIZE).unwrap();
    assert_eq!((pmap.machine.load::<u64>(copy), copy == pa + PGSIZE), (7, false));
    // What cannot be written can be shared.
    pmap.protect_range(old, va, large, Perm::UR).unwrap().flush(&mut pmap.machine);
    let sharer = pmap.uvmcreate().unwrap();
    pmap.uvmcow(old, sharer, large + 3 * PGSIZE).unwrap().flush(&mut pmap.machine);
    assert_eq!(pmap.va2pa(sharer, va + PGSIZE), Some(pa + PGSIZE));
    // Copy-on-write pages that someone merged must be split before they can be given back.
    let cow = Perm::UR | Perm::COW;
    pmap.protect_range(old, va, large, cow).unwrap().flush(&mut pmap.machine);
    let before = state(&pmap, &[old]);
    // Shared with another, and not.
    for va in [va, va + 5 * PGSIZE] {
        let error = UvmError::Map(MapError::LargePage { va, size: large });
        assert_eq!(pmap.cow_fault(old, va), Err(error));
        assert_eq!(pmap.copyout(old, va, &[1]), Err(error));
    }
    assert_eq!(state(&pmap, &[old]), before);
}

fn bytes_cross_page_boundaries<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    // Pages that are no neighbours in physical memory: the list gives them downwards or apart.
    pmap.uvmalloc(pgdir, 0, 4 * PGSIZE, Perm::W).unwrap();
    pmap.switchuvm(pmap.kern_pgdir());
    let pattern: Vec<u8> = (0..2 * PGSIZE + 100).map(|i| (i % 251) as u8 + 1).collect();
    let some = |n: u64| &pattern[..n as usize];
    for (start, len) in [
        (0, 1),
        (3, 5),
        (5, 3),
        (1, 22),
        (PGSIZE - 1, 2),
        (PGSIZE - 8, 16),
        (PGSIZE - 3, 2 * PGSIZE + 7),
        (PGSIZE, PGSIZE),
        (4 * PGSIZE - 9, 9),
        (0, 2 * PGSIZE + 100),
    ] {
        for page in 0..4 {
            let pa = pmap.va2pa(pgdir, VirtAddr::new(page * PGSIZE)).unwrap();
            for offset in (0..PGSIZE).step_by(8) {
                pmap.machine.store(pa + offset, u64::MAX);
            }
        }
        pmap.copyout(pgdir, VirtAddr::new(start), some(len)).unwrap();
        let mut all = vec![0; 4 * PGSIZE as usize];
        pmap.copyin(pgdir, &mut all, ZERO).unwrap();
        let (before, rest) = all.split_at(start as usize);
        let (written, after) = rest.split_at(len as usize);
        assert!(written == some(len), "{len} bytes at {start:#x}");
        assert!(before.iter().chain(after).all(|byte| *byte == 0xff), "{len} bytes at {start:#x}");
        let mut back = vec![0; len as usize];
        pmap.copyin(pgdir, &mut back, VirtAddr::new(start)).unwrap();
        assert!(back == some(len), "{len} bytes at {start:#x}");
    }
}

fn only_what_the_user_may_do_is_done<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    let sz = three_pages(&mut pmap, pgdir);
    // The page below UTOP, the user's; and one of the kernel's below UTOP.
    let frame = pmap.page_alloc(AllocFlags::ZERO).unwrap();
    let top = VirtAddr::new(L::UTOP - PGSIZE);
    pmap.page_insert(pgdir, frame, top, Perm::URW).unwrap();
    pmap.page_insert(pgdir, frame, VirtAddr::new(sz), Perm::KRW).unwrap();
    // And one at UTOP, which the user can reach, and the kernel will not.
    pmap.page_insert(pgdir, frame, VirtAddr::new(L::UTOP), Perm::URW).unwrap();
    let before = state(&pmap, &[pgdir]);
    let mut bytes = [0; 16];
    let mut refused = |at: u64, write_only: bool, first_bad: u64| {
        let (va, error) = (VirtAddr::new(at), UvmError::NoAccess { va: VirtAddr::new(first_bad) });
        assert_eq!(pmap.copyout(pgdir, va, &[0xff; 16]), Err(error), "write at {at:#x}");
        if !write_only {
            assert_eq!(pmap.copyin(pgdir, &mut bytes, va), Err(error), "read at {at:#x}");
            assert_eq!(pmap.copyinstr(pgdir, &mut [0; 16], va), Err(error), "read at {at:#x}");
        }
    };
    refused(2 * PGSIZE, false, 2 * PGSIZE);
    refused(3 * PGSIZE + 8, true, 3 * PGSIZE + 8);
    refused(sz + 4, false, sz + 4);
    // At UTOP and above there is no user memory, though the user can read UPAGES; nor where
    // addresses are not canonical, or the length wraps.
    let kernels = [L::UTOP, L::LOWER_END, L::UPAGES, L::UVPT, L::KERNBASE, u64::MAX - 3, u64::MAX];
    for va in kernels {
        refused(va, false, va);
    }
    // The first bytes may be accessed, those after them may not.
    refused(2 * PGSIZE - 8, true, 2 * PGSIZE);
    refused(L::UTOP - 8, true, L::UTOP);
    for (va, bad) in [(2 * PGSIZE - 8, 2 * PGSIZE), (L::UTOP - 8, L::UTOP)] {
        let error = Err(UvmError::NoAccess { va: VirtAddr::new(bad) });
        assert_eq!(pmap.copyin(pgdir, &mut bytes, VirtAddr::new(va)), error);
    }
    // Nothing is copied out before all is found to be in order.
    assert_eq!(three_words(&pmap, pgdir), [1, 2, 3]);
    let last: u64 = pmap.machine.load(pmap.pages.page2pa(frame) + (PGSIZE - 8));
    assert_eq!((last, state(&pmap, &[pgdir]) == before), (0, true));
    // No bytes are no access.
    for va in [2 * PGSIZE, L::UTOP, u64::MAX].map(VirtAddr::new) {
        assert_eq!(pmap.copyin(pgdir, &mut [], va), Ok(()));
        assert_eq!(pmap.copyout(pgdir, va, &[]), Ok(()));
    }
    // And up to UTOP it goes.
    pmap.copyout(pgdir, VirtAddr::new(L::UTOP - 16), &[7; 16]).unwrap();
}

fn strings_end<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
    let put = |pmap: &mut Sim<L, F>, at: u64, text: &[u8]| {
        pmap.copyout(pgdir, VirtAddr::new(at), text).unwrap();
        VirtAddr::new(at)
    };
    let mut dst = [0xff; 16];
    // Over the boundary, and with the 0 as the first byte behind it.
    for at in [PGSIZE - 3, PGSIZE - 5, 11] {
        let va = put(&mut pmap, at, b"hello\0more");
        assert_eq!(pmap.copyinstr(pgdir, &mut dst, va), Ok(5));
        assert_eq!(&dst[..6], b"hello\0");
        // Room for it and its end, no less.
        assert_eq!(pmap.copyinstr(pgdir, &mut dst[..6], va), Ok(5));
        assert_eq!(pmap.copyinstr(pgdir, &mut dst[..5], va), Err(UvmError::TooLong { va }));
        assert_eq!(pmap.copyinstr(pgdir, &mut [], va), Err(UvmError::TooLong { va }));
    }
    let empty = put(&mut pmap, 100, b"\0");
    assert_eq!(pmap.copyinstr(pgdir, &mut dst, empty), Ok(0));
    // One that runs out of the memory, and one that ends with its last byte.
    let va = put(&mut pmap, 2 * PGSIZE - 4, b"abcd");
    let end = VirtAddr::new(2 * PGSIZE);
    assert_eq!(pmap.copyinstr(pgdir, &mut dst, va), Err(UvmError::NoAccess { va: end }));
    assert_eq!(pmap.copyinstr(pgdir, &mut dst[..4], va), Err(UvmError::TooLong { va }));
    put(&mut pmap, 2 * PGSIZE - 4, b"abc\0");
    assert_eq!(pmap.copyinstr(pgdir, &mut dst, va), Ok(3));
}

fn copyout_copies_what_is_shared<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, parent, child) = forked::<L, F>();
    let both = [parent, child];
    // The child is in use, and the processor knows its second page.
    pmap.switchuvm(child);
    let second = VirtAddr::new(PGSIZE);
    assert_eq!(pmap.machine.user_load(second), Ok(2));
    let va = VirtAddr::new(PGSIZE - 4);
    let error = UvmError::NoMemory { va };
    let out = |pmap: &mut Sim<L, F>| pmap.copyout(child, va, &[0xff; 12]);
    let ((), n) = with_each_shortage(&mut pmap, &both, error, out);
    assert_eq!(n, 2, "two pages were copied");
    assert_eq!(three_words(&pmap, parent), [1, 2, 3]);
    assert_eq!(three_words(&pmap, child), [1, u64::MAX, 3]);
    assert_eq!(pmap.machine.user_load(second), Ok(u64::MAX));
    // The parent is alone with its pages now, so its turn takes none.
    let out = |pmap: &mut Sim<L, F>| pmap.copyout(parent, va, &[0xff; 12]);
    let ((), n) = with_each_shortage(&mut pmap, &both, UvmError::NoMemory { va }, out);
    assert_eq!(n, 0);
    // With a page that cannot be written behind it, none is copied.
    let grandchild = pmap.uvmcreate().unwrap();
    pmap.uvmcow(child, grandchild, 2 * PGSIZE).unwrap().flush(&mut pmap.machine);
    let before = state(&pmap, &both);
    let refused = pmap.copyout(child, VirtAddr::new(2 * PGSIZE - 4), &[0xff; 12]);
    assert_eq!(refused, Err(UvmError::NoAccess { va: VirtAddr::new(2 * PGSIZE) }));
    assert_eq!(state(&pmap, &both), before);
}

fn a_guard_page_is_the_kernels<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    pmap.uvmalloc(pgdir, 0, 3 * PGSIZE, Perm::W).unwrap();
    let va = VirtAddr::new(PGSIZE);
    pmap.machine.user_store(va, 5).unwrap();
    let flush = pmap.clearpteu(pgdir, va + 17).unwrap();
    assert_eq!(pmap.machine.user_load(va), Ok(5), "until the flush");
    flush.flush(&mut pmap.machine);
    assert_eq!(pmap.machine.user_load(va), Err(Fault { va, present: true, write: false }));
    // The kernel keeps its access (but for SMAP, and RISC-V's SUM, a U page would be refused).
    assert_eq!(pmap.machine.probe_load(va), Ok(5));
    assert!(pmap.machine.user_load(VirtAddr::new(2 * PGSIZE)).is_ok());
    let mut byte = [0];
    let refused = Err(UvmError::NoAccess { va });
    assert_eq!(pmap.copyin(pgdir, &mut byte, va), refused);
    assert_eq!(pmap.copyout(pgdir, va, &byte), refused);
    let expected = [Perm::URW, Perm::KRW, Perm::URW].map(kept::<F>);
    let perms: Vec<Perm> = user_leaves(&pmap, pgdir).iter().map(|leaf| leaf.perm).collect();
    assert_eq!(perms, expected);
    for va in [3 * PGSIZE, L::UTOP, L::UPAGES, u64::MAX].map(VirtAddr::new) {
        assert_eq!(pmap.clearpteu(pgdir, va).unwrap_err(), UvmError::NoAccess { va });
    }
}

#[test]
fn errors_in_words() {
    let va = VirtAddr::new(0x5000);
    for (error, says) in [
        (UvmError::NoMemory { va }, "not enough free pages"),
        (UvmError::Limit { va }, "ends at 0x5000 is out of bounds"),
        (UvmError::NoAccess { va }, "not the user's to access"),
        (UvmError::TooLong { va }, "too long"),
        (UvmError::Map(MapError::NotMapped { va }), "not mapped"),
    ] {
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("0x5000"), "{text}");
    }
}

/// Every line that is printed is an entry that is there, and every leaf is printed.
fn tables_in_print<L: MemLayout, F: Format + Mmu>() {
    let (mut pmap, pgdir) = with_space::<L, F>();
    pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
    let text = vmprint::<F, _>(&pmap.machine, pgdir).to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(format!("page table {:#018x}", pgdir.as_u64()).as_str()));
    let mut nleaves = 0;
    for line in lines {
        let (dots, rest) = line.rsplit_once("..").unwrap();
        let depth = dots.len() / 3 + 1;
        assert_eq!(format!("{dots}.."), " ..".repeat(depth));
        let numbers: Vec<u64> = rest
            .split([':', ' '])
            .filter_map(|word| word.strip_prefix("0x"))
            .map(|digits| u64::from_str_radix(digits, 16).unwrap())
            .collect();
        let [va, pte, pa] = numbers[..] else { panic!("{line}") };
        assert_eq!(rest, format!("{va:#018x}: pte {pte:#018x} pa {pa:#018x}"));
        let step = steps::<F, _>(&pmap.machine, pgdir, VirtAddr::new(va)).nth(depth - 1).unwrap();
        let found = match step.entry {
            Entry::Table { pa, .. } => pa,
            Entry::Leaf(leaf) => leaf.pa,
            Entry::Absent => panic!("{line}"),
        };
        assert_eq!((step.word, found.as_u64()), (pte, pa), "{line}");
        nleaves += usize::from(matches!(step.entry, Entry::Leaf(_)));
    }
    let last = VirtAddr::new(u64::MAX);
    assert_eq!(nleaves, leaves::<F, _>(&pmap.machine, pgdir, ZERO, last).count());

    // Folded, the kernel's half ends with the window.
    let text = vmprint_folded::<F, _>(&pmap.machine, pgdir).to_string();
    let large = if F::LEVELS == 2 { "4 MB" } else { "2 MB" };
    let window = text.lines().last().unwrap();
    assert!(window.contains(&format!(" of 4 KB to {large} pages, pa ")), "{window}");
}

/// Tables made by hand, to the letter.
#[test]
fn the_form_of_what_is_printed() {
    let (machine, _) = SimMachine::<JosSv39, Sv39>::new(4 * MB);
    let store = |pa, word: u64| machine.store(PhysAddr::new(pa), word);
    store(0x8010_0000, 0x2004_0401);
    store(0x8010_1000, 0x2004_0801);
    store(0x8010_1008, 0x2010_00d7);
    store(0x8010_2000, 0x2004_0c5b);
    store(0x8010_2008, 0x2004_105b);
    store(0x8010_0000 + 511 * 8, 0x2004_1401);
    store(0x8010_5000 + 511 * 8, 0x2000_004b);
    let pgdir = PhysAddr::new(0x8010_0000);
    assert_eq!(
        vmprint::<Sv39, _>(&machine, pgdir).to_string(),
        "\
page table 0x0000000080100000
 ..0x0000000000000000: pte 0x0000000020040401 pa 0x0000000080101000
 .. ..0x0000000000000000: pte 0x0000000020040801 pa 0x0000000080102000
 .. .. ..0x0000000000000000: pte 0x0000000020040c5b pa 0x0000000080103000
 .. .. ..0x0000000000001000: pte 0x000000002004105b pa 0x0000000080104000
 .. ..0x0000000000200000: pte 0x00000000201000d7 pa 0x0000000080400000
 ..0xffffffffc0000000: pte 0x0000000020041401 pa 0x0000000080105000
 .. ..0xffffffffffe00000: pte 0x000000002000004b pa 0x0000000080000000
"
    );
    assert_eq!(
        vmprint_folded::<Sv39, _>(&machine, pgdir).to_string(),
        "\
page table 0x0000000080100000
 ..0x0000000000000000-0x0000000000001fff ur-x- 8 KB of 4 KB pages, pa 0x0000000080103000
 ..0x0000000000200000-0x00000000003fffff urw-- 2 MB of 2 MB pages, pa 0x0000000080400000
 ..0xffffffffffe00000-0xffffffffffffffff -r-x- 2 MB of 2 MB pages, pa 0x0000000080000000
"
    );
    // Pages of two sizes in one run: 2 MB and, right behind it, 4 KB.
    store(0x8010_1010, 0x2004_1801);
    store(0x8010_6000, 0x2018_00d7);
    let folded = vmprint_folded::<Sv39, _>(&machine, pgdir).to_string();
    let run = " ..0x0000000000200000-0x0000000000400fff urw-- 2052 KB of 4 KB to 2 MB pages, \
               pa 0x0000000080400000";
    assert_eq!(folded.lines().nth(2), Some(run));
    store(0x8010_0010, 0x2000_00d7);
    let folded = vmprint_folded::<Sv39, _>(&machine, pgdir).to_string();
    let run =
        " ..0x0000000080000000-0x00000000bfffffff urw-- 1 GB of 1 GB pages, pa 0x0000000080000000";
    assert_eq!(folded.lines().nth(3), Some(run));
}
