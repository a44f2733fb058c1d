//! Planted faults: each check must catch, and name, what it is there to catch.
//!
//! Every row of [`faults`] is one fault in a finished memory system, or an allocator or processor
//! that does one thing wrong. First come those that JOS's own checks let pass. Each
//! is planted on every machine that can have it.

mod formats;
mod layouts;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::vec::Vec;

use layout::{Jos32, Jos64, JosSv39, MB, MemLayout, PGSIZE};

use crate::check::check_pages::check_allocator;
use crate::machine::{Machine, PhysMem};
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::pages::{
    ALLOC_ZERO, AllocFlags, Frame, FreeList, PageAllocator, PageError, PageInfo, Pages,
};
use crate::paging::format::i386::I386;
use crate::paging::format::riscv::Sv39;
use crate::paging::format::x86_64::X86_64;
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::mappings::steps;
use crate::paging::pgdir::WordOf;
use crate::paging::word::Word;
use crate::pmap::{Pmap, mem_init};
use crate::sim::{SimMachine, mmu::Mmu};

const RAM: u64 = 5 * MB;

/// RAM beyond the window, where a machine has it: some large pages, and one page more.
const RAM_ABOVE: u64 = 4 * MB + PGSIZE;

type Sim<L, F> = Pmap<SimMachine<L, F>>;

/// A fault, how to plant it and ask for it, and what the check must say.
struct Fault<L: MemLayout, F: Format + Mmu> {
    name: &'static str,
    /// Plants the fault and runs the check that must catch it.
    run: fn(&mut Sim<L, F>),
    /// The panic's message contains this.
    says: &'static str,
}

/// A sound system with a sound stack, where `mem_init` and all checks have passed.
fn sound<L: MemLayout, F: Format + Mmu>(ram: u64) -> Sim<L, F> {
    let (machine, boot) = SimMachine::new(ram);
    let mut pmap = mem_init(machine, boot);
    pmap.machine.move_to_kernel_stack();
    pmap.check_page_installed_pgdir();
    pmap
}

impl<L: MemLayout, F: Format + Mmu> Sim<L, F> {
    /// Changes the leaf that maps `va`, whatever its size.
    fn change_leaf(&mut self, va: u64, change: impl FnOnce(&mut Leaf)) {
        let stop = self.walk(self.kern_pgdir, VirtAddr::new(va));
        let Entry::Leaf(mut leaf) = stop.entry else { panic!("{va:#x} is not mapped") };
        change(&mut leaf);
        self.machine.store(stop.at, F::leaf(stop.level, leaf.pa, leaf.perm));
    }

    fn allow(&mut self, va: u64, perm: Perm) {
        self.change_leaf(va, |leaf| leaf.perm |= perm);
    }

    fn forbid(&mut self, va: u64, perm: Perm) {
        self.change_leaf(va, |leaf| leaf.perm -= perm);
    }

    /// Takes away the leaf that maps `va`, whatever its size.
    fn unmap(&mut self, va: u64) {
        let stop = self.walk(self.kern_pgdir, VirtAddr::new(va));
        self.machine.store(stop.at, WordOf::<SimMachine<L, F>>::ZERO);
    }

    fn map_page(&mut self, va: u64, perm: Perm) {
        let pa = PhysAddr::new(L::PHYS_BASE + MB);
        self.boot_map_region(self.kern_pgdir, VirtAddr::new(va), PGSIZE, pa, perm);
    }

    /// Puts another entry for itself into the directory.
    fn set_self_map(&mut self, entry: F::Word) {
        let at = F::entry(F::ROOT, self.kern_pgdir, VirtAddr::new(L::UVPT));
        self.machine.store(at, entry);
    }

    /// Changes what `pages` says of the frame at `pa`.
    fn change_info(&mut self, pa: u64, change: impl FnOnce(&mut PageInfo)) {
        let frame = self.pages.pa2page(PhysAddr::new(pa)).expect("a frame of RAM");
        self.change_frame(frame, change);
    }

    fn change_frame(&mut self, frame: Frame, change: impl FnOnce(&mut PageInfo)) {
        let mut info = self.pages.info(frame);
        change(&mut info);
        self.pages.set_info(frame, info);
    }

    /// Reserves a page in place of the one at `pa`, so that there are as few as the memory map
    /// promises on its side of 1 MB.
    fn reserve_another(&mut self, pa: PhysAddr) {
        let side = |pa: PhysAddr| pa.as_u64() < L::EXTPHYSMEM;
        let mut taken = Vec::new();
        loop {
            let frame = self.page_alloc(AllocFlags::empty()).expect("a free page");
            if side(self.pages.page2pa(frame)) == side(pa) {
                self.pages.set_info(frame, PageInfo::reserved());
                break;
            }
            taken.push(frame);
        }
        taken.into_iter().rev().for_each(|frame| self.pages.page_free(frame));
    }

    /// The index of the free list's second frame.
    fn second_free(&self) -> u32 {
        let second = self.pages.page_free_list().nth(1).expect("two free pages");
        u32::try_from(second.index()).expect("frames have 32-bit numbers")
    }

    fn check_page_alloc_with(&mut self, fault: AllocatorFault) {
        let end = self.memory_end();
        let mut pages = FaultyPages { pages: &mut self.pages, fault, given: None };
        check_allocator(&mut pages, &mut self.machine, end);
    }
}

/// What a [`FaultyPages`] does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AllocatorFault {
    FreesWithoutCheck,
    LeavesLastWordDirty,
    ZeroesBothEnds,
    GivesAPageTwice,
    LosesAPage,
}

/// An allocator with a fault.
struct FaultyPages<'a> {
    pages: &'a mut Pages,
    fault: AllocatorFault,
    /// The page that was allocated last.
    given: Option<Frame>,
}

impl PageAllocator for FaultyPages<'_> {
    fn page_alloc(&mut self, mem: &impl PhysMem, flags: AllocFlags) -> Option<Frame> {
        if self.fault == AllocatorFault::GivesAPageTwice && self.pages.nfree() == 1 {
            // The last page goes lost, and in its place the one before is given once more.
            self.pages.page_alloc(mem, flags);
            return self.given;
        }
        if self.fault == AllocatorFault::ZeroesBothEnds && flags.contains(ALLOC_ZERO) {
            let given = self.pages.page_alloc(mem, AllocFlags::empty());
            let pa = self.pages.page2pa(given?);
            mem.store(pa, 0_u64);
            mem.store(pa + (PGSIZE - 8), 0_u64);
            return given;
        }
        self.given = self.pages.page_alloc(mem, flags);
        if self.fault == AllocatorFault::LosesAPage && self.pages.nfree() == 7 {
            self.pages.page_alloc(mem, AllocFlags::empty());
        }
        if self.fault == AllocatorFault::LeavesLastWordDirty && flags.contains(ALLOC_ZERO) {
            let pa = self.pages.page2pa(self.given?);
            mem.store(pa + (PGSIZE - 8), 1_u64);
        }
        self.given
    }

    fn try_page_free(&mut self, frame: Frame) -> Result<(), PageError> {
        if self.fault == AllocatorFault::FreesWithoutCheck {
            self.pages.set_info(frame, PageInfo::in_use(0));
        }
        self.pages.try_page_free(frame)
    }

    fn page_incref(&mut self, frame: Frame) -> Result<(), PageError> {
        self.pages.page_incref(frame)
    }

    fn page_decref(&mut self, frame: Frame) {
        self.pages.page_decref(frame);
    }

    fn set_aside_free_list(&mut self) -> FreeList {
        self.pages.set_aside_free_list()
    }

    fn give_back(&mut self, list: FreeList) {
        self.pages.give_back(list);
    }

    fn nfree(&self) -> usize {
        self.pages.nfree()
    }

    fn npages(&self) -> usize {
        self.pages.npages()
    }

    fn page2pa(&self, frame: Frame) -> PhysAddr {
        self.pages.page2pa(frame)
    }
}

/// The faults that every machine can have.
fn faults<L: MemLayout, F: Format + Mmu>() -> Vec<Fault<L, F>> {
    let mut faults: Vec<Fault<L, F>> = vec![
        // Those that pass JOS's own checks.
        Fault {
            name: "KERNBASE mapped user",
            run: |pmap| {
                pmap.allow(L::KERNBASE + 8 * MB, Perm::U);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        },
        Fault {
            name: "UPAGES user-writable",
            run: |pmap| {
                pmap.allow(L::UPAGES, Perm::W);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: UPAGES: ",
        },
        Fault {
            name: "UPAGES not user-readable",
            run: |pmap| {
                pmap.forbid(L::UPAGES + PGSIZE, Perm::U);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: UPAGES: ",
        },
        Fault {
            name: "stack read-only",
            run: |pmap| {
                pmap.forbid(L::KSTACK + PGSIZE, Perm::W);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel stack: ",
        },
        Fault {
            name: "stack user",
            run: |pmap| {
                pmap.allow(L::KSTACKTOP - PGSIZE, Perm::U);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel stack: ",
        },
        Fault {
            name: "the page just below the stack mapped",
            run: |pmap| {
                pmap.map_page(L::KSTACK - PGSIZE, Perm::KRW);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: the gap below the kernel stack: ",
        },
        Fault {
            name: "page_free without any check",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::FreesWithoutCheck),
            says: "check_page_alloc: page_free of a free page",
        },
        Fault {
            name: "reserved pages with pp_ref 0",
            run: |pmap| {
                pmap.change_info(L::PHYS_BASE + MB, |info| info.pp_ref_or_prev = 0);
                pmap.check_page_free_list();
            },
            says: "is not on the list, yet its pp_ref is 0",
        },
        Fault {
            name: "half the free memory leaked",
            run: |pmap| {
                // As if page_init had taken them for reserved, all but the lowest.
                let lowest = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
                for _ in 0..pmap.pages.nfree() / 2 {
                    let leaked = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
                    pmap.pages.set_info(leaked, PageInfo::reserved());
                }
                pmap.pages.page_free(lowest);
                pmap.check_page_free_list();
            },
            says: "but the memory map promises",
        },
        Fault {
            name: "the RAM of the IO hole freed",
            run: |pmap| {
                let hole = if L::IOPHYSMEM < L::EXTPHYSMEM { L::IOPHYSMEM } else { L::PHYS_BASE };
                pmap.change_info(hole, |info| *info = PageInfo::in_use(0));
                let frame = pmap.pages.pa2page(PhysAddr::new(hole)).expect("a frame");
                pmap.pages.page_free(frame);
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: ",
        },
        Fault {
            name: "above the RAM size only one page in a large one mapped",
            run: |pmap| {
                let va = L::KERNBASE + 64 * MB;
                pmap.unmap(va);
                let pa = PhysAddr::new(L::PHYS_BASE + 64 * MB);
                let perm = Perm::KRW | Perm::G;
                pmap.boot_map_region(pmap.kern_pgdir, VirtAddr::new(va), PGSIZE, pa, perm);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        },
        // And others.
        Fault {
            name: "kernel text writable",
            run: |pmap| {
                pmap.allow(L::KERNBASE + MB, Perm::W);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel text: ",
        },
        Fault {
            name: "rodata writable",
            run: |pmap| {
                let rodata = pmap.boot.image.rodata.start - PhysAddr::new(L::PHYS_BASE);
                pmap.allow(L::KERNBASE + rodata, Perm::W);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: kernel rodata: ",
        },
        Fault {
            name: "a page of KERNBASE leads to its neighbour",
            run: |pmap| {
                pmap.change_leaf(L::KERNBASE + MB - PGSIZE, |leaf| leaf.pa = leaf.pa + PGSIZE);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE, below the kernel: ",
        },
        Fault {
            name: "the last pages of KERNBASE missing",
            run: |pmap| {
                pmap.unmap(L::VA_LAST - PGSIZE);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        },
        Fault {
            name: "UPAGES to a wrong frame",
            run: |pmap| {
                pmap.change_leaf(L::UPAGES, |leaf| leaf.pa = leaf.pa + PGSIZE);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: UPAGES: ",
        },
        Fault {
            name: "entry_pgdir's mapping at 0 left in place",
            run: |pmap| {
                pmap.map_page(2 * MB, Perm::KRW);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: 0x200000 must not be mapped, but leads to ",
        },
        Fault {
            name: "a mapping in UENVS",
            run: |pmap| {
                pmap.map_page(L::UENVS, Perm::KR);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: ",
        },
        Fault {
            name: "a page in the devices' range",
            run: |pmap| {
                pmap.map_page(L::MMIOBASE, Perm::KRW);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: between ULIM and the kernel stack's gap: ",
        },
        Fault {
            name: "the free list runs in a circle",
            run: |pmap| {
                let head = pmap.pages.page_free_list_head();
                let second = pmap.second_free();
                pmap.change_frame(Frame::new(second), |info| info.pp_link = head);
                pmap.change_frame(Frame::new(head), |info| info.pp_ref_or_prev = second);
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: the list runs in a circle",
        },
        Fault {
            name: "a link that leads out of pages",
            run: |pmap| {
                let npages = u32::try_from(pmap.pages.npages()).expect("few");
                let second = Frame::new(pmap.second_free());
                pmap.change_frame(second, |info| info.pp_link = npages);
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: a link leads to ",
        },
        Fault {
            name: "a free page with pp_ref 1",
            run: |pmap| {
                let second = Frame::new(pmap.second_free());
                pmap.pages.set_info(second, PageInfo::in_use(1));
                pmap.check_page_free_list();
            },
            says: "is on the list with pp_ref 1",
        },
        Fault {
            name: "a free page that does not link back",
            run: |pmap| {
                let second = Frame::new(pmap.second_free());
                pmap.change_frame(second, |info| info.pp_ref_or_prev = 1);
                pmap.check_page_free_list();
            },
            says: "but says 0x1",
        },
        Fault {
            name: "a run of free pages that the table denies",
            run: |pmap| {
                pmap.pages.deny_frames(1);
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: block 1 has a free run of order 9",
        },
        Fault {
            name: "a run of free blocks that the table denies",
            run: |pmap| {
                pmap.pages.deny_blocks(0);
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: group 0 has a free run of order ",
        },
        Fault {
            name: "a block lost from the lists of the table",
            run: |pmap| {
                pmap.pages.lose_blocks();
                pmap.check_page_free_list();
            },
            says: "blocks have free runs, 0 are listed",
        },
        Fault {
            name: "a page table freed while in use",
            run: |pmap| {
                let stop = pmap.walk(pmap.kern_pgdir, VirtAddr::new(L::KSTACK));
                let table = pmap.pages.pa2page(stop.at).expect("tables are RAM");
                pmap.pages.page_decref(table);
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: page table ",
        },
        Fault {
            name: "a page freed while the application has it mapped",
            run: |pmap| {
                let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
                let va = VirtAddr::new(2 * MB);
                pmap.page_insert(pmap.kern_pgdir, page, va, Perm::URW).expect("it is mapped");
                pmap.pages.page_decref(page);
                pmap.check_page_free_list();
            },
            says: "is free, yet mapped at 0x200000",
        },
        Fault {
            name: "a page lost: neither free nor counted",
            run: |pmap| {
                pmap.page_alloc(AllocFlags::empty());
                pmap.check_page_free_list();
            },
            says: "is not on the list, yet its pp_ref is 0",
        },
        Fault {
            name: "the boot information free",
            run: |pmap| {
                let pa = pmap.boot.reserved.runs()[0].start;
                pmap.change_info(pa.as_u64(), |info| *info = PageInfo::in_use(1));
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: ",
        },
        Fault {
            name: "memory that boot_alloc handed out free",
            run: |pmap| {
                // Code, unlike what lies there in this machine, has bits; and as if page_init had
                // run before boot_alloc.
                pmap.machine.store(pmap.boot.image.text.start, u64::MAX);
                let head = pmap.pages.page_free_list().next().expect("a free page");
                let page = PhysRange::from_size(pmap.pages.page2pa(head), PGSIZE);
                pmap.machine.zero_frame(page.start);
                pmap.taken.insert(page).expect("a few runs fit");
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: writing to free pages changed the kernel",
        },
        Fault {
            name: "a page of the kernel in use like any other, and another reserved for it",
            run: |pmap| {
                pmap.reserve_another(pmap.boot.image.text.start);
                pmap.change_info(L::PHYS_BASE + MB, |info| *info = PageInfo::in_use(1));
                pmap.check_page_free_list();
            },
            says: "must be reserved, but is ",
        },
        Fault {
            name: "a page in use where there is no RAM",
            run: |pmap| {
                let runs = pmap.boot.memory.usable();
                let first = runs.runs()[0];
                let base = PhysAddr::new(L::PHYS_BASE);
                let hole = if first.start > base { base + PGSIZE } else { first.end_exclusive };
                pmap.reserve_another(hole);
                pmap.change_info(hole.as_u64(), |info| *info = PageInfo::in_use(1));
                pmap.check_page_free_list();
            },
            says: "of a hole in RAM must be reserved, but is ",
        },
        Fault {
            name: "a table of the application's counted twice",
            run: |pmap| {
                pmap.map_page(2 * MB, Perm::KRW);
                let va = VirtAddr::new(2 * MB);
                let mut steps = steps::<F, _>(&pmap.machine, pmap.kern_pgdir, va);
                let Some(Entry::Table { pa, .. }) = steps.next().map(|step| step.entry) else {
                    panic!("{va} is mapped")
                };
                pmap.change_info(pa.as_u64(), |info| info.pp_ref_or_prev = 2);
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: page table ",
        },
        Fault {
            name: "a table that nobody has made",
            run: |pmap| {
                pmap.map_page(L::PTSIZE, Perm::KRW);
                pmap.check_page();
            },
            says: "must give Err(NoMemory { va: VirtAddr(",
        },
        Fault {
            name: "empty tables left behind",
            run: |pmap| {
                let made = pmap.pgdir_walk(pmap.kern_pgdir, VirtAddr::new(L::MMIOBASE), true);
                assert!(made.is_ok_and(|entry| entry.is_some()), "tables for the devices' range");
                pmap.check_page();
            },
            says: " pages must be free at the end, not ",
        },
        Fault {
            name: "a large page over the devices' range",
            run: |pmap| {
                let (va, size) = (VirtAddr::new(L::MMIOBASE), F::page_size(1));
                let pa = PhysAddr::new(L::PHYS_BASE + 1024 * MB);
                pmap.boot_map_region(pmap.kern_pgdir, va, size, pa, Perm::KRW);
                pmap.check_page();
            },
            says: "must give Ok(()), not Err(LargePage ",
        },
        Fault {
            name: "ALLOC_ZERO leaves the last word",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::LeavesLastWordDirty),
            says: "check_page_alloc: ALLOC_ZERO left 0x1",
        },
        Fault {
            name: "ALLOC_ZERO zeroes the first word and the last",
            run: |pmap| pmap.check_page_alloc_with(AllocatorFault::ZeroesBothEnds),
            says: "check_page_alloc: ALLOC_ZERO left 0xffffffffffffffff at ",
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
        Fault {
            name: "invlpg dropped",
            run: |pmap| {
                pmap.machine.defects.drops_invlpg = true;
                pmap.check_page_installed_pgdir();
            },
            says: "(a stale TLB?)",
        },
        Fault {
            name: "another page directory in use",
            run: |pmap| {
                let other = pmap.page_alloc(ALLOC_ZERO).expect("a free page");
                let other = pmap.pages.page2pa(other);
                pmap.machine.lcr3(other);
                pmap.check_page_installed_pgdir();
            },
            says: "check_page_installed_pgdir: a read of 0x1000 after page_insert",
        },
        Fault {
            name: "the boot stack still in use",
            run: |pmap| {
                let (machine, _) = SimMachine::<L, F>::new(RAM);
                let boot_stack = machine.stack_pointer();
                pmap.machine.set_stack_pointer(boot_stack);
                pmap.check_page_installed_pgdir();
            },
            says: "is not the kernel stack",
        },
    ];
    // RISC-V cannot do without write protection.
    if F::PROCESSOR.is_x86() {
        faults.push(Fault {
            name: "the CR0 write dropped",
            run: |pmap| {
                pmap.machine.defects.drops_cr0_write = true;
                pmap.machine.protect_kernel();
                pmap.check_page_installed_pgdir();
            },
            says: "is write protection (CR0.WP) off?",
        });
    }
    if L::SELF_MAP {
        faults.push(Fault {
            name: "UVPT to a wrong frame",
            run: |pmap| {
                let wrong = pmap.page_alloc(ALLOC_ZERO).expect("a free page");
                let entry = F::self_map(pmap.pages.page2pa(wrong)).expect("it has one");
                pmap.set_self_map(entry);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: UVPT: ",
        });
        faults.push(Fault {
            name: "the page tables shown a second time, for the user to write",
            run: |pmap| {
                let at = F::entry(F::ROOT, pmap.kern_pgdir, VirtAddr::new(L::UENVS));
                pmap.machine.store(at, F::table(pmap.kern_pgdir));
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: below UPAGES: ",
        });
        faults.push(Fault {
            name: "UVPT user-writable",
            run: |pmap| {
                pmap.set_self_map(F::table(pmap.kern_pgdir));
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: UVPT: ",
        });
    }
    if !F::ALWAYS.contains(Perm::X) {
        faults.push(Fault {
            name: "data executable",
            run: |pmap| {
                pmap.allow(L::KERNBASE + 8 * MB, Perm::X);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: KERNBASE: ",
        });
    }
    faults
}

/// Faults that only a machine with more RAM than the window shows can have; its PHYSMAP shows
/// `RAM_ABOVE` bytes from the window's end on.
fn physmap_faults<L: MemLayout, F: Format + Mmu>() -> Vec<Fault<L, F>> {
    let mut faults: Vec<Fault<L, F>> = vec![
        Fault {
            name: "PHYSMAP mapped user",
            run: |pmap| {
                pmap.allow(L::PHYSMAP + L::WINDOW_SIZE + PGSIZE, Perm::U);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        },
        Fault {
            name: "PHYSMAP read-only",
            run: |pmap| {
                pmap.forbid(L::PHYSMAP + L::WINDOW_SIZE, Perm::W);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        },
        Fault {
            name: "PHYSMAP one page too long",
            run: |pmap| {
                pmap.map_page(L::PHYSMAP + L::WINDOW_SIZE + RAM_ABOVE, Perm::KRW);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: between ULIM and the kernel stack's gap: ",
        },
        Fault {
            name: "the last page of PHYSMAP missing",
            run: |pmap| {
                pmap.unmap(L::PHYSMAP + L::WINDOW_SIZE + RAM_ABOVE - PGSIZE);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        },
        Fault {
            name: "the window shown in PHYSMAP too, where code would be writable",
            run: |pmap| {
                pmap.map_page(L::PHYSMAP + MB, Perm::KRW);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: a hole in PHYSMAP: ",
        },
        Fault {
            name: "RAM above the window not free",
            run: |pmap| {
                let last = u32::try_from(pmap.pages.npages()).expect("few") - 1;
                pmap.change_frame(Frame::new(last - 1), |info| info.pp_link = PageInfo::END);
                pmap.pages.set_info(Frame::new(last), PageInfo::reserved());
                pmap.check_page_free_list();
            },
            says: "check_page_free_list: ",
        },
    ];
    if !F::ALWAYS.contains(Perm::X) {
        faults.push(Fault {
            name: "PHYSMAP executable",
            run: |pmap| {
                pmap.allow(L::PHYSMAP + L::WINDOW_SIZE, Perm::X);
                pmap.check_kern_pgdir();
            },
            says: "check_kern_pgdir: PHYSMAP: ",
        });
    }
    faults
}

/// The message of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (_, Some(text)) => String::from(*text),
        _ => String::new(),
    }
}

/// Plants every `step`th of the faults in a machine with `ram` bytes.
fn are_caught<L: MemLayout, F: Format + Mmu>(ram: u64, faults: Vec<Fault<L, F>>, step: usize) {
    for Fault { name, run, says } in faults.into_iter().step_by(step) {
        let mut pmap = sound::<L, F>(ram);
        match catch_unwind(AssertUnwindSafe(|| run(&mut pmap))) {
            Ok(()) => panic!("{}: {name}: no check noticed", L::NAME),
            Err(panic) => {
                let said = message(&*panic);
                assert!(said.contains(says), "{}: {name}: the check said: {said}", L::NAME);
            }
        }
    }
}

fn every_fault_is_caught<L: MemLayout, F: Format + Mmu>() {
    // Miri, a thousand times slower, looks for what the compiler cannot see, not for faults: it
    // gets a few of them.
    are_caught(RAM, faults::<L, F>(), if cfg!(miri) { 24 } else { 1 });
}

#[test]
#[cfg_attr(miri, ignore = "too much RAM")]
fn physmap() {
    let above = |window: u64| window + RAM_ABOVE;
    are_caught(above(Jos64::WINDOW_SIZE), physmap_faults::<Jos64, X86_64>(), 1);
    are_caught(above(JosSv39::WINDOW_SIZE), physmap_faults::<JosSv39, Sv39>(), 1);
}

#[test]
fn jos64() {
    every_fault_is_caught::<Jos64, X86_64>();
}

#[test]
fn jos32() {
    every_fault_is_caught::<Jos32, I386>();
}

#[test]
fn jossv39() {
    every_fault_is_caught::<JosSv39, Sv39>();
}

/// The kernel's tables have one use more for each address space, and that is no fault.
#[test]
#[cfg_attr(miri, ignore = "half a minute, and nothing here is unsafe")]
fn address_spaces_share_tables() {
    let mut pmap = sound::<Jos64, X86_64>(RAM);
    pmap.uvmcreate().expect("a page for the directory");
    pmap.check_page_free_list();
}
