//! Faults in `pages` and the free list, for `check_page_free_list` and `check_page_alloc` to name. The
//! first ones pass JOS's own.

use super::allocator::AllocatorFault;
use super::*;

/// Faults that every machine can have.
pub(super) fn faults<L: MemLayout, F: Format + Mmu>() -> Vec<Fault<L, F>> {
    vec![
        Fault {
            name: "page_free without any check",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::FreesWithoutCheck),
            says: "check_page_alloc: page_free of a free page",
        },
        Fault {
            name: "reserved pages with pp_ref 0",
            run: |pmap| {
                pmap.change_info(L::PHYS_BASE + MB, |info| info.pp_ref_or_prev = 0);
                pmap.checks().check_page_free_list();
            },
            says: "is not on the list, yet its pp_ref is 0",
        },
        Fault {
            name: "half the free memory leaked",
            run: |pmap| {
                // As if page_init had taken them for reserved, all but the lowest.
                let lowest = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
                for _ in 0..pmap.pages().nfree() / 2 {
                    let leaked = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
                    pmap.pages_mut().set_info(leaked, PageInfo::reserved());
                }
                pmap.pages_mut().page_free(lowest);
                pmap.checks().check_page_free_list();
            },
            says: "but the memory map promises",
        },
        Fault {
            name: "the RAM of the IO hole freed",
            run: |pmap| {
                let hole = if L::IOPHYSMEM < L::EXTPHYSMEM { L::IOPHYSMEM } else { L::PHYS_BASE };
                pmap.change_info(hole, |info| *info = PageInfo::in_use(0));
                let frame = pmap.pages().pa2page(PhysAddr::new(hole)).expect("a frame");
                pmap.pages_mut().page_free(frame);
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: ",
        },
        Fault {
            name: "the free list runs in a circle",
            run: |pmap| {
                let head = pmap.pages().page_free_list_head();
                let second = pmap.second_free();
                pmap.change_frame(Frame::new(second), |info| info.pp_link = head);
                pmap.change_frame(Frame::new(head), |info| info.pp_ref_or_prev = second);
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: the list runs in a circle",
        },
        Fault {
            name: "a link that leads out of pages",
            run: |pmap| {
                let npages = u32::try_from(pmap.pages().npages()).expect("few");
                let second = Frame::new(pmap.second_free());
                pmap.change_frame(second, |info| info.pp_link = npages);
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: a link leads to ",
        },
        Fault {
            name: "a free page with pp_ref 1",
            run: |pmap| {
                let second = Frame::new(pmap.second_free());
                pmap.pages_mut().set_info(second, PageInfo::in_use(1));
                pmap.checks().check_page_free_list();
            },
            says: "is on the list with pp_ref 1",
        },
        Fault {
            name: "a free page that does not link back",
            run: |pmap| {
                let second = Frame::new(pmap.second_free());
                pmap.change_frame(second, |info| info.pp_ref_or_prev = 1);
                pmap.checks().check_page_free_list();
            },
            says: "but says 0x1",
        },
        Fault {
            name: "a run of free pages that the table denies",
            run: |pmap| {
                pmap.pages_mut().deny_frames(1);
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: block 1 has a free run of order 9",
        },
        Fault {
            name: "a run of free blocks that the table denies",
            run: |pmap| {
                pmap.pages_mut().deny_blocks(0);
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: group 0 has a free run of order ",
        },
        Fault {
            name: "a block lost from the lists of the table",
            run: |pmap| {
                pmap.pages_mut().lose_blocks();
                pmap.checks().check_page_free_list();
            },
            says: "blocks have free runs, 0 are listed",
        },
        Fault {
            name: "a page table freed while in use",
            run: |pmap| {
                let stop = pmap.walk(pmap.kern_pgdir().address(), VirtAddr::new(L::KSTACK));
                let table = pmap.pages().pa2page(stop.at).expect("tables are RAM");
                pmap.pages_mut().page_decref(table);
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: page table ",
        },
        Fault {
            name: "a page freed while the application has it mapped",
            run: |pmap| {
                let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
                let va = VirtAddr::new(2 * MB);
                let (vm, pgdir) = pmap.split();
                vm.page_insert(pgdir, page, va, Perm::URW).expect("it is mapped");
                pmap.pages_mut().page_decref(page);
                pmap.checks().check_page_free_list();
            },
            says: "is free, yet mapped at 0x200000",
        },
        Fault {
            name: "a page lost: neither free nor counted",
            run: |pmap| {
                pmap.page_alloc(AllocFlags::empty());
                pmap.checks().check_page_free_list();
            },
            says: "is not on the list, yet its pp_ref is 0",
        },
        Fault {
            name: "the boot information free",
            run: |pmap| {
                let pa = pmap.boot().reserved.runs()[0].start;
                pmap.change_info(pa.as_u64(), |info| *info = PageInfo::in_use(1));
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: ",
        },
        Fault {
            name: "memory that boot_alloc handed out free",
            run: |pmap| {
                // Code, unlike what lies there in this machine, has bits; and as if page_init had
                // run before boot_alloc.
                pmap.machine().store(pmap.boot().image.text.start, u64::MAX);
                let head = pmap.pages().page_free_list().next().expect("a free page");
                let page = PhysRange::from_size(pmap.pages().page2pa(head), PGSIZE);
                pmap.machine().zero_frame(page.start);
                let mut boot_memory = pmap.boot_memory().clone();
                boot_memory.taken.insert(page).expect("a few runs fit");
                let (vm, kern_pgdir) = pmap.split();
                Checks::new(vm, kern_pgdir, &boot_memory, PhysRange::default())
                    .check_page_free_list();
            },
            says: "check_page_free_list: writing to free pages changed the kernel",
        },
        Fault {
            name: "a page of the kernel in use like any other, and another reserved for it",
            run: |pmap| {
                pmap.reserve_another(pmap.boot().image.text.start);
                pmap.change_info(L::PHYS_BASE + MB, |info| *info = PageInfo::in_use(1));
                pmap.checks().check_page_free_list();
            },
            says: "must be reserved, but is ",
        },
        Fault {
            name: "a page in use where there is no RAM",
            run: |pmap| {
                let runs = pmap.boot().memory.usable();
                let first = runs.runs()[0];
                let base = PhysAddr::new(L::PHYS_BASE);
                let hole = if first.start > base { base + PGSIZE } else { first.end_exclusive };
                pmap.reserve_another(hole);
                pmap.change_info(hole.as_u64(), |info| *info = PageInfo::in_use(1));
                pmap.checks().check_page_free_list();
            },
            says: "of a hole in RAM must be reserved, but is ",
        },
        Fault {
            name: "a table of the application's counted twice",
            run: |pmap| {
                pmap.map_page(2 * MB, Perm::KRW);
                let va = VirtAddr::new(2 * MB);
                let root = pmap.kern_pgdir().address();
                let step = steps::<F, _>(pmap.machine(), root, va).next();
                let Some(Entry::Table { pa, .. }) = step.map(|step| step.entry) else {
                    panic!("{va} is mapped")
                };
                pmap.change_info(pa.as_u64(), |info| info.pp_ref_or_prev = 2);
                pmap.checks().check_page_free_list();
            },
            says: "check_page_free_list: page table ",
        },
        Fault {
            name: "ALLOC_ZERO leaves the last word",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::LeavesLastWordDirty),
            says: "check_page_alloc: ALLOC_ZERO left 0x1",
        },
        Fault {
            name: "ALLOC_ZERO zeroes the first word and the last",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::ZeroesBothEnds),
            says: "check_page_alloc: ALLOC_ZERO left 0xffffffff at ",
        },
        Fault {
            name: "a page allocated twice",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::GivesAPageTwice),
            says: "check_page_alloc: ",
        },
        Fault {
            name: "a page lost while allocating",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::LosesAPage),
            says: "check_page_alloc: ",
        },
    ]
}

/// The page is named, whichever it is.
#[test]
fn a_lost_page_is_named() {
    for nth in [0, 1, 300] {
        let mut pmap = sound::<Jos64, X86_64>(RAM);
        let frames: Vec<_> =
            (0..=nth).map_while(|_| pmap.page_alloc(AllocFlags::empty())).collect();
        let lost = pmap.pages().page2pa(frames[nth]);
        frames[..nth].iter().rev().for_each(|frame| pmap.pages_mut().page_free(*frame));
        let check = AssertUnwindSafe(|| pmap.checks().check_page_free_list());
        let said = message(&*catch_unwind(check).expect_err("a page is lost"));
        let says = std::format!("page {lost} is not on the list, yet its pp_ref is 0");
        assert!(said.contains(&says), "{says}: the check said: {said}");
    }
}
