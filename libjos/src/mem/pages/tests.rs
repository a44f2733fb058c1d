//! Tests of the free list and of `pages` in memory, and the rig for all tests of this folder.

mod model;

use std::panic::catch_unwind;
use std::string::{String, ToString};
use std::vec::Vec;

use layout::{Jos64, MB, PGSIZE};

use super::{AllocFlags, Block, Frame, PageAllocator, PageInfo, Pages};
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::paging::format::x86_64::X86_64;
use crate::sim::{SimMachine, memory::SimMemory, mmu::Ram};

/// An allocator alone, for more frames than there is memory.
pub(super) struct Rig {
    pub(super) pages: Pages,
    /// A machine for `page_alloc`, which touches no frame here.
    pub(super) machine: SimMachine<Jos64, X86_64>,
}

impl Rig {
    /// For `ram` bytes, of which those in `free` are free.
    pub(super) fn new(ram: u64, free: &[(u64, u64)]) -> Self {
        let npages = (ram / PGSIZE) as usize;
        let at_table = (npages as u64 * 8).next_multiple_of(PGSIZE);
        let table_len = Block::table_len(npages);
        let arrays = SimMemory::new(0, at_table + table_len as u64 * 8);
        // SAFETY: nobody else has this memory, in which they lie side by side.
        let [array, table] = unsafe {
            [(0, npages), (at_table, table_len)]
                .map(|(at, len)| arrays.page_array(PhysAddr::new(at), len))
        };
        let mut pages = Pages::new(array, table, PhysAddr::new(0));
        pages.page_init(&free_set(free));
        Self { pages, machine: SimMachine::new(2 * MB).0 }
    }

    pub(super) fn alloc(&mut self) -> Option<Frame> {
        self.pages.page_alloc(&self.machine, AllocFlags::empty())
    }

    pub(super) fn alloc_run(&mut self, order: u32) -> Option<Frame> {
        self.pages.page_alloc_run(&self.machine, AllocFlags::empty(), order)
    }
}

/// Frames of these bytes.
pub(super) fn free_set(free: &[(u64, u64)]) -> Vec<PhysRange> {
    let range =
        |(start, end): &(u64, u64)| PhysRange::new(PhysAddr::new(*start), PhysAddr::new(*end));
    free.iter().map(range).collect()
}

fn init_panics(free: &[(u64, u64)]) -> String {
    let init = || drop(Rig::new(MB, free));
    let panic = catch_unwind(init).expect_err("page_init takes them");
    *panic.downcast::<String>().expect("a message with values")
}

#[test]
fn ranges_that_page_init_refuses() {
    for (free, says) in [
        (&[(0, MB + PGSIZE)][..], "page_init: 0x101000 lies beyond the end of pages"),
        (&[(0, 1 << 44)], "page_init: 0x100000000000 lies beyond the end of pages"),
        (&[(0x800, PGSIZE)], "page_init: 0x800 lies within a page"),
        (&[(0, 0x1800)], "page_init: 0x1800 lies within a page"),
        (&[(PGSIZE, PGSIZE)], "page_init: the run [0x1000, 0x1000) is empty, or out of order"),
        (
            &[(0x3000, 0x4000), (0, 0x3000)],
            "page_init: the run [0x0, 0x3000) is empty, or out of order",
        ),
        (
            &[(0, 0x2000), (0x1000, 0x3000)],
            "page_init: the run [0x1000, 0x3000) is empty, or out of order",
        ),
    ] {
        assert_eq!(init_panics(free), says);
    }
    let whole = Rig::new(MB, &[(0, 0x1000), (0x1000, MB)]);
    assert_eq!(whole.pages.nfree(), 256);
}

/// A number that is no mark is a link.
#[test]
fn links_name_as_many_frames_as_numbers_can() {
    let marks = [PageInfo::IN_USE, PageInfo::RESERVED];
    let lowest = marks.into_iter().min().expect("there are some");
    assert_eq!((marks[0] - lowest) as usize, marks.len() - 1, "{marks:x?}");
    assert_eq!(PageInfo::END, lowest - 1);
}

pub(super) fn frame(index: usize) -> Frame {
    Frame::new(index as u32)
}

#[test]
fn page_init_ends_what_was_set_aside() {
    let mut rig = Rig::new(4 * MB, &[(2 * MB, 4 * MB)]);
    let lost = rig.pages.set_aside_free_list();
    assert_eq!(lost.nfree(), 512);
    rig.pages.page_init(&free_set(&[(2 * MB, 4 * MB)]));
    assert_eq!(rig.alloc_run(9), Some(frame(512)));
}

#[test]
fn page_init_keeps_nothing_of_an_earlier_state() {
    let mut rig = Rig::new(6 * MB, &[(0, 2 * MB)]);
    assert!(rig.alloc_run(3).is_some());
    rig.pages.page_init(&free_set(&[(0, 6 * MB)]));
    assert_eq!(rig.pages.run_search_steps(), 0);
    assert_eq!(rig.alloc_run(9), Some(frame(0)), "of whole blocks the lowest comes first");
}

/// Words of `pages` are RAM, and anyone may write to RAM. No reference is alive meanwhile, which
/// Miri sees, and the words that were written are read.
#[test]
fn the_machine_may_write_to_pages() {
    let machine = SimMemory::new(0, 4 * PGSIZE);
    // SAFETY: nobody has references into simulated memory.
    let array = |at, len| unsafe { machine.page_array(PhysAddr::new(at), len) };
    let table = array(2 * PGSIZE, Block::table_len(512));
    let mut pages = Pages::new(array(0, 512), table, PhysAddr::new(0));
    pages.page_init(&free_set(&[(PGSIZE, 2 * MB)]));
    let set = |index: u64, info: PageInfo| machine.store(PhysAddr::new(index * 8), info.word());

    let mut infos = pages.infos();
    assert_eq!((infos.next(), infos.len()), (Some(PageInfo::reserved()), 511));
    set(1, PageInfo::in_use(7));
    assert_eq!(infos.next(), Some(PageInfo::in_use(7)));

    let mut list = pages.page_free_list();
    set(1, PageInfo { pp_link: 2, pp_ref_or_prev: 0 });
    assert_eq!(list.next(), Some(frame(1)));
    set(2, PageInfo { pp_link: 5, pp_ref_or_prev: 1 });
    assert_eq!([(); 2].map(|()| list.next()), [Some(frame(2)), Some(frame(5))]);

    drop((infos, list));
    let freed = pages.release(|releases| {
        set(9, PageInfo::in_use(2));
        releases.release(PhysAddr::new(9 * PGSIZE), 1);
        set(11, PageInfo::in_use(3));
        releases.release(PhysAddr::new(11 * PGSIZE), 1);
    });
    assert_eq!([9, 11].map(|index| pages.pp_ref(frame(index))), [1, 2]);
    assert_eq!(freed, 0);
}

#[test]
fn frames_end_where_pages_does() {
    let rig = Rig::new(2 * MB, &[(MB, 2 * MB)]);
    assert_eq!(rig.pages.pa2page(PhysAddr::new(2 * MB - 1)), Some(frame(511)));
    assert_eq!(rig.pages.pa2page(PhysAddr::new(2 * MB)), None);
}

#[test]
fn a_list_that_runs_in_a_circle_ends() {
    let mut rig = Rig::new(MB, &[(0, MB)]);
    assert_eq!(rig.pages.page_free_list().count(), 256);
    rig.pages.array_mut()[255].pp_link = 0;
    assert_eq!(rig.pages.page_free_list().count(), 256 + 1, "one more than there can be");
}

#[test]
fn frames_and_their_states_in_words() {
    assert_eq!(frame(0x12ab).to_string(), "frame 0x12ab");
    let free = |pp_link| PageInfo { pp_link, pp_ref_or_prev: 0x2b };
    for (info, words) in [
        (PageInfo::in_use(12), "in use, pp_ref 12"),
        (PageInfo::reserved(), "reserved, pp_ref 1"),
        (free(0x2d), "free, between frames 0x2b and 0x2d"),
        (free(PageInfo::END), "free, between frame 0x2b and the end"),
    ] {
        assert_eq!(info.to_string(), words);
    }
}
