//! `check_page_alloc`: the proof that the page allocator allocates and frees as it must.

use layout::PGSIZE;

use crate::check::Checks;
use crate::check::answer::Answer;
use crate::machine::Machine;
use crate::mem::addr::PhysAddr;
use crate::mem::pages::{ALLOC_ZERO, AllocFlags, CountError, Frame, PageAllocator, PageError};

/// Most pages that [`drain`] takes.
const MOST_DRAINED: usize = 2048;

/// In the first page that [`drain`] takes, in place of the number of the one before.
const NONE: u32 = u32::MAX;

impl<M: Machine> Checks<'_, M> {
    /// Proves that `pages` allocates and frees as it must: every free page once and then none,
    /// zeroed if asked, and none that is freed twice, in use or reserved. Needs a free page.
    ///
    /// # Panics
    ///
    /// If that does not hold, with the page or the numbers that differ.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn check_page_alloc(&mut self) {
        if !self.has_pages_for("check_page_alloc", 1) {
            return;
        }
        let end = self.vm.memory_end();
        let (machine, pages) = self.vm.machine_and_pages();
        check_allocator(pages, machine, end);
    }
}

/// Does [`Checks::check_page_alloc`] for any allocator. Leaves as many pages free as it
/// found, in the same order. From a long free list it takes the first pages, and sets the others
/// aside: [`Checks::check_page_free_list`] has proved the whole list. Pages from `end` on are not taken.
///
/// # Panics
///
/// If the proof fails, with the page or the numbers that differ.
pub(crate) fn check_allocator<M: Machine>(
    pages: &mut impl PageAllocator,
    machine: &mut M,
    end: PhysAddr,
) {
    let nfree = pages.nfree();
    let (last, count) = drain(pages, machine, end);
    let rest = pages.set_aside_free_list();
    assert!(
        count + rest.nfree() == nfree,
        "check_page_alloc: {nfree} pages were free, {count} were allocated, {} are left",
        rest.nfree()
    );

    // A single page comes back, zeroed to its last word.
    let Some(pp) = last else { panic!("check_page_alloc: there is no free page") };
    let pa = pages.page2pa(pp);
    let link = machine.load::<u32>(pa);
    let words = (PGSIZE / 4) as usize;
    machine.store_run(pa, u32::MAX, 0, words);
    expect(pages.try_page_free(pp), Ok(()), "of an allocated page", pa);
    expect(pages.try_page_free(pp), Err(PageError::Free { pa }), "of a free page", pa);
    assert!(pages.nfree() == 1, "check_page_alloc: 1 page freed, {} are free", pages.nfree());
    let again = pages.page_alloc(machine, ALLOC_ZERO);
    assert!(again == Some(pp), "check_page_alloc: {} allocated, {pp} was free", again.words());
    for offset in (0..PGSIZE).step_by(4) {
        let word = machine.load::<u32>(pa + offset);
        assert!(word == 0, "check_page_alloc: ALLOC_ZERO left {word:#x} at {}", pa + offset);
    }
    let none = pages.page_alloc(machine, AllocFlags::empty());
    assert!(none.is_none(), "check_page_alloc: {} allocated from an empty list", none.words());

    // A page in use is not freed, nor a reserved one.
    let counted = pages.page_incref(pp);
    assert!(counted.is_ok(), "check_page_alloc: page_incref of {pa}: {}", counted.words());
    let in_use = PageError::Referenced { pa, pp_ref: 1 };
    expect(pages.try_page_free(pp), Err(in_use), "of a page with pp_ref 1", pa);
    pages.page_decref(pp);
    assert!(pages.nfree() == 1, "check_page_alloc: page_decref to 0 left {} free", pages.nfree());
    let counted = pages.page_incref(pp);
    let free = Err(CountError::Free { pa });
    assert!(counted == free, "check_page_alloc: page_incref of a free page: {}", counted.words());
    let again = pages.page_alloc(machine, AllocFlags::empty());
    assert!(again == Some(pp), "check_page_alloc: {} allocated, {pp} was free", again.words());
    let page_0 = Frame::new(0);
    let pa_0 = pages.page2pa(page_0);
    let reserved = Err(PageError::Reserved { pa: pa_0 });
    expect(pages.try_page_free(page_0), reserved, "of a reserved page", pa_0);

    machine.store(pa, link);
    pages.give_back(rest);
    refill(pages, machine, last);
    assert!(
        pages.nfree() == nfree,
        "check_page_alloc: {nfree} pages were free, {} are now",
        pages.nfree()
    );
    machine.print(format_args!("check_page_alloc() succeeded!\n"));
}

/// Allocates pages until none is left, [`MOST_DRAINED`] are allocated, or one lies beyond `end`; each holds
/// the number of the one before, so that [`refill`] finds them again. Returns the last, and how
/// many they are.
fn drain(
    pages: &mut impl PageAllocator,
    machine: &impl Machine,
    end: PhysAddr,
) -> (Option<Frame>, usize) {
    let npages = pages.npages();
    let mut last = None;
    let mut before = NONE;
    let mut count = 0;
    while count < MOST_DRAINED
        && let Some(frame) = pages.page_alloc(machine, AllocFlags::empty())
    {
        assert!(
            frame.index() < npages,
            "check_page_alloc: {frame} lies outside the {npages:#x} of pages"
        );
        let pa = pages.page2pa(frame);
        if pa >= end {
            expect(pages.try_page_free(frame), Ok(()), "of an allocated page", pa);
            break;
        }
        count += 1;
        machine.store(pa, before);
        before = frame.index() as u32;
        last = Some(frame);
    }
    (last, count)
}

/// Frees the pages that [`drain`] allocated. A page that was allocated twice is found here: the second
/// time it is free already.
fn refill(pages: &mut impl PageAllocator, machine: &impl Machine, last: Option<Frame>) {
    let mut next = last;
    while let Some(frame) = next {
        let pa = pages.page2pa(frame);
        let before = machine.load::<u32>(pa);
        expect(pages.try_page_free(frame), Ok(()), "of an allocated page", pa);
        next = (before != NONE).then_some(Frame::new(before));
    }
}

fn expect(freed: Result<(), PageError>, expected: Result<(), PageError>, what: &str, pa: PhysAddr) {
    assert!(
        freed == expected,
        "check_page_alloc: page_free {what}, {pa}, gives: {}; it must give: {}",
        freed.words(),
        expected.words()
    );
}
