//! Exercises 3 to 5: `page_init`, `page_alloc`, `page_free`.

use layout::{MemLayout, PGSIZE};

use super::{Rig, assert_list, called, free_runs, lab_tests};
use crate::machine::PhysMem;
use crate::mem::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator, PageError, PageInfo};
use crate::paging::format::Format;
use crate::sim::mmu::Mmu;

lab_tests! {
    e03_page_init_lists_all_free_frames
    e03_page_init_reserves_all_others
    e03_page_init_lists_the_lowest_frame_first
    e04_page_alloc_takes_the_first_frame_off_the_list
    e04_page_alloc_zeroes_if_it_is_asked_to
    e05_page_free_puts_a_frame_in_front_of_the_list
    e05_page_free_to_an_empty_list
    e05_page_free_refuses_what_is_not_to_be_freed
}

fn e03_page_init_lists_all_free_frames<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let runs = free_runs::<L>();
    called("page_init", || rig.vm.pages_mut().page_init(&runs));
    let pages = rig.vm.pages();
    assert_list(pages, 32, "after page_init");
    for pa in runs.iter().flat_map(|run| run.pages()) {
        let frame = pages.pa2page(pa).unwrap();
        assert!(pages.info(frame).is_free(), "after page_init the frame at {pa} must be free");
    }
}

fn e03_page_init_reserves_all_others<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let runs = free_runs::<L>();
    called("page_init", || rig.vm.pages_mut().page_init(&runs));
    let pages = rig.vm.pages();
    for (index, info) in (0..).zip(pages.infos()) {
        let pa = pages.page2pa(Frame::new(index));
        if !runs.iter().any(|run| run.contains(pa)) {
            let reserved = PageInfo::reserved();
            assert!(
                info == reserved,
                "after page_init the frame at {pa}, which is not free, must be {reserved:?}, but is {info:?}"
            );
        }
    }
}

fn e03_page_init_lists_the_lowest_frame_first<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::new();
    let runs = free_runs::<L>();
    called("page_init", || rig.vm.pages_mut().page_init(&runs));
    let pages = rig.vm.pages();
    let first = pages.page_free_list().next().map(|frame| pages.page2pa(frame));
    assert!(
        first == Some(runs[0].start),
        "after page_init the list must begin with {}, but begins with {first:?}",
        runs[0].start
    );
    // Twice gives the same.
    called("page_init", || rig.vm.pages_mut().page_init(&runs));
    assert_list(rig.vm.pages(), 32, "after a second page_init");
    called("page_init", || rig.vm.pages_mut().page_init(&[]));
    assert_list(rig.vm.pages(), 0, "after page_init of no frame");
}

fn e04_page_alloc_takes_the_first_frame_off_the_list<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    for left in (0..32).rev() {
        let head = Frame::new(rig.vm.pages().page_free_list_head());
        let given = called("page_alloc", || rig.vm.page_alloc(AllocFlags::empty()));
        assert!(
            given == Some(head),
            "page_alloc gives {given:?}, but {head:?} was the first on page_free_list"
        );
        let info = rig.vm.pages().info(head);
        assert!(!info.is_free(), "after page_alloc its frame still says that it is free: {info:?}");
        assert!(
            info == PageInfo::in_use(0),
            "after page_alloc its frame must be in use with pp_ref 0, but is {info:?}"
        );
        assert_list(rig.vm.pages(), left, "after page_alloc");
    }
    let given = called("page_alloc of an empty list", || rig.vm.page_alloc(AllocFlags::empty()));
    assert!(given.is_none(), "page_alloc gives {given:?}, but no frame is free");
    assert_list(rig.vm.pages(), 0, "after page_alloc of an empty list");
}

fn e04_page_alloc_zeroes_if_it_is_asked_to<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    for run in free_runs::<L>() {
        for pa in run.pages() {
            rig.vm.machine().store_run::<u32>(pa, 0xA5A5_A5A5, 0, 1024);
        }
    }
    let (frame, pa) = rig.alloc();
    let word = rig.vm.machine().load::<u32>(pa);
    assert!(
        word == 0xA5A5_A5A5,
        "page_alloc without ALLOC_ZERO wrote {word:#x} into its frame at {pa}"
    );
    let given = called(
        "page_alloc(ALLOC_ZERO) (zero_frame takes the physical address that page2pa gives)",
        || rig.vm.page_alloc(ALLOC_ZERO),
    );
    let Some(zeroed) = given else {
        panic!("page_alloc(ALLOC_ZERO) gives nothing, but frames are free")
    };
    assert!(zeroed != frame, "page_alloc(ALLOC_ZERO) gives a frame that is in use");
    let pa = rig.vm.pages().page2pa(zeroed);
    for offset in (0..PGSIZE).step_by(4) {
        let word = rig.vm.machine().load::<u32>(pa + offset);
        assert!(
            word == 0,
            "page_alloc(ALLOC_ZERO) left {word:#x} at offset {offset:#x} of its frame at {pa}"
        );
    }
    for pa in free_runs::<L>().iter().flat_map(|run| run.pages()) {
        let frame = rig.vm.pages().pa2page(pa).unwrap();
        let word = rig.vm.machine().load::<u32>(pa);
        assert!(
            word != 0 || frame == zeroed,
            "page_alloc(ALLOC_ZERO) gave the frame {zeroed:?}, but zeroed the one at {pa}"
        );
    }
}

fn e05_page_free_puts_a_frame_in_front_of_the_list<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let frames: [Frame; 3] = core::array::from_fn(|_| rig.alloc().0);
    for (freed, frame) in (1..).zip([frames[1], frames[0], frames[2]]) {
        called("page_free", || rig.vm.pages_mut().page_free(frame));
        assert_list(rig.vm.pages(), 29 + freed, "after page_free");
        let head = rig.vm.pages().page_free_list_head();
        assert!(
            head as usize == frame.index(),
            "after page_free of {frame:?} the list must begin with it, but begins with {head}"
        );
    }
}

fn e05_page_free_to_an_empty_list<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (frame, _) = rig.alloc();
    rig.leave(0);
    called("page_free to an empty list", || rig.vm.pages_mut().page_free(frame));
    assert_list(rig.vm.pages(), 1, "after page_free to an empty list");
}

fn e05_page_free_refuses_what_is_not_to_be_freed<L: MemLayout, F: Format + Mmu>() {
    let mut rig = Rig::<L, F>::with_free_frames();
    let (frame, pa) = rig.alloc();
    let free = Frame::new(rig.vm.pages().page_free_list_head());
    let pages = rig.vm.pages_mut();
    pages.page_incref(frame).unwrap();
    let wanted = Err(PageError::Referenced { pa, pp_ref: 1 });
    let result = called("page_free", || pages.try_page_free(frame));
    assert!(
        result == wanted,
        "page_free of a frame with pp_ref 1 must give {wanted:?}, but gives {result:?}"
    );
    let wanted = Err(PageError::Free { pa: pages.page2pa(free) });
    let result = called("page_free", || pages.try_page_free(free));
    assert!(
        result == wanted,
        "page_free of a free frame must give {wanted:?}, but gives {result:?}"
    );
    let wanted = Err(PageError::Reserved { pa: pages.page2pa(Frame::new(0)) });
    let result = called("page_free", || pages.try_page_free(Frame::new(0)));
    assert!(
        result == wanted,
        "page_free of a reserved frame must give {wanted:?}, but gives {result:?}"
    );
    assert_list(pages, 31, "after page_free has refused");
}
