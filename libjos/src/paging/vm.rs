//! [`Vm`]: what the operations on page tables work with. They are its methods (xv6 has them in
//! `vm.c`).

use layout::{MemLayout, PGSIZE};

use crate::machine::{CpuSet, Machine, NCPU};
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::boot::Boot;
use crate::mem::memory_map::window;
use crate::mem::pages::{AllocFlags, Fill, Frame, PageAllocator, PageInfo, Pages};
use crate::paging::pgdir::WordOf;

/// Stands for the root of `entry_pgdir`, which is none of ours: no root has this address. (An `Option` in its
/// place costs `page_remove` two instructions.)
pub(super) const ENTRY_PGDIR: PhysAddr = PhysAddr::new(u64::MAX);

/// The machine, its frames, and the page directory in use.
///
/// It stays on its thread, even if its machine can be sent: safe code could swap its
/// [`pages`](Self::pages_mut) with those of another machine, which writes to their memory and stays
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
/// # use libjos::{machine::Machine, paging::vm::Vm};
/// fn sent<T: Send>() {}
/// fn of<M: Machine + Send>() { sent::<Vm<M>>() }
/// ```
#[derive(Debug)]
pub struct Vm<M: Machine> {
    pub(super) machine: M,
    pub(super) pages: Pages,
    /// The root of the kernel's page directory, which all others share a half with.
    pub(super) kern_root: PhysAddr,
    /// The root of the page directory that each processor uses, or [`ENTRY_PGDIR`].
    pub(super) loaded: [PhysAddr; NCPU],
    /// How often the root entries of the kernel's half may have changed, plus 1.
    pub(super) kernel_half: u64,
    /// Its value when `kern_pgdir` had all tables that directories share; 0 before that.
    pub(super) complete_half: u64,
    boot: Boot,
}

impl<M: Machine> Vm<M> {
    /// The memory system of `machine`, which still uses `entry_pgdir`.
    pub(crate) fn new(machine: M, pages: Pages, boot: Boot, kern_root: PhysAddr) -> Self {
        let (loaded, kernel_half, complete_half) = ([ENTRY_PGDIR; NCPU], 1, 0);
        Self { machine, pages, kern_root, loaded, kernel_half, complete_half, boot }
    }

    /// The machine beneath.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine beneath, mutable.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The page allocator.
    #[must_use]
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The page allocator, mutable.
    pub fn pages_mut(&mut self) -> &mut Pages {
        &mut self.pages
    }

    /// The machine and its page allocator.
    pub fn machine_and_pages(&mut self) -> (&mut M, &mut Pages) {
        (&mut self.machine, &mut self.pages)
    }

    /// The boot information of the machine.
    #[must_use]
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// The root of the kernel's page directory.
    #[must_use]
    pub fn kern_root(&self) -> PhysAddr {
        self.kern_root
    }

    /// The processors that use the page directory whose root is at `root`.
    #[inline]
    pub(crate) fn users(&self, root: PhysAddr) -> CpuSet {
        CpuSet::of(&self.loaded, |loaded| *loaded == root)
    }

    /// Whether this processor uses the page directory whose root is at `root`.
    #[inline]
    pub(crate) fn is_loaded(&self, root: PhysAddr) -> bool {
        self.loaded[self.machine.cpu().number()] == root
    }

    /// The processors that may have translations by the directory at `root`, of addresses up to `last`:
    /// those that use it, or all if `last` lies in the half that all directories share.
    #[inline]
    pub(crate) fn holders(&self, root: PhysAddr, last: VirtAddr) -> CpuSet {
        if Self::is_user(last) { self.users(root) } else { CpuSet::ALL }
    }

    /// Takes a page off the free list; its `pp_ref` is 0. `None` if there is none.
    pub fn page_alloc(&mut self, flags: AllocFlags) -> Option<Frame> {
        self.pages.page_alloc(&self.machine, flags)
    }

    /// Takes 2^`order` pages off the free list that lie side by side, as
    /// [`Pages::page_alloc_run`] does.
    pub fn page_alloc_run(&mut self, flags: AllocFlags, order: u32) -> Option<Frame> {
        self.pages.page_alloc_run(&self.machine, flags, order)
    }

    /// From now on fills each frame with [`POISON`](crate::mem::pages::POISON) when it is freed, and
    /// checks when it is allocated that it is still so. A write to a free frame ends in a panic that
    /// names the frame, the offset and the value. Frames that are free now are filled at once.
    /// `kern_pgdir`, which shows all of them, must be loaded.
    ///
    /// # Safety
    ///
    /// `fill` writes to the frame that it is given, one of this machine's, and to nothing else;
    /// wherever this value is.
    #[expect(unsafe_code)]
    pub unsafe fn poison_pages(&mut self, fill: Fill) {
        self.pages.poison(fill);
    }

    /// The physical memory that `pages` describes.
    pub(crate) fn described(&self) -> PhysRange {
        let size = self.pages.npages() as u64 * PGSIZE;
        PhysRange::from_size(PhysAddr::new(M::Layout::PHYS_BASE), size)
    }

    /// Whether `pa` is RAM that can be reached, and no device. (There are holes in what `pages`
    /// describes, and the window's last frame is out of reach.)
    #[must_use]
    pub fn is_ram(&self, pa: PhysAddr) -> bool {
        match self.pages.info_at(pa) {
            // No other memory is ever allocated.
            Some(info) if info.pp_link == PageInfo::IN_USE => true,
            Some(_) => self.is_usable(pa),
            None => false,
        }
    }

    /// The rest of [`is_ram`](Self::is_ram), for frames that were not allocated, such as the kernel's own.
    #[cold]
    #[inline(never)]
    fn is_usable(&self, pa: PhysAddr) -> bool {
        let is_reached = pa.page_start() != PhysAddr::new(M::Layout::WINDOW_LAST_FRAME);
        is_reached && self.boot.memory.usable().contains(pa)
    }

    // lab 2: begin omit
    /// How many pages of `range` are RAM that can be reached, as [`is_ram`](Self::is_ram) has it for one.
    pub(crate) fn ram_pages(&self, range: &PhysRange) -> u64 {
        let last = PhysRange::from_size(PhysAddr::new(M::Layout::WINDOW_LAST_FRAME), PGSIZE);
        let parts = self.boot.memory.used::<M::Layout>().map(|run| run.intersection(range));
        parts.map(|part| (part.size() - part.intersection(&last).size()) / PGSIZE).sum()
    }

    // lab 2: end
    /// The end of the physical memory that the kernel sees now: `entry_pgdir` has the window alone.
    pub(crate) fn memory_end(&self) -> PhysAddr {
        match self.loaded[self.machine.cpu().number()] {
            ENTRY_PGDIR => window::<M::Layout>().end_exclusive,
            _ => self.boot.memory.used_end::<M::Layout>(),
        }
    }

    /// Copies the frame at `from` to the one at `to`.
    pub(crate) fn copy_frame(&self, from: PhysAddr, to: PhysAddr) {
        for offset in (0..PGSIZE).step_by(size_of::<WordOf<M>>()) {
            self.machine.store(to + offset, self.machine.load::<WordOf<M>>(from + offset));
        }
    }
}
