//! Tests of walks and lists of mappings.

use core::mem::ManuallyDrop;

use super::*;
use crate::paging::format::i386::I386;
use crate::paging::format::riscv::Sv39;
use crate::paging::format::x86_64::X86_64;
use crate::pmap::{Pmap, mem_init};
use crate::sim::SimMachine;
use crate::sim::mmu::Mmu;
use crate::space::AddressSpace;
use layout::{Jos32, Jos64, JosSv39, MB, MemLayout, PGSIZE};

const TOP: VirtAddr = VirtAddr::new(u64::MAX);

#[test]
fn a_kernel_is_a_few_runs() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let pmap = mem_init(machine, boot);
    let (mem, pgdir) = (pmap.machine(), pmap.kern_pgdir().address());
    let runs: Vec<_> = runs::<X86_64, _>(mem, pgdir, VirtAddr::new(0), TOP).collect();
    let found: Vec<_> = runs.iter().map(|run| (run.va.as_u64(), run.perm)).collect();
    let image = pmap.boot().image;
    let at = |pa: PhysAddr| Jos64::KERNBASE + pa.as_u64();
    let g = Perm::G;
    assert_eq!(
        found,
        [
            (Jos64::UPAGES, Perm::UR),
            (Jos64::KSTACK, Perm::KRW | g),
            (Jos64::KERNBASE, Perm::KRW | g),
            (at(image.text.start), Perm::KRX | g),
            (at(image.rodata.start), Perm::KR | g),
            (at(image.data.start), Perm::KRW | g),
        ]
    );
    let last = runs.last().unwrap();
    assert_eq!((last.last(), last.smallest, last.largest), (TOP, PGSIZE, 2 * MB));
}

#[test]
fn a_range_cuts_the_list_but_no_page() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let pmap = mem_init(machine, boot);
    let (mem, pgdir) = (pmap.machine(), pmap.kern_pgdir().address());
    let first = VirtAddr::new(Jos64::KERNBASE + 5 * MB);
    let range: Vec<_> = leaves::<X86_64, _>(mem, pgdir, first, first + 2 * MB).collect();
    assert_eq!(range[0].va.as_u64(), Jos64::KERNBASE + 4 * MB);
    assert_eq!(range.len(), 2);
    let none = leaves::<X86_64, _>(mem, pgdir, TOP, VirtAddr::new(0)).next();
    assert_eq!(none, None);
}

/// An address that no table translates is not taken for the one whose bits a walk would use.
#[test]
fn untranslated_addresses_lead_nowhere() {
    fn first_at<L: MemLayout, F: Format + Mmu>(first: u64, last: u64) -> Option<u64> {
        let (machine, boot) = SimMachine::<L, F>::new(5 * MB);
        let mut pmap = mem_init(machine, boot);
        let upper = VirtAddr::new(L::UPPER_START);
        let page = PhysAddr::new(L::PHYS_BASE + MB);
        let (vm, pgdir) = pmap.split();
        vm.boot_map_region(pgdir, VirtAddr::new(0), PGSIZE, page, Perm::KR);
        vm.boot_map_region(pgdir, upper, PGSIZE, page, Perm::KR);
        let (first, last) = (VirtAddr::new(first), VirtAddr::new(last));
        let leaf = leaves::<F, _>(vm.machine(), pgdir.address(), first, last).next();
        leaf.map(|leaf| leaf.va.as_u64())
    }
    let upper = Jos64::UPPER_START;
    assert_eq!(first_at::<Jos64, X86_64>(1 << 48, 1 << 48), None);
    assert_eq!(first_at::<Jos64, X86_64>(1 << 48, upper - 1), None);
    assert_eq!(first_at::<Jos64, X86_64>(1 << 48, upper), Some(upper));
    assert_eq!(first_at::<Jos64, X86_64>(upper, upper), Some(upper));
    assert_eq!(first_at::<JosSv39, Sv39>(1 << 40, u64::MAX), Some(JosSv39::UPPER_START));
    assert_eq!(first_at::<Jos32, I386>(1 << 32, u64::MAX), None);
}

/// The monitor and `check_kern_pgdir` see the tables too, as pages at UVPT.
#[test]
fn tables_are_seen_only_where_they_are_asked_for() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let pmap = mem_init(machine, boot);
    let (mem, pgdir) = (pmap.machine(), pmap.kern_pgdir().address());
    let (first, last) = (VirtAddr::new(Jos64::UVPT), VirtAddr::new(Jos64::ULIM - 1));
    assert_eq!(runs::<X86_64, _>(mem, pgdir, first, last).next(), None);
    let load = |at| Some(mem.load(at));
    let mut seen = runs_and_tables::<X86_64>(pgdir, first, last, load);
    // Where each index is that of the entry at UVPT: 510.
    let root = VirtAddr::new(0xFFFF_FF7F_BFDF_E000);
    let page = seen.find(|run| run.va <= root && root <= run.last()).unwrap();
    let page = page.within(root, root + (PGSIZE - 1));
    assert_eq!((page.pa, page.size, page.perm), (pgdir, PGSIZE, Perm::UR));
}

/// Each level can withhold what the ones below it grant.
#[test]
fn a_page_has_what_all_tables_grant() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let mut pmap = mem_init(machine, boot);
    let mut space = ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
    space.uvmalloc(&mut pmap, MB, MB + PGSIZE, Perm::W).unwrap();
    let (pgdir, va) = (space.pgdir().address(), VirtAddr::new(MB));
    let granted =
        |pmap: &Pmap<_>| leaves::<X86_64, _>(pmap.machine(), pgdir, va, va).next().unwrap().perm;
    assert_eq!(granted(&pmap), Perm::URW);
    let root: u64 = pmap.machine().load(pgdir);
    let user =
        X86_64::leaf(0, PhysAddr::new(0), Perm::UR) ^ X86_64::leaf(0, PhysAddr::new(0), Perm::KR);
    pmap.machine().store(pgdir, root & !user);
    assert_eq!(granted(&pmap), Perm::KRW);
}

#[test]
fn a_walk_ends_at_the_entry_that_decides() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
    let pmap = mem_init(machine, boot);
    let (mem, pgdir) = (pmap.machine(), pmap.kern_pgdir().address());
    let levels = |va| {
        let steps = steps::<X86_64, _>(mem, pgdir, VirtAddr::new(va));
        steps.map(|step| (step.level, step.index)).collect::<Vec<_>>()
    };
    assert_eq!(levels(0), [(3, 0)]);
    assert_eq!(levels(u64::MAX), [(3, 511), (2, 511), (1, 511)]);
    assert_eq!(levels(Jos64::KSTACKTOP - 1), [(3, 511), (2, 511), (1, 383), (0, 511)]);
}
