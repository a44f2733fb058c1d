//! User memory as in xv6: grown and shrunk ([`uvmalloc`](AddressSpace::uvmalloc),
//! [`uvmdealloc`](AddressSpace::uvmdealloc), [`sbrk`](AddressSpace::sbrk)), and kept from the user where a guard
//! page is wanted ([`clearpteu`](AddressSpace::clearpteu)). [`uvmcopy`](AddressSpace::uvmcopy), which copies it, is
//! in `duplicate.rs`.
//!
//! It lies from address 0 up to its size in bytes. Its page directory comes from
//! [`uvmcreate`](AddressSpace::uvmcreate). As in [`range`](crate::paging::range), each operation first finds out
//! whether it can succeed, and then does work that cannot fail: an error leaves everything as it
//! was, and its address is the first that would have been worked on.

use core::fmt;

use layout::{MemLayout, PGSIZE, page_round_up};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::ALLOC_ZERO;
use crate::paging::error::MapError;
use crate::paging::format::{Leaf, Perm};
use crate::paging::mappings::{Mapping, leaves};
use crate::paging::vm::Vm;
use crate::space::AddressSpace;

/// Why user memory cannot be changed or reached as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UvmError {
    /// There are not enough free pages.
    NoMemory {
        /// The first address that was to be mapped.
        va: VirtAddr,
    },
    /// User memory cannot begin below 0, nor reach so far up.
    Limit {
        /// Where it ends now, or would end.
        va: VirtAddr,
    },
    /// The user may not do that to this address, or nothing is mapped.
    NoAccess {
        /// The first such address.
        va: VirtAddr,
    },
    /// The string is longer than the room for it.
    TooLong {
        /// Where it begins.
        va: VirtAddr,
    },
    /// The pages cannot be mapped, or their mapping changed.
    Map(MapError),
}

impl fmt::Display for UvmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory { va } => write!(f, "not enough free pages for user memory at {va}"),
            Self::Limit { va } => write!(f, "user memory that ends at {va} is out of bounds"),
            Self::NoAccess { va } => write!(f, "{va} is not the user's to access so"),
            Self::TooLong { va } => write!(f, "the string at {va} is too long"),
            Self::Map(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for UvmError {}

impl From<MapError> for UvmError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl AddressSpace {
    /// Grows user memory from `oldsz` to `newsz` bytes by pages of zeros, which the user may read, with
    /// the further permissions `xperm`. Both sizes are rounded up to whole pages; if `newsz` is the
    /// smaller, nothing happens. Returns the size that the memory has then. ([`sz`](Self::sz) stays as
    /// it is; [`sbrk`](Self::sbrk) and [`set_sz`](Self::set_sz) change it.)
    ///
    /// # Errors
    ///
    /// [`UvmError::NoMemory`]; [`UvmError::Limit`] for a size beyond USTACKTOP, where the guard
    /// page of the user's stack begins; [`UvmError::Map`] if something is mapped there
    /// already, or `xperm` has G. Nothing has changed then.
    pub fn uvmalloc<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        oldsz: u64,
        newsz: u64,
        xperm: Perm,
    ) -> Result<u64, UvmError> {
        if newsz < oldsz {
            return Ok(oldsz);
        }
        let end = user_end(newsz, M::Layout::USTACKTOP)?;
        let start = user_end(oldsz, M::Layout::USTACKTOP)?;
        let npages = (end - start) / PGSIZE;
        let mapped = vm.map_new(&mut self.pgdir, start, npages, Perm::UR | xperm, ALLOC_ZERO);
        mapped.map_err(of_new_frames)?;
        Ok(newsz)
    }

    /// Shrinks user memory from `oldsz` to `newsz` bytes. Both are rounded up to whole pages;
    /// if `newsz` is not the smaller, nothing happens. Holes are passed over, and page tables
    /// stay. Returns the size that the memory has then.
    ///
    /// # Errors
    ///
    /// [`UvmError::Limit`] for a size beyond UTOP, and [`UvmError::Map`] if a large page must
    /// be split and there is no page for the table. Nothing has changed then.
    pub fn uvmdealloc<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        oldsz: u64,
        newsz: u64,
    ) -> Result<u64, UvmError> {
        if newsz >= oldsz {
            return Ok(oldsz);
        }
        let end = user_end(oldsz, M::Layout::UTOP)?;
        let start = user_end(newsz, M::Layout::UTOP)?;
        vm.unmap_range(&mut self.pgdir, start, end - start)?;
        Ok(newsz)
    }

    /// Moves the end of user memory by `n` bytes, up or down (`sbrk`). New pages are zeros and
    /// can be written. Returns the end before that.
    ///
    /// # Errors
    ///
    /// As [`uvmalloc`](Self::uvmalloc) and [`uvmdealloc`](Self::uvmdealloc), and
    /// [`UvmError::Limit`] for an end below 0. Nothing has changed then.
    pub fn sbrk<M: Machine>(&mut self, vm: &mut Vm<M>, n: i64) -> Result<VirtAddr, UvmError> {
        let (sz, old_end) = (self.sz, VirtAddr::new(self.sz));
        let newsz = sz.checked_add_signed(n).ok_or(UvmError::Limit { va: old_end })?;
        self.sz = if n < 0 {
            self.uvmdealloc(vm, sz, newsz)?
        } else {
            self.uvmalloc(vm, sz, newsz, Perm::W)?
        };
        Ok(old_end)
    }

    /// Takes the page that `va` lies in from the user, and leaves it to the kernel: a guard page,
    /// as xv6 has below a user's stack.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] if nothing is mapped or `va` is not below UTOP, and
    /// [`UvmError::Map`] if a large page must be split and there is no page for the table.
    /// Nothing has changed then.
    pub fn clearpteu<M: Machine>(&mut self, vm: &mut Vm<M>, va: VirtAddr) -> Result<(), UvmError> {
        let page = self.user_page(vm, va, Perm::empty())?;
        Ok(vm.protect_range(&mut self.pgdir, page.va, PGSIZE, page.perm - Perm::U)?)
    }

    /// The page that `va` lies in, if it is below UTOP and has all of `perm`. Its `largest` says how large the page
    /// is that it is part of.
    pub(super) fn user_page<M: Machine>(
        &self,
        vm: &Vm<M>,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<Mapping, UvmError> {
        if va.as_u64() >= M::Layout::UTOP {
            return Err(UvmError::NoAccess { va });
        }
        let (asked, va) = (va, va.page_start());
        if let Some(leaf) = self.fast_user_page(vm, va, perm) {
            let (size, smallest, largest) = (PGSIZE, PGSIZE, PGSIZE);
            return Ok(Mapping { va, pa: leaf.pa, size, perm: leaf.perm, smallest, largest });
        }
        let leaf = leaves::<M::Format, M>(vm.machine(), self.root(), va, va).next();
        let leaf = leaf.filter(|leaf| leaf.perm.contains(perm));
        // The leaf may be a large one that begins further down.
        leaf.map(|leaf| leaf.within(va, va + (PGSIZE - 1))).ok_or(UvmError::NoAccess { va: asked })
    }

    /// The page of the smallest size that `va`, which is below UTOP, lies in, if it has all of `perm` and the fast path
    /// finds it.
    #[inline(always)]
    pub(super) fn fast_user_page<M: Machine>(
        &self,
        vm: &Vm<M>,
        va: VirtAddr,
        perm: Perm,
    ) -> Option<Leaf> {
        // The tables on the fast path allow all that there is.
        vm.fast_leaf(self.root(), va).filter(|leaf| leaf.perm.contains(perm))
    }

    /// The root of its page directory.
    pub(super) fn root(&self) -> PhysAddr {
        self.pgdir.address()
    }
}

/// The error of mapping to new frames.
pub(super) fn of_new_frames(error: MapError) -> UvmError {
    match error {
        MapError::NoMemory { va } => UvmError::NoMemory { va },
        error => error.into(),
    }
}

/// Where user memory of `sz` bytes ends, rounded up to a page, at most `limit`.
pub(super) fn user_end(sz: u64, limit: u64) -> Result<VirtAddr, UvmError> {
    match page_round_up(sz) {
        Some(end) if end <= limit => Ok(VirtAddr::new(end)),
        _ => Err(UvmError::Limit { va: VirtAddr::new(sz) }),
    }
}
