//! [`Unmapping`]: pages that are being unmapped, between the change of their entries and the end of
//! their uses.
//!
//! A processor may go on using a translation after its entry is gone, until it is told; a frame
//! that is reused before then is written to by whoever still has the old translation. So no use of
//! a page ends before the flush, not even one of several: who looks at `pp_ref` meanwhile
//! (copy-on-write in another space, say) sees the page as used. It goes in three steps:
//!
//! 1. [`unmap_range`](Pmap::unmap_range) makes the entries pending: the processor sees nothing in
//!    them, but they still say where their pages lie ([`Entry::Pending`]).
//! 2. The TLB is flushed.
//! 3. A second pass over the same entries clears them, counts each use less, and frees the pages
//!    that have none left.
//!
//! Steps 2 and 3 are done when the `Unmapping` ends, by [`finish`](Unmapping::finish) or when it is
//! dropped. One that is forgotten frees nothing, and its pages stay counted; the next change to
//! their entries does what it left undone. Where no processor can have seen the pages, all is done
//! at once.
//!
//! ```
//! # use layout::{Jos64, MB, PGSIZE};
//! # use libjos::{mem::addr::VirtAddr, paging::format::Perm, pmap::mem_init, sim::SimMachine, paging::format::x86_64::X86_64};
//! # if cfg!(miri) { return; }
//! # let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
//! # let mut pmap = mem_init(machine, boot);
//! # let pgdir = pmap.uvmcreate().unwrap();
//! # pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
//! let unmapping = pmap.unmap_range(pgdir, VirtAddr::new(0), 2 * PGSIZE).unwrap();
//! assert_eq!(unmapping.finish(), 2);
//! assert_eq!(pmap.va2pa(pgdir, VirtAddr::new(0)), None);
//! ```
//!
//! As long as it is open, nothing else is done with the memory system:
//!
//! ```compile_fail,E0499
//! # use layout::{Jos64, MB, PGSIZE};
//! # use libjos::{mem::addr::VirtAddr, paging::format::Perm, pmap::mem_init, sim::SimMachine, paging::format::x86_64::X86_64};
//! # let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
//! # let mut pmap = mem_init(machine, boot);
//! # let pgdir = pmap.uvmcreate().unwrap();
//! # pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
//! let unmapping = pmap.unmap_range(pgdir, VirtAddr::new(0), 2 * PGSIZE).unwrap();
//! pmap.page_remove(pgdir, VirtAddr::new(0)).unwrap();
//! assert_eq!(unmapping.finish(), 2);
//! ```
//!
//! but through [`meanwhile`](Unmapping::meanwhile), and it ends once:
//!
//! ```compile_fail,E0382
//! # use layout::{Jos64, MB, PGSIZE};
//! # use libjos::{mem::addr::VirtAddr, paging::format::Perm, pmap::mem_init, sim::SimMachine, paging::format::x86_64::X86_64};
//! # let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
//! # let mut pmap = mem_init(machine, boot);
//! # let pgdir = pmap.uvmcreate().unwrap();
//! # pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
//! let unmapping = pmap.unmap_range(pgdir, VirtAddr::new(0), 2 * PGSIZE).unwrap();
//! assert_eq!(unmapping.finish(), 2);
//! assert_eq!(unmapping.finish(), 2);
//! ```

use core::fmt;

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::paging::flush::Flush;
#[cfg(doc)]
use crate::paging::format::Entry;
use crate::pmap::Pmap;

/// Pages of one address space that are being unmapped. Dropping it finishes that.
pub struct Unmapping<'a, M: Machine> {
    pub(super) pmap: &'a mut Pmap<M>,
    pub(super) pgdir: PhysAddr,
    /// Where entries may be pending: `size` bytes at `va`.
    pub(super) va: VirtAddr,
    pub(super) size: u64,
    pub(super) flush: Flush,
    /// Frames that were freed so far.
    pub(super) freed: usize,
}

impl<M: Machine> Unmapping<'_, M> {
    /// Flushes, ends the pages' uses, and returns how many frames became free. (To drop it does the
    /// same, and says nothing.)
    ///
    /// # Panics
    ///
    /// Where the `pp_ref` of a page is 0: a bug.
    #[must_use]
    pub fn finish(mut self) -> usize {
        self.complete();
        self.freed
    }

    /// Does `work` with the memory system while the pages are neither mapped nor free. In the same
    /// directory single pages may change; `unmap_range` and `uvmfree` panic there, for they would end
    /// uses whose flush is this one's.
    ///
    /// # Panics
    ///
    /// Within the `work` of another one.
    pub fn meanwhile<R>(&mut self, work: impl FnOnce(&mut Pmap<M>) -> R) -> R {
        let open = &mut self.pmap.open;
        assert!(open.is_none(), "meanwhile: {open:?} has an unmapping open");
        *open = Some(self.pgdir);
        let result = work(self.pmap);
        self.pmap.open = None;
        result
    }

    /// Makes the processor forget the pages, and then ends their uses, if that is still to be done.
    fn complete(&mut self) {
        self.flush.flush(&mut self.pmap.machine);
        let size = core::mem::take(&mut self.size);
        self.freed += self.pmap.take_away(self.pgdir, self.va, size, false);
    }
}

impl<M: Machine> fmt::Debug for Unmapping<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pgdir, va, size, .. } = self;
        write!(f, "Unmapping({size:#x} bytes at {va} in {pgdir})")
    }
}

impl<M: Machine> Drop for Unmapping<'_, M> {
    fn drop(&mut self) {
        self.complete();
    }
}

impl<M: Machine> Pmap<M> {
    /// Panics where `pgdir` has an unmapping open.
    pub(crate) fn assert_closed(&self, pgdir: PhysAddr) {
        assert!(self.open != Some(pgdir), "the page directory at {pgdir} has an unmapping open");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::PhysMem;
    use crate::paging::format::Perm;
    use crate::paging::format::x86_64::X86_64;
    use crate::pmap::mem_init;
    use crate::sim::SimMachine;
    use layout::{Jos64, MB, PGSIZE};

    type Machine = SimMachine<Jos64, X86_64>;

    /// Two directories with nine pages each, of which the first is in use, and the translations of
    /// its pages in the TLB. Then the first entry and the last go, and nobody tells the processor.
    fn nine_pages() -> (Pmap<Machine>, [PhysAddr; 2]) {
        let (machine, boot) = Machine::new(5 * MB);
        let mut pmap = mem_init(machine, boot);
        let pgdirs = [(); 2].map(|()| pmap.uvmcreate().unwrap());
        for pgdir in pgdirs {
            pmap.uvmalloc(pgdir, 0, 9 * PGSIZE, Perm::W).unwrap();
        }
        pmap.switchuvm(pgdirs[0]);
        assert_eq!(seen(&mut pmap), [true; 9]);
        for i in [0, 8] {
            let entry = pmap.walk(pgdirs[0], VirtAddr::new(i * PGSIZE)).at;
            pmap.machine.store(entry, 0_u64);
        }
        (pmap, pgdirs)
    }

    /// Which of the pages the processor still sees.
    fn seen(pmap: &mut Pmap<Machine>) -> [bool; 9] {
        core::array::from_fn(|i| pmap.machine.user_load(VirtAddr::new(i as u64 * PGSIZE)).is_ok())
    }

    /// Each page of a run that is gone is forgotten, and no other.
    #[test]
    #[cfg_attr(miri, ignore = "half a minute, and nothing here is unsafe")]
    fn few_pages_are_flushed_one_by_one() {
        let (mut pmap, [pgdir, _]) = nine_pages();
        let mut unmapping = pmap.unmap_range(pgdir, VirtAddr::new(4 * PGSIZE), 3 * PGSIZE).unwrap();
        assert_eq!(unmapping.meanwhile(seen), [true; 9], "the TLB has them still");
        assert_eq!(unmapping.finish(), 3);
        assert_eq!(seen(&mut pmap), [true, true, true, true, false, false, false, true, true]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "half a minute, and nothing here is unsafe")]
    fn what_no_processor_sees_is_not_flushed() {
        let (mut pmap, [_, other]) = nine_pages();
        assert_eq!(pmap.unmap_range(other, VirtAddr::new(0), 9 * PGSIZE).unwrap().finish(), 9);
        assert_eq!(seen(&mut pmap), [true; 9]);
    }
}
