//! [`Unmapping`]: pages that are being unmapped, between the change of their entries and the end of
//! their uses.
//!
//! A processor may go on using a translation after its entry is gone, until the flush. If a frame were
//! reused before that, the old translation would still write to it. So no use of a page ends before
//! the flush, not even one of several: copy-on-write in another space, say, still finds the page in
//! use by its `pp_ref`. There are three steps:
//!
//! 1. [`unmap_range`](Vm::unmap_range) makes the entries pending: the processor takes them for absent,
//!    but they still say where their pages lie ([`Entry::Pending`](crate::paging::format::Entry::Pending)).
//! 2. The TLB is flushed.
//! 3. A second pass over the same entries clears them, counts each use less, and frees the pages
//!    that have none left.
//!
//! The end of the `Unmapping` does steps 2 and 3: by [`finish`](Unmapping::finish), or when it is
//! dropped. If it is forgotten, its pages stay counted and are never freed; the next change to
//! their entries makes up for it. If no processor can have seen the pages, all is done at once.
//!
//! ```
//! # if cfg!(miri) { return; }
//! # use layout::{Jos64, MB, PGSIZE};
//! # use libjos::{mem::addr::VirtAddr, paging::format::{Perm, x86_64::X86_64}};
//! # use libjos::{pmap::mem_init, sim::SimMachine, space::AddressSpace};
//! # let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
//! # let mut pmap = mem_init(machine, boot);
//! # let vm = &mut *pmap;
//! # let mut space = AddressSpace::uvmcreate(vm).unwrap();
//! # space.uvmalloc(vm, 0, 2 * PGSIZE, Perm::W).unwrap();
//! let unmapping = vm.unmap_range(space.pgdir_mut(), VirtAddr::new(0), 2 * PGSIZE).unwrap();
//! assert_eq!(unmapping.finish(), 2);
//! assert_eq!(vm.va2pa(space.pgdir(), VirtAddr::new(0)), None);
//! # space.uvmfree(vm);
//! ```
//!
//! It borrows the one page directory that changes, so nothing else is done with that directory until
//! it ends, neither a change nor giving it up. [`meanwhile`](Unmapping::meanwhile) gives access to
//! all others:
//!
//! ```compile_fail,E0499
//! # use layout::PGSIZE;
//! # use libjos::{machine::Machine, mem::addr::VirtAddr, paging::vm::Vm, space::AddressSpace};
//! # fn example<M: Machine>(vm: &mut Vm<M>, mut space: AddressSpace) {
//! let mut unmapping = vm.unmap_range(space.pgdir_mut(), VirtAddr::new(0), PGSIZE).unwrap();
//! unmapping.meanwhile(|vm| vm.page_remove(space.pgdir_mut(), VirtAddr::new(PGSIZE)).unwrap());
//! assert_eq!(unmapping.finish(), 1);
//! # }
//! ```
//!
//! ```compile_fail,E0505
//! # use layout::PGSIZE;
//! # use libjos::{machine::Machine, mem::addr::VirtAddr, paging::vm::Vm, space::AddressSpace};
//! # fn example<M: Machine>(vm: &mut Vm<M>, mut space: AddressSpace) {
//! let mut unmapping = vm.unmap_range(space.pgdir_mut(), VirtAddr::new(0), PGSIZE).unwrap();
//! unmapping.meanwhile(|vm| space.uvmfree(vm));
//! assert_eq!(unmapping.finish(), 1);
//! # }
//! ```
//!
//! It ends once:
//!
//! ```compile_fail,E0382
//! # use layout::PGSIZE;
//! # use libjos::{machine::Machine, mem::addr::VirtAddr, paging::vm::Vm, space::AddressSpace};
//! # fn example<M: Machine>(vm: &mut Vm<M>, mut space: AddressSpace) {
//! let unmapping = vm.unmap_range(space.pgdir_mut(), VirtAddr::new(0), 2 * PGSIZE).unwrap();
//! assert_eq!(unmapping.finish(), 2);
//! assert_eq!(unmapping.finish(), 2);
//! # }
//! ```

use core::fmt;

use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::paging::directory::Pgdir;
use crate::paging::flush::Flush;
use crate::paging::vm::Vm;

/// Pages of one page directory that are being unmapped. Dropping it finishes that.
pub struct Unmapping<'a, M: Machine> {
    pub(super) vm: &'a mut Vm<M>,
    pub(super) pgdir: &'a mut Pgdir,
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
    /// If the `pp_ref` of a page is 0: a bug.
    #[must_use]
    pub fn finish(mut self) -> usize {
        self.complete();
        self.freed
    }

    /// Does `work` with other page directories while the pages are neither mapped nor free.
    pub fn meanwhile<R>(&mut self, work: impl FnOnce(&mut Vm<M>) -> R) -> R {
        work(self.vm)
    }

    /// Makes the processor forget the pages, and then ends their uses, if that is still to be done.
    fn complete(&mut self) {
        self.flush.flush(&mut self.vm.machine);
        let size = core::mem::take(&mut self.size);
        self.freed += self.vm.take_away(self.pgdir.address(), self.va, size, false);
    }
}

impl<M: Machine> fmt::Debug for Unmapping<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pgdir, va, size, .. } = self;
        write!(f, "Unmapping({size:#x} bytes at {va} in {})", pgdir.address())
    }
}

impl<M: Machine> Drop for Unmapping<'_, M> {
    fn drop(&mut self) {
        self.complete();
    }
}

#[cfg(all(test, not(miri)))]
mod tests;
