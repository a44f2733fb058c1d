//! `mem_init`: JOS's lab 2 in one function, and [`Pmap`], the memory system that it sets up.
//!
//! Everything in this crate comes together here. The single operations are in
//! [`pages`](crate::mem::pages) (frames), [`pgdir`](crate::paging::pgdir) (tables) and
//! [`mapping`](crate::paging::mapping) (pages in tables); the `check_*` functions that prove each step in
//! [`check_pages`](crate::check::check_pages) and the files `check_page.rs`, `check_kern_pgdir.rs` and
//! `check_installed.rs`.

use core::hint::black_box;

use layout::{Content, MB, MemLayout, PGSIZE, Region};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::boot_alloc::{BootAlloc, TakenRuns};
use crate::mem::detect_memory::detect_memory;
use crate::mem::memory_map::{MemoryMap, window};
use crate::mem::pages::{AllocFlags, Block, Fill, Frame, PageAllocator, PageInfo, Pages, PagesAt};
use crate::mem::reservations::Reservations;
use crate::paging::format::{Format, Geometry, Perm};

/// The least RAM, in bytes, that a machine must have in the window at KERNBASE.
pub const MIN_RAM: u64 = 4 * MB;

/// Where the kernel lies in physical memory. Each range is of whole pages, in this order, one
/// behind the other.
#[derive(Clone, Copy, Debug)]
pub struct KernelImage {
    /// The code, from the image's start.
    pub text: PhysRange,
    /// What is only read.
    pub rodata: PhysRange,
    /// Everything else, to the image's end.
    pub data: PhysRange,
    /// The memory of the first kernel stack, in `data`; KSTKSIZE bytes.
    pub stack: PhysRange,
}

/// What `mem_init` must be told of the machine that was booted.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The RAM.
    pub memory: MemoryMap,
    /// The kernel.
    pub image: KernelImage,
    /// What the loader left in RAM and must stay: boot information, modules.
    pub reserved: Reservations,
}

/// The memory system of a machine: JOS's globals of `kern/pmap.c`, and the operations on them.
///
/// It stays on its thread, though its machine may be one that can be sent: safe code could swap
/// [`pages`](Self::pages) with those of another machine, which writes to their memory and stays
/// behind. A kernel that shares its memory system between threads says in a type of its own why
/// that cannot be.
///
/// ```
/// # use libjos::machine::Machine;
/// fn sent<T: Send>() {}
/// fn of<M: Machine + Send>() { sent::<M>() }
/// ```
///
/// ```compile_fail,E0277
/// # use libjos::{machine::Machine, pmap::Pmap};
/// fn sent<T: Send>() {}
/// fn of<M: Machine + Send>() { sent::<Pmap<M>>() }
/// ```
#[derive(Debug)]
pub struct Pmap<M: Machine> {
    /// The machine beneath.
    pub machine: M,
    /// The page allocator.
    pub pages: Pages,
    /// The kernel's page directory.
    pub(crate) kern_pgdir: PhysAddr,
    /// The page directory in use, where it is not `entry_pgdir`.
    pub(crate) loaded: Option<PhysAddr>,
    /// The page directory that has an unmapping open, as long as others are worked on.
    pub(crate) open: Option<PhysAddr>,
    /// The memory of `pages`.
    pub(crate) pages_memory: PhysRange,
    /// The memory of the table beside it, which helps to find runs of free frames.
    pub(crate) runs_memory: PhysRange,
    /// What `boot_alloc` handed out.
    pub(crate) taken: TakenRuns,
    pub(crate) boot: Boot,
}

/// Where JOS's globals are, for a debugger ([`Machine::tell_debugger`]).
#[derive(Clone, Copy, Debug)]
pub struct Globals {
    /// Frames that `pages` describes.
    pub npages: usize,
    /// The kernel's page directory.
    pub kern_pgdir: PhysAddr,
    /// The page allocator, once there is one.
    pub pages: Option<PagesAt>,
}

/// Sets up the whole memory system, and proves each step: sizes RAM, allocates `kern_pgdir` and
/// `pages`, builds the free list, maps UPAGES, the kernel stack and the window at KERNBASE, and
/// switches from `entry_pgdir` to `kern_pgdir`.
///
/// On return permissions hold for the kernel too. What is left for the caller is to move to the
/// stack at KSTACKTOP and to call [`Pmap::check_page_installed_pgdir`] there.
///
/// # Panics
///
/// Where the machine has too little RAM, or a check fails.
#[cfg_attr(debug_assertions, inline(never))]
pub fn mem_init<M: Machine>(mut machine: M, mut boot: Boot) -> Pmap<M> {
    // The map must be one, and made for tables of this format.
    const {
        layout::assert_layout::<M::Layout>();
        assert!(M::Layout::PTSIZE == PGSIZE << (M::Format::ROOT * M::Format::INDEX_BITS));
        assert!(M::Layout::VA_BITS == M::Format::VA_BITS);
        assert!(M::Layout::SELF_MAP == M::Format::SELF_MAP);
    }

    // How much RAM there is.
    let npages = detect_memory(&mut machine, &mut boot);

    // The page directory, and one PageInfo for each frame: from the memory behind the kernel.
    let mut boot_alloc = boot.allocator::<M::Layout>();
    let kern_pgdir = boot_alloc.boot_alloc(&machine, PGSIZE);
    machine.tell_debugger(&Globals { npages, kern_pgdir, pages: None });
    let mut array_memory = |len: usize| {
        let size = (len * size_of::<PageInfo>()) as u64;
        let start = boot_alloc.boot_alloc(&machine, size);
        PhysRange::from_size(start, size.next_multiple_of(PGSIZE))
    };
    let pages_memory = array_memory(npages);
    let runs_memory = array_memory(Block::table_len(npages));
    #[expect(unsafe_code)]
    // SAFETY: boot_alloc has just allocated the memory, for these two alone: RAM in which, as `boot`
    // says, neither the kernel lies nor what the loader left, and so no object of Rust's.
    let (array, table) = unsafe {
        let table_len = Block::table_len(npages);
        (
            machine.page_array(pages_memory.start, npages),
            machine.page_array(runs_memory.start, table_len),
        )
    };

    let mut pmap = Pmap {
        machine,
        pages: Pages::new(array, table, PhysAddr::new(M::Layout::PHYS_BASE)),
        kern_pgdir,
        loaded: None,
        open: None,
        pages_memory,
        runs_memory,
        taken: boot_alloc.taken().clone(),
        boot,
    };
    let globals = pmap.globals();
    pmap.machine.tell_debugger(&globals);
    // In this function gdb finds its variables. Kept in memory, they answer at every line.
    black_box((&npages, &kern_pgdir));

    // The page tables as part of the address space: the directory's own entry at UVPT.
    if let Some(entry) = M::Format::self_map(kern_pgdir) {
        let at = M::Format::entry(M::Format::ROOT, kern_pgdir, VirtAddr::new(M::Layout::UVPT));
        pmap.machine.store(at, entry);
    }

    // From here on page_alloc serves, and owns what boot_alloc has left.
    pmap.page_init(boot_alloc.free());
    pmap.check_page_free_list();
    pmap.check_page_alloc();
    pmap.check_page();

    // The kernel's part of the address space.
    for region in layout::regions::<M::Layout>() {
        pmap.map_region(region);
    }
    pmap.check_kern_pgdir();

    // The switch. All that is in use now is mapped at the same address in both directories.
    pmap.lcr3(kern_pgdir);
    pmap.machine.protect_kernel();
    pmap.check_page_free_list();
    black_box((&npages, &kern_pgdir));
    pmap
}

impl Boot {
    /// The allocator that `mem_init` begins with.
    #[must_use]
    pub fn allocator<L: MemLayout>(&self) -> BootAlloc {
        BootAlloc::new::<L>(&self.memory, &self.image, &self.reserved)
    }
}

impl<M: Machine> Pmap<M> {
    /// The physical address of the kernel's page directory.
    #[must_use]
    pub fn kern_pgdir(&self) -> PhysAddr {
        self.kern_pgdir
    }

    /// The memory that the array `pages` takes, in whole pages.
    #[must_use]
    pub fn pages_memory(&self) -> PhysRange {
        self.pages_memory
    }

    /// The memory that the table of runs beside `pages` takes, in whole pages.
    #[must_use]
    pub fn runs_memory(&self) -> PhysRange {
        self.runs_memory
    }

    /// Where JOS's globals are, as long as this stays where it is.
    #[must_use]
    pub fn globals(&self) -> Globals {
        let pages = Some(self.pages.at());
        Globals { npages: self.pages.npages(), kern_pgdir: self.kern_pgdir, pages }
    }

    /// What the machine was booted with.
    #[must_use]
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// Takes a page off the free list; its `pp_ref` is 0. `None` where there is none.
    pub fn page_alloc(&mut self, flags: AllocFlags) -> Option<Frame> {
        self.pages.page_alloc(&self.machine, flags)
    }

    /// Takes 2^`order` pages off the free list that lie side by side, as
    /// [`Pages::page_alloc_run`] does.
    pub fn page_alloc_run(&mut self, flags: AllocFlags, order: u32) -> Option<Frame> {
        self.pages.page_alloc_run(&self.machine, flags, order)
    }

    /// From here on fills each frame with [`POISON`](crate::mem::pages::POISON) when it is freed, and looks
    /// when it is allocated whether it still is so: who writes to a frame that is free is named by a
    /// panic, with the frame, the offset and the value. Frames that are free now are filled at once.
    /// `kern_pgdir` must be loaded, which shows all of them.
    ///
    /// # Safety
    ///
    /// `fill` writes to the frame that it is given, one of this machine's, and to nothing else;
    /// wherever this value is.
    #[expect(unsafe_code)]
    pub unsafe fn poison_pages(&mut self, fill: Fill) {
        self.pages.poison(fill);
    }

    /// Stands for the allocator of the time before [`mem_init`] was done, which has ended.
    ///
    /// # Panics
    ///
    /// Always: the page allocator owns all memory. This is here to show it.
    #[inline(always)] // so that `b boot_alloc` finds the other one alone
    pub fn boot_alloc(&mut self, n: u64) -> PhysAddr {
        panic!("boot_alloc: {n} bytes asked for after page_init; use page_alloc")
    }

    /// Puts what `boot_alloc` has left on the free list: all RAM that is used except page 0, the IO
    /// hole, the kernel, the window's last frame, and what the loader left and `boot_alloc` handed out.
    #[inline(always)] // so that, where gdb stops in the one of `pages`, mem_init is one frame up
    fn page_init(&mut self, free: &[PhysRange]) {
        self.pages.page_init(free);
    }

    /// Maps what `region` says belongs there from the start.
    fn map_region(&mut self, region: &Region) {
        let pgdir = self.kern_pgdir;
        let va = VirtAddr::new(region.base);
        let image = self.boot.image;
        match region.content {
            Content::Pages => {
                let PhysRange { start, .. } = self.pages_memory;
                self.boot_map_region(pgdir, va, self.pages_memory.size(), start, Perm::UR);
            }
            Content::KernelStack => {
                let perm = Perm::KRW | Perm::G;
                self.boot_map_region(pgdir, va, region.size, image.stack.start, perm);
            }
            Content::Window => {
                // Never both writable and executable: the kernel's code and constants are cut
                // out of what else is plain memory.
                let window = window::<M::Layout>();
                let before = PhysRange::new(window.start, image.text.start);
                let after = PhysRange::new(image.rodata.end_exclusive, window.end_exclusive);
                for (part, perm) in [
                    (before, Perm::KRW),
                    (image.text, Perm::KRX),
                    (image.rodata, Perm::KR),
                    (after, Perm::KRW),
                ] {
                    let va = va + (part.start - window.start);
                    self.boot_map_region(pgdir, va, part.size(), part.start, perm | Perm::G);
                }
            }
            // What the window shows is not shown twice: its code and constants are read-only.
            Content::PhysMap => {
                let mut start = window::<M::Layout>().end_exclusive;
                let above = |pmap: &Self, start| {
                    let mut runs = pmap.boot.memory.used::<M::Layout>();
                    runs.find(|run| run.end_exclusive > start)
                };
                while let Some(run) = above(self, start) {
                    start = start.max(run.start);
                    let va = va + (start.as_u64() - M::Layout::PHYS_BASE);
                    let size = run.end_exclusive - start;
                    self.boot_map_region(pgdir, va, size, start, Perm::KRW | Perm::G);
                    start = run.end_exclusive;
                }
            }
            // The self-map is in the directory already. All else is mapped when someone asks for
            // it, or never.
            Content::PageTables | Content::Empty | Content::Application | Content::Invalid => {}
        }
    }

    /// Makes `pgdir` the page directory in use.
    pub(crate) fn lcr3(&mut self, pgdir: PhysAddr) {
        self.machine.lcr3(pgdir);
        self.loaded = Some(pgdir);
    }
}
