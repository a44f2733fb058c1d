//! The pages beneath a heap: mapped by large pages where they fit, given back to the last one, and
//! unmapped in part even when no page is free. Nothing here is unsafe, so that Miri is spared it.
#![cfg(not(miri))]

use layout::{Jos64, MB, MemLayout, PGSIZE};
use libjos::app::backing::Backing;
use libjos::app::memory::map_pages;
use libjos::heap::OutOfPages;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{AllocFlags, PageAllocator};
use libjos::paging::format::Perm;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::mappings::leaves;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;

type Machine = SimMachine<Jos64, X86_64>;

const LARGE: u64 = 2 * MB;
const START: VirtAddr = VirtAddr::new(Jos64::UHEAP);

fn boot(ram: u64) -> Pmap<Machine> {
    let (machine, boot) = Machine::new(ram);
    mem_init(machine, boot)
}

/// The sizes of the pages from START on, up to a hole.
fn page_sizes(pmap: &Pmap<Machine>) -> Vec<u64> {
    let last = START + (64 * MB - 1);
    let mut next = START;
    leaves::<X86_64, Machine>(pmap.machine(), pmap.kern_root(), START, last)
        .take_while(|leaf| core::mem::replace(&mut next, leaf.va + leaf.size) == leaf.va)
        .map(|leaf| leaf.size)
        .collect()
}

/// Takes every free page.
fn exhaust(pmap: &mut Pmap<Machine>) -> Vec<libjos::mem::pages::Frame> {
    core::iter::from_fn(|| pmap.page_alloc(AllocFlags::empty())).collect()
}

#[test]
fn large_pages_where_they_fit() {
    let mut pmap = boot(32 * MB);
    let (free, mut backing) = (pmap.pages().nfree(), Backing::new());
    backing.map(&mut pmap, START, 2 * LARGE + 3 * PGSIZE).expect("there is memory");
    assert_eq!(page_sizes(&pmap), [LARGE, LARGE, PGSIZE, PGSIZE, PGSIZE]);
    // It goes on in the middle, where no large page fits.
    let end = START + 2 * LARGE + 3 * PGSIZE;
    backing.map(&mut pmap, end, LARGE).expect("there is memory");
    assert_eq!(page_sizes(&pmap).len(), 2 + 512 + 3);
    pmap.checks().check_page_free_list();
    backing.unmap(&mut pmap, START + LARGE, PGSIZE);
    pmap.checks().check_page_free_list();
    backing.unmap(&mut pmap, START, LARGE);
    backing.unmap(&mut pmap, START + LARGE + PGSIZE, 2 * LARGE + 2 * PGSIZE);
    assert_eq!((pmap.pages().nfree(), page_sizes(&pmap)), (free, vec![]));
    pmap.checks().check_page_free_list();
}

/// Maps a large page's size by small pages, since there is no other way, and unmaps it.
fn a_large_page_comes_as_small_ones(pmap: &mut Pmap<Machine>) {
    let (free, mut backing) = (pmap.pages().nfree(), Backing::new());
    backing.map(pmap, START, LARGE).expect("there is memory");
    assert_eq!(page_sizes(pmap), [PGSIZE; 512]);
    backing.unmap(pmap, START, LARGE);
    assert_eq!(pmap.pages().nfree(), free);
}

#[test]
fn small_pages_where_the_processor_has_no_others() {
    let mut pmap = boot(16 * MB);
    pmap.machine_mut().processor.leaf_levels = 1;
    a_large_page_comes_as_small_ones(&mut pmap);
    // None is kept aside for a table, because nothing will be split.
    let (free, mut backing) = (pmap.pages().nfree(), Backing::new());
    backing.map(&mut pmap, START, LARGE).expect("there is memory");
    assert_eq!(free - pmap.pages().nfree(), 512 + 3, "pages, and their tables");
}

#[test]
fn the_last_free_pages_can_be_mapped() {
    let mut pmap = boot(16 * MB);
    map_pages(&mut pmap, START, 1, Perm::KRW, AllocFlags::empty()).expect("there is memory");
    let mut others = exhaust(&mut pmap);
    others.drain(..2).for_each(|frame| pmap.pages_mut().page_free(frame));
    let next = START + PGSIZE;
    assert!(map_pages(&mut pmap, next, 3, Perm::KRW, AllocFlags::empty()).is_err());
    map_pages(&mut pmap, next, 2, Perm::KRW, AllocFlags::empty()).expect("the tables are there");
    assert_eq!(page_sizes(&pmap), [PGSIZE; 3]);
}

#[test]
fn out_of_pages_leaves_nothing_behind() {
    let mut pmap = boot(16 * MB);
    let (free, mut backing) = (pmap.pages().nfree(), Backing::new());
    for size in [16 * MB, free as u64 * PGSIZE, (free as u64 - 1) * PGSIZE] {
        assert_eq!(backing.map(&mut pmap, START, size), Err(OutOfPages), "{size:#x}");
        assert_eq!((pmap.pages().nfree(), page_sizes(&pmap)), (free, vec![]));
    }
}

#[test]
fn small_pages_that_run_out_in_the_middle_leave_nothing_behind() {
    let mut pmap = boot(16 * MB);
    let mut others = exhaust(&mut pmap);
    // A page needs three tables. Out of pages: for the first page, its tables, the second page.
    for free in 1..=5 {
        others.pop().into_iter().for_each(|frame| pmap.pages_mut().page_free(frame));
        let mapped = map_pages(&mut pmap, START, 2, Perm::KRW, AllocFlags::empty());
        assert_eq!(mapped.is_ok(), free == 5, "{free} pages are free");
        assert_eq!(page_sizes(&pmap).len(), if free == 5 { 2 } else { 0 });
        assert_eq!(pmap.pages().nfree(), if free == 5 { 0 } else { free });
    }
}

/// By a large page or by small ones, whatever there is free: all of it or nothing, and then
/// nothing is kept.
#[test]
fn a_large_page_is_mapped_whole_or_not_at_all() {
    let mut pmap = boot(16 * MB);
    let mut others = exhaust(&mut pmap);
    // The highest come back first, so that the first 512 make a large page.
    others.sort();
    let mut free = 0;
    while Backing::new().map(&mut pmap, START, LARGE).is_err() {
        assert_eq!((pmap.pages().nfree(), page_sizes(&pmap)), (free, vec![]));
        pmap.pages_mut().page_free(others.pop().expect("a page"));
        free += 1;
    }
    // Two tables, and the page that is kept aside; by small pages it would be as many.
    assert_eq!((free, pmap.pages().nfree(), page_sizes(&pmap)), (512 + 3, 0, vec![LARGE]));
}

#[test]
fn runs_that_are_broken_up_serve_as_small_pages() {
    let mut pmap = boot(16 * MB);
    // Every second page is free, so that there is no large page, but many small ones.
    let taken = exhaust(&mut pmap);
    taken
        .iter()
        .filter(|frame| frame.index() % 2 == 0)
        .for_each(|f| pmap.pages_mut().page_free(*f));
    a_large_page_comes_as_small_ones(&mut pmap);
}

#[test]
fn a_large_page_is_split_when_no_page_is_free() {
    let mut pmap = boot(16 * MB);
    let (free, mut backing) = (pmap.pages().nfree(), Backing::new());
    backing.map(&mut pmap, START, 2 * LARGE).expect("there is memory");
    let others = exhaust(&mut pmap);
    // A page at the first one's end, and then one in the middle of the second: a table each time.
    backing.unmap(&mut pmap, START + (LARGE - PGSIZE), PGSIZE);
    assert_eq!(page_sizes(&pmap), [PGSIZE; 511]);
    // Pages that have come back are kept aside again.
    assert_eq!(pmap.pages().nfree(), 0);
    backing.unmap(&mut pmap, START + (LARGE + PGSIZE), PGSIZE);
    backing.unmap(&mut pmap, START, LARGE - PGSIZE);
    backing.unmap(&mut pmap, START + LARGE, PGSIZE);
    backing.unmap(&mut pmap, START + (LARGE + 2 * PGSIZE), LARGE - 2 * PGSIZE);
    others.into_iter().for_each(|frame| pmap.pages_mut().page_free(frame));
    assert_eq!((pmap.pages().nfree(), page_sizes(&pmap)), (free, vec![]));
}

#[test]
fn one_unmapping_may_split_two_large_pages() {
    let mut pmap = boot(16 * MB);
    let (free, mut backing) = (pmap.pages().nfree(), Backing::new());
    backing.map(&mut pmap, START, 2 * LARGE).expect("there is memory");
    let others = exhaust(&mut pmap);
    backing.unmap(&mut pmap, START + (LARGE - PGSIZE), 2 * PGSIZE);
    assert_eq!(page_sizes(&pmap).len(), 511);
    let is_mapped = |va| pmap.va2pa(pmap.kern_pgdir(), va).is_some();
    assert!(!is_mapped(START + LARGE) && is_mapped(START + (LARGE + PGSIZE)));
    backing.unmap(&mut pmap, START, LARGE - PGSIZE);
    backing.unmap(&mut pmap, START + (LARGE + PGSIZE), LARGE - PGSIZE);
    others.into_iter().for_each(|frame| pmap.pages_mut().page_free(frame));
    assert_eq!(pmap.pages().nfree(), free);
}
