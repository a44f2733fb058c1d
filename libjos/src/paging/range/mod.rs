//! Ranges: `boot_map_region`, and mapping, unmapping and protecting any range of pages.
//!
//! An operation is at most two passes over the tables of its range. The first finds out whether it
//! can succeed, and how many tables it takes: mapping counts the tables that are missing, and
//! protecting looks for holes. (Unmapping passes over holes, and has no such pass.) The second pass does
//! the work, which cannot fail; so an error always leaves everything as it was. Each pass visits a
//! table once, and works on runs of its entries. Large pages are used where they fit; those that
//! reach over an end of the range are split.
//!
//! Change the kernel's half by `kern_pgdir`: directories in use follow at once, all others when they are
//! loaded (`shared.rs`). Another directory has the same tables there, so most of its changes are the
//! kernel's too. But its root entries are its own, and are lost when it follows the kernel's again. Root
//! entries change with large pages of the root's level (i386, RISC-V), and when a table is missing
//! that the root would link.
//!
//! The operations are here; the passes of mapping are in `map.rs`, changes to mapped pages in `change.rs`, splitting
//! and merging in `large.rs`.

mod change;
mod large;
mod map;

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, PageAllocator};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::flush::Flush;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::mappings::leaves;
use crate::paging::pgdir::WordOf;
use crate::paging::unmapping::Unmapping;
use crate::paging::vm::Vm;
use crate::paging::word::Word;
pub(crate) use change::{release_tree, used_entries};
pub(crate) use map::{Neighbours, Slots};

/// The sizes of pages that a range is mapped by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageSizes {
    /// The largest that alignment, length and the processor allow.
    Largest,
    /// The smallest alone.
    Smallest,
}

/// `size` bytes at `va`, and the physical address that they lead to; whole pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) va: VirtAddr,
    pub(crate) pa: PhysAddr,
    pub(crate) size: u64,
}

impl Span {
    /// The last virtual address; the first, if there is none.
    fn last(&self) -> VirtAddr {
        self.va + self.size.saturating_sub(1)
    }

    /// Cuts off the first `bytes`, which are done. The end may be 2^64; the addresses wrap then, and
    /// nothing is left.
    fn advance(&mut self, bytes: u64) {
        self.va = VirtAddr::new(self.va.as_u64().wrapping_add(bytes));
        self.pa = PhysAddr::new(self.pa.as_u64().wrapping_add(bytes));
        self.size -= bytes;
    }

    /// The first part of it, up to the end of the `count`th page of `page_size`.
    fn within(&self, page_size: u64, count: usize) -> Self {
        let offset = self.va.as_u64() & (page_size - 1);
        Self { size: self.size.min(count as u64 * page_size - offset), ..*self }
    }
}

impl<M: Machine> Vm<M> {
    /// Maps `[va, va + size)` to `[pa, pa + size)` with `perm` in the kernel's part of `pgdir`,
    /// by the largest pages that alignment and the processor allow. This is for mappings that stay for
    /// ever. No `pp_ref` changes there; below UTOP pages would be counted, as by
    /// [`map_range`](Self::map_range).
    ///
    /// # Panics
    ///
    /// If [`map_range`](Self::map_range) fails: a bug, or a machine that cannot be used.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn boot_map_region(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        size: u64,
        pa: PhysAddr,
        perm: Perm,
    ) {
        if let Err(error) = self.map_range(pgdir, va, size, pa, perm, PageSizes::Largest) {
            panic!("boot_map_region: {size:#x} bytes at {va} to {pa}: {error}");
        }
    }

    /// Maps `[va, va + size)` to `[pa, pa + size)` with `perm`. Below UTOP each page that `pages`
    /// describes is counted in its `pp_ref`, in a large page too. (In the kernel's half, use
    /// `kern_pgdir`: see [`range`](self).)
    ///
    /// # Errors
    ///
    /// [`MapError::Misaligned`], [`MapError::NonCanonical`], [`MapError::PastEnd`],
    /// [`MapError::Uvpt`], [`MapError::Global`] for the first page that other address spaces need
    /// not have, [`MapError::MisalignedPa`], [`MapError::BeyondPhysical`],
    /// [`MapError::AlreadyMapped`] or [`MapError::LargePage`] for the
    /// first page that is in the way, according to its size, [`MapError::NoMemory`], and, below
    /// UTOP, [`MapError::FreePage`] and [`MapError::Overflow`] for the first such page. Nothing has
    /// changed then.
    pub fn map_range(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        size: u64,
        pa: PhysAddr,
        perm: Perm,
        sizes: PageSizes,
    ) -> Result<(), MapError> {
        let (root, span) = (pgdir.address(), Span { va, pa, size });
        Self::check_range(va, size)?;
        self.check_global(root, va, span.last(), perm)?;
        if !pa.is_aligned(PGSIZE) {
            return Err(MapError::MisalignedPa { pa });
        }
        if pa.as_u64().checked_add(size).is_none_or(|end| end > M::Format::PA_END) {
            return Err(MapError::BeyondPhysical { pa });
        }
        if self.tables_to_map(M::Format::ROOT, root, span, sizes)? > self.pages.nfree() {
            return Err(MapError::NoMemory { va });
        }
        let counted = M::Layout::LOWER_END.saturating_sub(va.as_u64()).min(size);
        self.pages.count_run(pa, counted)?;
        self.map_in(root, span, &mut Neighbours(perm), sizes);
        if !Self::is_user(span.last()) {
            self.renew_loaded(root);
        }
        Ok(())
    }

    /// Maps `npages` pages at `va`, in the user half, to new frames.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`]; [`MapError::AlreadyMapped`] or [`MapError::LargePage`] if one of the
    /// pages is mapped; [`MapError::Global`] if `perm` has G. Nothing has changed then.
    pub(crate) fn map_new(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        npages: u64,
        perm: Perm,
        flags: AllocFlags,
    ) -> Result<(), MapError> {
        let span = Span { va, pa: PhysAddr::new(0), size: npages * PGSIZE };
        let (root, sizes) = (pgdir.address(), PageSizes::Smallest);
        self.check_global(root, va, span.last(), perm)?;
        let tables = self.tables_to_map(M::Format::ROOT, root, span, sizes)?;
        if tables as u64 + npages > self.pages.nfree() as u64 {
            return Err(MapError::NoMemory { va });
        }
        let put = &mut |vm: &mut Self, slots: &Slots| {
            for at in slots.addresses::<M::Format>() {
                let pa = vm.alloc_expected(flags);
                vm.machine.store(at, M::Format::leaf(0, pa, perm));
            }
        };
        self.map_in(root, span, put, sizes);
        Ok(())
    }

    /// Unmaps the pages of `[va, va + size)`, splitting large pages at its ends. Page tables stay. The uses
    /// of the pages end when the result does: at once, unless it is kept. (In the kernel's half, where no
    /// use is counted, all is done on return. There, use `kern_pgdir`: see [`range`](self).)
    ///
    /// # Errors
    ///
    /// [`MapError::Misaligned`], [`MapError::NonCanonical`], [`MapError::PastEnd`], [`MapError::Uvpt`],
    /// and [`MapError::NoMemory`] for the split of a large page. Nothing has changed then.
    pub fn unmap_range<'a>(
        &'a mut self,
        pgdir: &'a mut Pgdir,
        va: VirtAddr,
        size: u64,
    ) -> Result<Unmapping<'a, M>, MapError> {
        let root = pgdir.address();
        Self::check_range(va, size)?;
        self.split_at_ends(root, va, size)?;
        let span = Span { va, pa: PhysAddr::new(0), size };
        let last = span.last();
        let cpus = self.holders(root, last);
        let (mut flush, mut freed, visible) = (Flush::new(cpus), 0, !cpus.is_empty());
        if visible {
            let hide = &mut |vm: &mut Self, entries: &_| vm.hide_entries(entries, &mut flush);
            self.visit(M::Format::ROOT, root, span, hide);
            self.renew_loaded_leaves(root, last);
            if !Self::is_user(last) {
                flush.flush(&mut self.machine);
            }
        } else {
            freed = self.take_away(root, va, size, true);
        }
        Ok(Unmapping { vm: self, pgdir, va, size: if visible { size } else { 0 }, flush, freed })
    }

    /// Clears the pending entries of the `size` bytes at `va`, whose flush is over, and with `leaves`
    /// those of all other pages too. Ends the uses of the pages, and returns how many frames became free.
    pub(super) fn take_away(
        &mut self,
        root: PhysAddr,
        va: VirtAddr,
        size: u64,
        leaves: bool,
    ) -> usize {
        let span = Span { va, pa: PhysAddr::new(0), size };
        let mut freed = 0;
        let clear = &mut |vm: &mut Self, entries: &_| freed += vm.clear_entries(entries, leaves);
        self.visit(M::Format::ROOT, root, span, clear);
        freed
    }

    /// Gives all pages of `[va, va + size)` the permissions `perm`, splitting large pages at its
    /// ends. Accessed and dirty bits stay. A page that another address space may have too (copy-on-write in
    /// [`space`](crate::space::cow)) becomes copy-on-write if `perm` has W. (In the kernel's half, use
    /// `kern_pgdir`: see [`range`](self).)
    ///
    /// # Errors
    ///
    /// [`MapError::Misaligned`], [`MapError::NonCanonical`], [`MapError::PastEnd`],
    /// [`MapError::Uvpt`], [`MapError::Global`] as in [`map_range`](Self::map_range),
    /// [`MapError::NotMapped`] if there is a hole in the range, and [`MapError::NoMemory`] for
    /// the split of a large page. Nothing has changed then.
    pub fn protect_range(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        size: u64,
        perm: Perm,
    ) -> Result<(), MapError> {
        let (root, span) = (pgdir.address(), Span { va, pa: PhysAddr::new(0), size });
        Self::check_range(va, size)?;
        let last = span.last();
        self.check_global(root, va, last, perm)?;
        self.check_mapped(root, &span)?;
        self.split_at_ends(root, va, size)?;
        let mut flush = Flush::new(self.holders(root, last));
        let protect =
            &mut |vm: &mut Self, entries: &_| vm.protect_entries(entries, perm, &mut flush);
        self.visit(M::Format::ROOT, root, span, protect);
        self.renew_loaded_leaves(root, last);
        flush.flush(&mut self.machine);
        Ok(())
    }

    /// Checks that there is no hole in `span`.
    fn check_mapped(&self, root: PhysAddr, span: &Span) -> Result<(), MapError> {
        let va = span.va;
        let mut mapped = 0; // bytes from `va` on
        for leaf in leaves::<M::Format, M>(&self.machine, root, va, span.last()) {
            if leaf.va > va + mapped {
                break;
            }
            mapped = leaf.last() - va + 1;
        }
        if mapped < span.size { Err(MapError::NotMapped { va: va + mapped }) } else { Ok(()) }
    }

    /// The difference between the entries of neighbouring pages of `level`.
    fn leaf_step(level: u32) -> WordOf<M> {
        let entry = |pa| M::Format::leaf(level, PhysAddr::new(pa), Perm::R).to_u64();
        Word::from_u64(entry(M::Format::page_size(level)) - entry(0))
    }
}
