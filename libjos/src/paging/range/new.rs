//! Mapping a range of pages to new frames.

use super::{PageSizes, Source, Span};
use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::{AllocFlags, PageAllocator};
use crate::paging::directory::Pgdir;
use crate::paging::error::MapError;
use crate::paging::format::{Format, Geometry, Perm};
use crate::paging::vm::Vm;

/// New frames, allocated with these flags and mapped with these permissions.
struct NewFrames(AllocFlags, Perm);

impl<M: Machine> Source<M> for NewFrames {
    fn put(&mut self, vm: &mut Vm<M>, _: u32, at: PhysAddr, _: PhysAddr, count: usize, _: bool) {
        for at in Vm::<M>::entries_from(at, count) {
            let pa = vm.alloc_expected(self.0);
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
}
