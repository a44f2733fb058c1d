//! Mapping pages to new frames: a range of them, or a copy of one page.

use super::{PageSizes, Source, Span};
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, Frame, PageAllocator};
use crate::paging::directory::Pgdir;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::pgdir::MapError;
use crate::paging::vm::Vm;

/// New frames, allocated with these flags and mapped with these permissions.
struct NewFrames(AllocFlags, Perm);

impl<M: Machine> Source<M> for NewFrames {
    fn put(&mut self, vm: &mut Vm<M>, _: u32, at: PhysAddr, _: PhysAddr, count: usize, _: bool) {
        for at in Vm::<M>::entries_from(at, count) {
            let pa = vm.counted_page(self.0);
            vm.machine.store(at, M::Format::leaf(0, pa, self.1));
        }
    }
}

impl<M: Machine> Vm<M> {
    /// Maps `npages` pages at `va`, in the user half, to new frames.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`]; [`MapError::AlreadyMapped`] or [`MapError::LargePage`] if one of the
    /// pages is mapped; or `perm` says G. Nothing has changed then.
    pub(crate) fn map_new(
        &mut self,
        pgdir: &mut Pgdir,
        va: VirtAddr,
        npages: u64,
        perm: Perm,
        flags: AllocFlags,
    ) -> Result<(), MapError> {
        let span = Span { va, pa: PhysAddr::new(0), size: npages * layout::PGSIZE };
        let (level, root, sizes) = (M::Format::ROOT, pgdir.address(), PageSizes::Smallest);
        self.check_global(root, va, va + span.size, perm)?;
        let tables = self.tables_to_map(level, root, span, sizes)? as u64;
        if tables + npages > self.pages.nfree() as u64 {
            return Err(MapError::NoMemory { va });
        }
        self.map_in(root, span, &mut NewFrames(flags, perm), sizes);
        Ok(())
    }

    /// Maps the page at `va` to a copy of `frame`.
    ///
    /// # Errors
    ///
    /// As [`page_insert`](Self::page_insert), and [`MapError::NoMemory`] if no frame is free for the
    /// copy. Nothing has changed then.
    pub(crate) fn map_copy(
        &mut self,
        pgdir: &mut Pgdir,
        frame: Frame,
        va: VirtAddr,
        perm: Perm,
    ) -> Result<(), MapError> {
        let copy = self.page_alloc(AllocFlags::empty()).ok_or(MapError::NoMemory { va })?;
        self.copy_frame(self.pages.page2pa(frame), self.pages.page2pa(copy));
        self.page_insert(pgdir, copy, va, perm).inspect_err(|_| self.pages.page_free(copy))
    }

    /// Allocates one of the free frames that the caller has counted, with `pp_ref` 1.
    pub(crate) fn counted_page(&mut self, flags: AllocFlags) -> PhysAddr {
        let Some(frame) = self.page_alloc(flags) else {
            unreachable!("the free pages were counted")
        };
        if let Err(error) = self.pages.page_incref(frame) {
            unreachable!("page_alloc gave a page that cannot be used: {error}")
        }
        self.pages.page2pa(frame)
    }
}
