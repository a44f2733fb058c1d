//! [`Pgdir`]: a page directory as a value that is owned, made once and given up once.
//!
//! ```
//! # if cfg!(miri) { return; }
//! # use layout::{Jos64, MB};
//! # use libjos::{mem::addr::VirtAddr, paging::format::x86_64::X86_64, pmap::mem_init, sim::SimMachine};
//! # let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
//! # let mut pmap = mem_init(machine, boot);
//! let pgdir = pmap.pgdir_create().unwrap();
//! assert_eq!(pmap.pgdir_free(pgdir), 1);
//! ```
//!
//! It is not given up twice, nor used after that:
//!
//! ```compile_fail,E0382
//! # use libjos::{machine::Machine, paging::vm::Vm};
//! # fn example<M: Machine>(vm: &mut Vm<M>) {
//! let pgdir = vm.pgdir_create().unwrap();
//! assert_eq!(vm.pgdir_free(pgdir), 1);
//! assert_eq!(vm.pgdir_free(pgdir), 1);
//! # }
//! ```
//!
//! ```compile_fail,E0382
//! # use libjos::{machine::Machine, mem::addr::VirtAddr, paging::vm::Vm};
//! # fn example<M: Machine>(vm: &mut Vm<M>) {
//! let pgdir = vm.pgdir_create().unwrap();
//! assert_eq!(vm.pgdir_free(pgdir), 1);
//! assert_eq!(vm.va2pa(&pgdir, VirtAddr::new(0)), None);
//! # }
//! ```
//!
//! `kern_pgdir` is never given up:
//!
//! ```compile_fail,E0507
//! # use libjos::{machine::Machine, pmap::Pmap};
//! # fn example<M: Machine>(pmap: &mut Pmap<M>) {
//! let (vm, kern_pgdir) = pmap.split();
//! vm.pgdir_free(*kern_pgdir);
//! # }
//! ```

use core::mem::forget;

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{ALLOC_ZERO, PageAllocator};
use crate::paging::error::MapError;
// lab 3: begin directory_names
use crate::paging::format::{Entry, Format, Geometry};
// lab 2: begin omit
use crate::paging::range::{release_tree, used_entries};
// lab 2: end
use crate::paging::vm::Vm;
// lab 3: end

/// A page directory (JOS's `pde_t *`, xv6's `pagetable_t`).
///
/// Operations that change what it maps take it by `&mut`, those that only look by `&`.
/// [`Vm::pgdir_create`] makes one and [`Vm::pgdir_free`] gives it up. To drop it instead would lose
/// its frames: that panics in debug builds, and leaks them in others.
#[derive(PartialEq, Eq, Debug)]
#[repr(transparent)]
#[must_use = "a page directory is given up by `pgdir_free`"]
pub struct Pgdir(PhysAddr);

impl Pgdir {
    /// The page directory whose root is the frame at `root`, which nothing else owns.
    pub(crate) fn new(root: PhysAddr) -> Self {
        Self(root)
    }

    /// The physical address of the root table.
    #[must_use]
    #[inline]
    pub fn address(&self) -> PhysAddr {
        self.0
    }
}

impl Drop for Pgdir {
    fn drop(&mut self) {
        #[cfg(any(test, feature = "std"))]
        if std::thread::panicking() {
            return;
        }
        if cfg!(debug_assertions) {
            panic!("the page directory at {} is dropped, not given up", self.0);
        }
    }
}

impl<M: Machine> Vm<M> {
    // lab 2: begin omit
    /// Makes a page directory with nothing below UTOP; above it shares the kernel's half. The root's
    /// `pp_ref` is 1.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], with UENVS as the address; nothing has changed then.
    ///
    /// # Panics
    ///
    /// If a table of the kernel's half is no page of RAM: a bug.
    pub fn pgdir_create(&mut self) -> Result<Pgdir, MapError> {
        let missing = self.missing_shared_tables();
        if missing + 1 > self.pages.nfree() {
            return Err(MapError::NoMemory { va: VirtAddr::new(M::Layout::UENVS) });
        }
        self.make_shared_tables();
        // lab 3: begin env_setup_vm
        let root = self.alloc_expected(ALLOC_ZERO);
        self.share_kernel_half(root);
        self.map_self(root);
        Ok(Pgdir::new(root))
        // lab 3: end
    }

    /// A page directory that maps nothing at all, the kernel's half neither, and so cannot be
    /// loaded: to measure the work on one. The root's `pp_ref` is 1. `None` if there is no free page.
    pub fn pgdir_empty(&mut self) -> Option<Pgdir> {
        let root = self.alloc_used(ALLOC_ZERO)?;
        Some(Pgdir::new(self.pages.page2pa(root)))
    }

    /// Gives `pgdir` up: all that it maps below UTOP, its tables, and its root. If it is in use,
    /// `kern_pgdir` takes its place first. Returns how many frames became free.
    ///
    /// Nothing is flushed: the processor forgot all translations of `pgdir` when another directory
    /// was loaded.
    ///
    /// # Panics
    ///
    /// If `pgdir` is `kern_pgdir`, which safe code can get hold of by exchanging it for another one; or if a table is no
    /// page of RAM: a bug.
    pub fn pgdir_free(&mut self, pgdir: Pgdir) -> usize {
        let (root, level) = (pgdir.address(), M::Format::ROOT);
        forget(pgdir);
        assert!(root != self.kern_root, "pgdir_free: kern_pgdir is given up");
        if !self.users(root).is_empty() {
            self.switchkvm();
        }
        let Self { machine, pages, .. } = self;
        let mut freed = pages.release(|releases| {
            for (index, word) in used_entries(machine, root, Self::first_shared_slot()) {
                let entry = M::Format::decode(level, word);
                let is_user = Self::is_user(M::Format::address(level, VirtAddr::new(0), index));
                if let Entry::Table { pa, .. } = entry {
                    release_tree(machine, releases, level - 1, pa, is_user);
                } else if let (Some(pa), true) = (entry.page(), is_user) {
                    releases.release(pa, (M::Format::page_size(level) / PGSIZE) as usize);
                }
            }
        });
        freed += self.release_shared_tables(root);
        freed + self.pages.release(|releases| releases.release_table(root))
    }

    /// Loads `pgdir`, and first brings its part of the kernel's half up to date.
    ///
    /// # Panics
    ///
    /// As [`pgdir_create`](Self::pgdir_create).
    pub fn switch(&mut self, pgdir: &mut Pgdir) {
        self.share_kernel_half(pgdir.address());
        self.lcr3(pgdir.address());
    }

    /// Does [`switch`](Self::switch) for a directory that followed the kernel's half when its root entries had
    /// changed `followed` times, and has changed none of its own there since.
    #[inline]
    pub(crate) fn switch_followed(&mut self, pgdir: &mut Pgdir, followed: &mut u64) {
        if *followed != self.kernel_half {
            self.share_kernel_half(pgdir.address());
            *followed = self.kernel_half;
        }
        self.lcr3(pgdir.address());
    }

    // lab 2: end
    /// Loads `kern_pgdir` (xv6's `switchkvm`).
    pub fn switchkvm(&mut self) {
        self.lcr3(self.kern_root);
    }

    /// Enters the root at `root` in itself, at UVPT, if the format lets it.
    pub(crate) fn map_self(&mut self, root: PhysAddr) {
        if let Some(entry) = M::Format::self_map(root) {
            let uvpt = VirtAddr::new(M::Layout::UVPT);
            self.machine.store(M::Format::entry(M::Format::ROOT, root, uvpt), entry);
        }
    }

    /// Makes the directory whose root is at `root` the one in use on this processor.
    fn lcr3(&mut self, root: PhysAddr) {
        self.machine.lcr3(root);
        self.loaded[self.machine.cpu().number()] = root;
    }
}
