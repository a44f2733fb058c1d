//! `mem_init`: JOS's lab 2 in one function, and [`Pmap`], the memory system that it sets up.
//!
//! The rooms below come together here: frames ([`mem`](crate::mem)), page tables
//! ([`paging`](crate::paging)), and the checks that prove each step ([`check`](crate::check)).

use core::hint::black_box;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use layout::{Content, MemLayout, PGSIZE, Region};

use crate::check::Checks;
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::boot::Boot;
use crate::mem::boot_alloc::{BootAlloc, BootMemory};
use crate::mem::detect_memory::{arrays, detect_memory};
use crate::mem::memory_map::window;
use crate::mem::pages::{Block, Globals, PageAllocator, Pages};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::range::PageSizes;
use crate::paging::vm::Vm;

/// The memory system of a machine, as [`mem_init`] leaves it: JOS's globals of `kern/pmap.c`.
///
/// It gives all that [`Vm`] has, and `kern_pgdir`, which is never given up.
#[derive(Debug)]
pub struct Pmap<M: Machine> {
    vm: Vm<M>,
    kern_pgdir: ManuallyDrop<Pgdir>,
    boot_memory: BootMemory,
    /// The memory that UENVS shows; none at first.
    envs: PhysRange,
}

/// Sets up the whole memory system, and proves each step: sizes RAM, allocates `kern_pgdir` and
/// `pages`, builds the free list, maps UPAGES, the kernel stack and the window at KERNBASE, and
/// switches from `entry_pgdir` to `kern_pgdir`.
///
/// On return permissions hold for the kernel too. The caller then moves to the stack at KSTACKTOP, and
/// calls [`Checks::check_page_installed_pgdir`] there.
///
/// # Panics
///
/// If the machine has too little RAM, or a check fails.
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

    // Memory for the page directory, and one PageInfo for each frame.
    let mut boot_alloc = BootAlloc::new::<M::Layout>(&boot);
    let kern_pgdir = boot_alloc.boot_alloc(&machine, PGSIZE);
    machine.tell_debugger(&Globals { npages, kern_pgdir, pages: None });
    let [pages_memory, runs_memory] = arrays(npages).map(|size| {
        let start = boot_alloc.boot_alloc(&machine, size);
        PhysRange::from_size(start, size.next_multiple_of(PGSIZE))
    });
    #[expect(unsafe_code)]
    // SAFETY: boot_alloc has just allocated the memory for these two alone. It is RAM in which, as `boot`
    // says, neither the kernel lies nor anything that the loader left, and so no object of Rust's.
    let (array, table) = unsafe {
        (
            machine.page_array(pages_memory.start, npages),
            machine.page_array(runs_memory.start, Block::table_len(npages)),
        )
    };

    // (No variable is called `pages`: gdb would take it for JOS's.)
    let allocator = Pages::new(array, table, PhysAddr::new(M::Layout::PHYS_BASE));
    let taken = boot_alloc.taken().clone();
    let mut pmap = Pmap {
        vm: Vm::new(machine, allocator, boot, kern_pgdir),
        kern_pgdir: ManuallyDrop::new(Pgdir::new(kern_pgdir)),
        boot_memory: BootMemory { pages: pages_memory, runs: runs_memory, taken },
        envs: PhysRange::default(),
    };
    let globals = pmap.globals();
    pmap.machine_mut().tell_debugger(&globals);
    // For gdb, which finds its variables in this function: in memory they answer at every line.
    black_box((&npages, &kern_pgdir));

    // The page tables as part of the address space, by the directory's entry for itself at UVPT.
    pmap.map_self(kern_pgdir);

    // From here on page_alloc owns all that boot_alloc has left.
    pmap.page_init(boot_alloc.free());
    pmap.checks().check_page_free_list();
    pmap.checks().check_page_alloc();
    pmap.checks().check_page();

    // The kernel's part of the address space.
    for region in layout::regions::<M::Layout>() {
        pmap.map_region(region);
    }
    pmap.map_devices();
    pmap.checks().check_kern_pgdir();

    // Memory in use is mapped at the same address in both directories.
    pmap.switchkvm();
    pmap.machine_mut().protect_kernel();
    pmap.checks().check_page_free_list();
    black_box((&npages, &kern_pgdir));
    pmap
}

impl<M: Machine> Pmap<M> {
    /// The kernel's page directory.
    pub fn kern_pgdir(&self) -> &Pgdir {
        &self.kern_pgdir
    }

    /// The memory system and `kern_pgdir`, as an operation on that takes them.
    pub fn split(&mut self) -> (&mut Vm<M>, &mut Pgdir) {
        (&mut self.vm, &mut self.kern_pgdir)
    }

    /// JOS's checks.
    pub fn checks(&mut self) -> Checks<'_, M> {
        Checks::new(&mut self.vm, &mut self.kern_pgdir, &self.boot_memory, self.envs)
    }

    /// The memory that `boot_alloc` has handed out.
    #[must_use]
    pub fn boot_memory(&self) -> &BootMemory {
        &self.boot_memory
    }

    /// Maps `envs` from UENVS on, read-only to programs and kernel (in JOS a step of `mem_init`), and proves it.
    ///
    /// # Errors
    ///
    /// As [`map_range`](Vm::map_range), and [`MapError::PastEnd`] if UENVS has no room. Nothing has changed then.
    ///
    /// # Panics
    ///
    /// If the check fails.
    pub(crate) fn map_envs(&mut self, envs: PhysRange) -> Result<(), MapError> {
        let Self { vm, kern_pgdir: pgdir, .. } = self;
        let (uenvs, end) = (VirtAddr::new(M::Layout::UENVS), M::Layout::UPAGES);
        if envs.size() > end - uenvs.as_u64() {
            return Err(MapError::PastEnd { last: VirtAddr::new(end - 1) });
        }
        let (size, pa) = (envs.size(), envs.start);
        vm.map_range(pgdir, uenvs, size, pa, Perm::UR, PageSizes::Largest)?;
        self.envs = envs;
        self.checks().check_envs();
        Ok(())
    }

    /// Where JOS's globals are, as long as this stays where it is.
    #[must_use]
    pub fn globals(&self) -> Globals {
        let pages = Some(self.pages().at());
        Globals { npages: self.pages().npages(), kern_pgdir: self.kern_pgdir.address(), pages }
    }

    /// Stands for the allocator that ended with [`mem_init`], to show what happens if it is called.
    ///
    /// # Panics
    ///
    /// Always: the page allocator owns all memory.
    #[inline(always)] // so that `b boot_alloc` finds the other one alone
    pub fn boot_alloc(&mut self, n: u64) -> PhysAddr {
        panic!("boot_alloc: {n} bytes asked for after page_init; use page_alloc")
    }

    /// Puts the memory that `boot_alloc` has left on the free list: all RAM that is used, except page 0,
    /// the IO hole, the kernel, the window's last frame, and whatever the loader left or `boot_alloc` has
    /// handed out.
    #[inline(always)] // so that in gdb mem_init is one frame above the `page_init` of `pages`
    fn page_init(&mut self, free: &[PhysRange]) {
        self.vm.pages_mut().page_init(free);
    }

    /// Maps the machine's devices from MMIOBASE on.
    fn map_devices(&mut self) {
        let Self { vm, kern_pgdir: pgdir, .. } = self;
        let mut va = VirtAddr::new(M::Layout::MMIOBASE);
        for device in vm.machine().devices() {
            vm.boot_map_region(pgdir, va, device.size(), device.start, Perm::KRW | Perm::G);
            va = va + device.size();
        }
    }

    /// Maps the memory that belongs in `region` from the start.
    fn map_region(&mut self, region: &Region) {
        let Self { vm, kern_pgdir: pgdir, boot_memory, .. } = self;
        let va = VirtAddr::new(region.base);
        let image = vm.boot().image;
        match region.content {
            // lab 2: begin map_region
            Content::Pages => {
                let PhysRange { start, .. } = boot_memory.pages;
                vm.boot_map_region(pgdir, va, boot_memory.pages.size(), start, Perm::UR);
            }
            Content::KernelStack => {
                let perm = Perm::KRW | Perm::G;
                vm.boot_map_region(pgdir, va, region.size, image.stack.start, perm);
            }
            Content::Window => {
                // No page is both writable and executable: the kernel's code and constants are cut out
                // of the plain memory.
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
                    vm.boot_map_region(pgdir, va, part.size(), part.start, perm | Perm::G);
                }
            }
            // lab 2: end
            // RAM of the window is not shown here too, where its code and constants would be writable.
            Content::PhysMap => {
                let mut start = window::<M::Layout>().end_exclusive;
                let above = |vm: &Vm<M>, start| {
                    let mut runs = vm.boot().memory.used::<M::Layout>();
                    runs.find(|run| run.end_exclusive > start)
                };
                while let Some(run) = above(vm, start) {
                    start = start.max(run.start);
                    let va = va + (start.as_u64() - M::Layout::PHYS_BASE);
                    let size = run.end_exclusive - start;
                    vm.boot_map_region(pgdir, va, size, start, Perm::KRW | Perm::G);
                    start = run.end_exclusive;
                }
            }
            // The self-map is in the directory already. The others are mapped on request, or never.
            Content::PageTables | Content::Empty | Content::Application | Content::Invalid => {}
        }
    }
}

impl<M: Machine> Deref for Pmap<M> {
    type Target = Vm<M>;

    fn deref(&self) -> &Vm<M> {
        &self.vm
    }
}

impl<M: Machine> DerefMut for Pmap<M> {
    fn deref_mut(&mut self) -> &mut Vm<M> {
        &mut self.vm
    }
}
