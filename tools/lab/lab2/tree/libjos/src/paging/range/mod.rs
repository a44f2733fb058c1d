//! Ranges: `boot_map_region`, which is yours to write, and plain loops over your functions for all that maps more than
//! one page.

use layout::{MemLayout, PGSIZE};

use crate::machine::{Machine, PhysMem};
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, PageAllocator};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::format::{Entry, Format, Geometry, Perm};
use crate::paging::mappings::{leaves, steps};
use crate::paging::pgdir::{Pte, Stop, WordOf};
use crate::paging::vm::Vm;
use crate::paging::word::Word;

/// The sizes of pages that a range is mapped by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageSizes {
    /// The largest that alignment, length and the processor allow.
    Largest,
    /// The smallest alone.
    Smallest,
}

impl<M: Machine> Vm<M> {
    /// Maps `[va, va + size)` to `[pa, pa + size)` with `perm` in the kernel's part of `pgdir`, by pages of the smallest
    /// size. No `pp_ref` changes. This is for mappings that stay for ever. All four are of whole pages.
    ///
    /// # Panics
    ///
    /// If there is no frame for a page table.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn boot_map_region(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        size: u64,
        pa: PhysAddr,
        perm: Perm,
    ) {
        exercise!(boot_map_region)
    }

    /// Maps `[va, va + size)` to `[pa, pa + size)` with `perm`, by page_insert or, where no frame is counted, by
    /// boot_map_region.
    ///
    /// # Errors
    ///
    /// As [`page_insert`](Self::page_insert), and [`MapError::AlreadyMapped`]. Nothing has changed then.
    pub fn map_range(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        size: u64,
        pa: PhysAddr,
        perm: Perm,
        sizes: PageSizes,
    ) -> Result<(), MapError> {
        Self::check_range(va, size)?;
        if let Some(mapped) = self.first_mapped(pgdir, va, size) {
            return Err(MapError::AlreadyMapped { va: mapped });
        }
        if sizes == PageSizes::Largest && size == M::Format::page_size(1) && pa.is_aligned(size) {
            return self.map_large_page(pgdir, va, pa, perm);
        }
        if self.pages.pa2page(pa).is_none() {
            self.boot_map_region(pgdir, va, size, pa, perm);
            return Ok(());
        }
        for offset in (0..size).step_by(PGSIZE as usize) {
            let frame = self.pages.pa2page(pa + offset).expect("frames of RAM");
            if let Err(error) = self.page_insert(pgdir, frame, va + offset, perm) {
                self.unmap_range(pgdir, va, offset)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Maps one large page, for the checks: a leaf takes the place of a new table. No use is counted.
    fn map_large_page(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        pa: PhysAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        self.pgdir_walk(pgdir, va, true)?;
        let root = pgdir.address();
        let step = steps::<M::Format, M>(&self.machine, root, va).find(|step| step.level == 1);
        let step = step.ok_or(MapError::NotMapped { va })?;
        self.machine.store(step.at, M::Format::leaf(1, pa, perm));
        self.machine.made_valid(None);
        if let Entry::Table { pa, .. } = step.entry {
            self.pages.page_decref_at(pa);
        }
        Ok(())
    }

    /// Unmaps the pages of `[va, va + size)`, one by one. Page tables stay.
    ///
    /// # Errors
    ///
    /// As [`page_remove`](Self::page_remove).
    pub fn unmap_range(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        size: u64,
    ) -> Result<(), MapError> {
        Self::check_range(va, size)?;
        let (mut from, mut left) = (va, size);
        while let Some(mapped) = self.first_mapped(pgdir, from, left) {
            self.page_remove(pgdir, mapped)?;
            left -= mapped - from + PGSIZE;
            from = VirtAddr::new(mapped.as_u64().wrapping_add(PGSIZE));
        }
        Ok(())
    }

    /// Gives all pages of `[va, va + size)` the permissions `perm`. Accessed and dirty bits stay.
    ///
    /// # Errors
    ///
    /// [`MapError::NotMapped`] if there is a hole in the range; [`MapError::LargePage`].
    pub fn protect_range(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        size: u64,
        perm: Perm,
    ) -> Result<(), MapError> {
        Self::check_range(va, size)?;
        for offset in (0..size).step_by(PGSIZE as usize) {
            let va = va + offset;
            match self.walk(pgdir.address(), va) {
                Stop { level: 0, entry: Entry::Leaf(_), .. } => {}
                Stop { entry: Entry::Absent, .. } => return Err(MapError::NotMapped { va }),
                Stop { level, .. } => {
                    return Err(MapError::large_page(va, M::Format::page_size(level)));
                }
            }
        }
        for offset in (0..size).step_by(PGSIZE as usize) {
            let stop = self.walk(pgdir.address(), va + offset);
            self.set_perm(0, stop.at, perm);
            self.tlb_invalidate(pgdir, va + offset);
        }
        Ok(())
    }

    /// Maps `npages` pages at `va`, in the user half, to new frames.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`], and those of [`map_range`](Self::map_range). Nothing has changed then.
    pub(crate) fn map_new(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        npages: u64,
        perm: Perm,
        flags: AllocFlags,
    ) -> Result<(), MapError> {
        let size = npages * PGSIZE;
        if let Some(mapped) = self.first_mapped(pgdir, va, size) {
            return Err(MapError::AlreadyMapped { va: mapped });
        }
        for offset in (0..size).step_by(PGSIZE as usize) {
            let frame = self.page_alloc(flags).ok_or(MapError::NoMemory { va });
            let mapped = frame.and_then(|frame| {
                let mapped = self.page_insert(pgdir, frame, va + offset, perm);
                mapped.inspect_err(|_| self.pages.page_free(frame))
            });
            if let Err(error) = mapped {
                self.unmap_range(pgdir, va, offset)?;
                self.prune_range(pgdir, va, va + size);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The first mapped page of `[va, va + size)`.
    fn first_mapped(&self, pgdir: &Pgdir, va: VirtAddr, size: u64) -> Option<VirtAddr> {
        let last = VirtAddr::new(va.as_u64().wrapping_add(size.checked_sub(1)?));
        let mut leaves = leaves::<M::Format, M>(&self.machine, pgdir.address(), va, last);
        leaves.next().map(|leaf| leaf.va)
    }
}
