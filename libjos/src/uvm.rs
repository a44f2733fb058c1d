//! User memory, as xv6 has it: grown and shrunk ([`uvmalloc`](Pmap::uvmalloc),
//! [`uvmdealloc`](Pmap::uvmdealloc), [`sbrk`](Pmap::sbrk)), copied ([`uvmcopy`](Pmap::uvmcopy)),
//! and kept from the user where a guard page is wanted ([`clearpteu`](Pmap::clearpteu)).
//!
//! It lies from address 0 up to its size in bytes. Its page directory comes from
//! [`uvmcreate`](Pmap::uvmcreate). As in [`range`](crate::range), each operation first finds out
//! whether it can succeed, and then does work that cannot fail: an error leaves everything as it
//! was, and its address is the first that would have been worked on.

use core::fmt;

use layout::{MemLayout, PGSIZE, page_round_up};

use crate::addr::{PhysAddr, VirtAddr};
use crate::format::{Entry, Geometry, Perm};
use crate::machine::Machine;
use crate::mappings::{MAX_LEVELS, leaves};
use crate::pages::{ALLOC_ZERO, AllocFlags, Frame, PageAllocator};
use crate::pgdir::MapError;
use crate::pmap::Pmap;
use crate::range::PageSizes;
use crate::removal::{Flush, Removal};

/// Why user memory cannot be changed or reached as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UvmError {
    /// There are not enough free pages.
    NoMemory {
        /// The first address that was to get one.
        va: VirtAddr,
    },
    /// User memory cannot begin below 0, nor reach so far up.
    Limit {
        /// Where it ends now, or would end.
        va: VirtAddr,
    },
    /// The user may not do that here, or nothing is mapped.
    NoAccess {
        /// The first such address.
        va: VirtAddr,
    },
    /// The string does not end within as many bytes as there is room for.
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

/// What a process keeps of its memory (xv6's `p->pagetable` and `p->sz`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressSpace {
    /// The page directory.
    pub pgdir: PhysAddr,
    /// Bytes of user memory, from address 0 on; not always whole pages.
    pub sz: u64,
}

/// A 4 KB page below UTOP that is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UserPage {
    pub(crate) va: VirtAddr,
    pub(crate) pa: PhysAddr,
    /// What all levels together grant.
    pub(crate) perm: Perm,
    /// Bytes of the page, of any size, that it is part of.
    pub(crate) leaf_size: u64,
}

impl<M: Machine> Pmap<M> {
    /// Grows user memory from `oldsz` to `newsz` bytes by pages of zeros, which the user may read
    /// and, beyond that, do what `xperm` says. Both sizes are rounded up to whole pages; where
    /// `newsz` is the smaller, nothing happens. Returns the size that the memory has then.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoMemory`]; [`UvmError::Limit`] for a size beyond USTACKTOP, where the guard
    /// page of the user's stack begins; [`UvmError::Map`] where something is mapped there
    /// already. Nothing has changed then.
    pub fn uvmalloc(
        &mut self,
        pgdir: PhysAddr,
        oldsz: u64,
        newsz: u64,
        xperm: Perm,
    ) -> Result<u64, UvmError> {
        if newsz < oldsz {
            return Ok(oldsz);
        }
        let end = Self::user_end(newsz, M::Layout::USTACKTOP)?.as_u64();
        let start = Self::user_end(oldsz, M::Layout::USTACKTOP)?.as_u64();
        let pages = || (start..end).step_by(PGSIZE as usize).map(VirtAddr::new);
        let short = UvmError::NoMemory { va: VirtAddr::new(start) };
        // Before tables are counted page by page: a size may be absurd.
        let nfree = (self.pages.nfree() as u64).checked_sub((end - start) / PGSIZE).ok_or(short)?;
        if self.tables_for_pages(pgdir, pages())? as u64 > nfree {
            return Err(short);
        }
        for va in pages() {
            let frame = self.counted_page(ALLOC_ZERO);
            self.insert_counted(pgdir, frame, va, Perm::UR | xperm);
        }
        Ok(newsz)
    }

    /// Shrinks user memory from `oldsz` to `newsz` bytes. Both are rounded up to whole pages;
    /// where `newsz` is not the smaller, nothing happens. Holes are passed over, and page tables
    /// stay. Returns the size that the memory has then, and what must be flushed, and then freed.
    ///
    /// # Errors
    ///
    /// [`UvmError::Limit`] for a size beyond UTOP, and [`UvmError::Map`] where a large page must
    /// be split and there is no page for the table. Nothing has changed then.
    pub fn uvmdealloc(
        &mut self,
        pgdir: PhysAddr,
        oldsz: u64,
        newsz: u64,
    ) -> Result<(u64, Removal), UvmError> {
        if newsz >= oldsz {
            return Ok((oldsz, Removal::new(false)));
        }
        let end = Self::user_end(oldsz, M::Layout::UTOP)?;
        let start = Self::user_end(newsz, M::Layout::UTOP)?;
        Ok((newsz, self.unmap_range(pgdir, start, end - start)?))
    }

    /// Moves the end of user memory by `n` bytes, up or down (`sbrk`). New memory is zeros and
    /// can be written. Returns where the end was, and what must be flushed, and then freed.
    ///
    /// # Errors
    ///
    /// As [`uvmalloc`](Self::uvmalloc) and [`uvmdealloc`](Self::uvmdealloc), and
    /// [`UvmError::Limit`] for an end below 0. Nothing has changed then.
    pub fn sbrk(
        &mut self,
        space: &mut AddressSpace,
        n: i64,
    ) -> Result<(VirtAddr, Removal), UvmError> {
        let AddressSpace { pgdir, sz } = *space;
        let old_end = VirtAddr::new(sz);
        let newsz = sz.checked_add_signed(n).ok_or(UvmError::Limit { va: old_end })?;
        let (newsz, removal) = if n < 0 {
            self.uvmdealloc(pgdir, sz, newsz)?
        } else {
            (self.uvmalloc(pgdir, sz, newsz, Perm::W)?, Removal::new(false))
        };
        space.sz = newsz;
        Ok((old_end, removal))
    }

    /// Copies the user memory of `old`, `sz` bytes, to `new`: what is mapped there gets pages of
    /// its own in `new` with the same contents and permissions, and holes stay holes. Pages that
    /// are no RAM, such as a device's, are mapped in both. (For copies made only
    /// when one side writes: [`uvmcow`](Self::uvmcow).)
    ///
    /// # Errors
    ///
    /// [`UvmError::NoMemory`]; [`UvmError::Limit`] for a size beyond UTOP; [`UvmError::Map`]
    /// where something is in the way in `new`. Nothing has changed then.
    pub fn uvmcopy(&mut self, old: PhysAddr, new: PhysAddr, sz: u64) -> Result<(), UvmError> {
        let end = Self::user_end(sz, M::Layout::UTOP)?;
        let tables = self.tables_for_pages(new, self.user_pages(old, end).map(|page| page.va))?;
        let of_ram = |page: &UserPage| self.is_ram(page.pa);
        if tables + self.user_pages(old, end).filter(of_ram).count() > self.pages.nfree() {
            return Err(UvmError::NoMemory { va: VirtAddr::new(0) });
        }
        let mut at = VirtAddr::new(0);
        while let Some(page) = self.next_page(old, at, end) {
            if self.is_ram(page.pa) {
                let frame = self.counted_page(AllocFlags::empty());
                self.copy_frame(page.pa, self.pages.page2pa(frame));
                self.insert_counted(new, frame, page.va, page.perm);
            } else {
                self.share_counted(new, &page, page.perm);
            }
            at = page.va + PGSIZE;
        }
        Ok(())
    }

    /// Takes the page that `va` lies in from the user, and leaves it to the kernel: a guard page,
    /// as xv6 has below a user's stack. What comes back must be flushed.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] where nothing is mapped or `va` is not below UTOP, and
    /// [`UvmError::Map`] where a large page must be split and there is no page for the table.
    /// Nothing has changed then.
    pub fn clearpteu(&mut self, pgdir: PhysAddr, va: VirtAddr) -> Result<Flush, UvmError> {
        let page = self.user_page(pgdir, va, Perm::empty())?;
        Ok(self.protect_range(pgdir, page.va, PGSIZE, page.perm - Perm::U)?)
    }

    /// The page that `va` lies in, if it is below UTOP and has all of `perm`.
    pub(crate) fn user_page(
        &self,
        pgdir: PhysAddr,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<UserPage, UvmError> {
        if va.as_u64() >= M::Layout::UTOP {
            return Err(UvmError::NoAccess { va });
        }
        let start = va.page_start();
        self.next_page(pgdir, start, start + PGSIZE)
            .filter(|page| page.perm.contains(perm))
            .ok_or(UvmError::NoAccess { va })
    }

    /// The first page that is mapped in `[va, end_exclusive)`, which is of whole pages.
    pub(crate) fn next_page(
        &self,
        pgdir: PhysAddr,
        va: VirtAddr,
        end_exclusive: VirtAddr,
    ) -> Option<UserPage> {
        if va >= end_exclusive {
            return None;
        }
        let last = end_exclusive.as_u64() - 1;
        let mut leaves = leaves::<M::Format, M>(&self.machine, pgdir, va, VirtAddr::new(last));
        let leaf = leaves.next()?;
        // The first leaf may be a large one that begins further down.
        let va = va.max(leaf.va);
        let pa = leaf.pa + (va - leaf.va);
        Some(UserPage { va, pa, perm: leaf.perm, leaf_size: leaf.size })
    }

    /// All pages that are mapped below `end`.
    pub(crate) fn user_pages(
        &self,
        pgdir: PhysAddr,
        end: VirtAddr,
    ) -> impl Iterator<Item = UserPage> {
        let first = self.next_page(pgdir, VirtAddr::new(0), end);
        core::iter::successors(first, move |page| self.next_page(pgdir, page.va + PGSIZE, end))
    }

    /// Tables that mapping `pages`, which are in order, takes. Nothing may be mapped there.
    pub(crate) fn tables_for_pages(
        &self,
        pgdir: PhysAddr,
        pages: impl Iterator<Item = VirtAddr>,
    ) -> Result<usize, MapError> {
        // The last block of each level's page size for which a table was counted.
        let mut counted = [None; MAX_LEVELS];
        let mut tables = 0;
        for va in pages {
            let stop = self.walk(pgdir, va);
            match stop.entry {
                Entry::Leaf(_) if stop.level == 0 => return Err(MapError::AlreadyMapped { va }),
                Entry::Leaf(_) => {
                    let size = M::Format::page_size(stop.level);
                    return Err(MapError::LargePage { va, size });
                }
                _ => {}
            }
            for level in 1..=stop.level {
                let block = Some(va.as_u64() / M::Format::page_size(level));
                let last = &mut counted[level as usize];
                tables += usize::from(*last != block);
                *last = block;
            }
        }
        Ok(tables)
    }

    /// Where user memory of `sz` bytes ends, rounded up to a page, at most `limit`.
    pub(crate) fn user_end(sz: u64, limit: u64) -> Result<VirtAddr, UvmError> {
        match page_round_up(sz) {
            Some(end) if end <= limit => Ok(VirtAddr::new(end)),
            _ => Err(UvmError::Limit { va: VirtAddr::new(sz) }),
        }
    }

    /// A page of those that the caller has counted.
    fn counted_page(&mut self, flags: AllocFlags) -> Frame {
        match self.page_alloc(flags) {
            Some(frame) => frame,
            None => unreachable!("the free pages were counted"),
        }
    }

    /// Inserts `frame` where the caller has found nothing in the way and counted the tables.
    fn insert_counted(&mut self, pgdir: PhysAddr, frame: Frame, va: VirtAddr, perm: Perm) {
        if let Err(error) = self.page_insert(pgdir, frame, va, perm) {
            unreachable!("what page_insert takes was counted: {error}")
        }
    }

    /// Maps `page` in `pgdir` too, as [`insert_counted`](Self::insert_counted) does.
    pub(crate) fn share_counted(&mut self, pgdir: PhysAddr, page: &UserPage, perm: Perm) {
        let UserPage { va, pa, .. } = *page;
        if let Err(error) = self.map_range(pgdir, va, PGSIZE, pa, perm, PageSizes::Smallest) {
            unreachable!("what map_range takes was counted: {error}")
        }
    }
}
