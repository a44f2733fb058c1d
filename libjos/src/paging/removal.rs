//! What is owed when mappings are gone: first the flush of the TLB, then the reuse of the frames.
//!
//! A processor may go on using a translation after its entry is gone, until it is told; a frame
//! that is reused before then is written to by whoever still has the old translation. So
//! operations on ranges return a [`Removal`], and the only way from there to the free list leads
//! through [`Removal::flush`] and then [`Flushed::free`].
//!
//! ```
//! # use layout::{Jos64, MB, PGSIZE};
//! # use libjos::{mem::addr::VirtAddr, paging::format::Perm, pmap::mem_init, sim::SimMachine, paging::format::x86_64::X86_64};
//! # let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
//! # let mut pmap = mem_init(machine, boot);
//! # let pgdir = pmap.uvmcreate().unwrap();
//! # pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
//! let removal = pmap.unmap_range(pgdir, VirtAddr::new(0), 2 * PGSIZE).unwrap();
//! assert_eq!(removal.flush(&mut pmap.machine).free(&mut pmap.pages), 2);
//! ```
//!
//! The other order does not compile, for there is nothing yet that could be freed:
//!
//! ```compile_fail,E0599
//! # use layout::{Jos64, MB, PGSIZE};
//! # use libjos::{mem::addr::VirtAddr, paging::format::Perm, pmap::mem_init, sim::SimMachine, paging::format::x86_64::X86_64};
//! # let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);
//! # let mut pmap = mem_init(machine, boot);
//! # let pgdir = pmap.uvmcreate().unwrap();
//! # pmap.uvmalloc(pgdir, 0, 2 * PGSIZE, Perm::W).unwrap();
//! let removal = pmap.unmap_range(pgdir, VirtAddr::new(0), 2 * PGSIZE).unwrap();
//! removal.free(&mut pmap.pages);
//! ```
//!
//! Nor does any other way round the flush; `refused.rs` tries them.

#[cfg(doctest)]
mod refused;

use layout::PGSIZE;

use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{Frame, FreeFrames, PageAllocator, Pages};

/// The most pages that are flushed one by one; beyond that the whole TLB is cheaper.
pub const FLUSH_ALL_ABOVE: usize = 32;

/// The translations that a change has made stale.
#[must_use = "the processor may still use the old translations"]
#[derive(Debug)]
pub struct Flush {
    /// The first pages of them, one for each leaf.
    pages: [VirtAddr; FLUSH_ALL_ABOVE],
    /// How many there are; more than `pages` holds means all.
    count: usize,
    /// Whether a processor may have seen them at all.
    visible: bool,
}

impl Flush {
    /// Nothing yet. `visible` says whether a processor may be using the tables that change.
    pub(crate) fn new(visible: bool) -> Self {
        Self { pages: [VirtAddr::new(0); FLUSH_ALL_ABOVE], count: 0, visible }
    }

    /// One more: the page that `va` lies in.
    pub(crate) fn add(&mut self, va: VirtAddr) {
        if let Some(slot) = self.pages.get_mut(self.count) {
            *slot = va;
        }
        self.count += 1;
    }

    /// One more: the leaf of `level` that mapped `va`. A large one is flushed with everything else,
    /// since UVPT shows its first page in the place of a table, which no flush of `va` reaches.
    pub(crate) fn add_leaf(&mut self, level: u32, va: VirtAddr) {
        if level == 0 { self.add(va) } else { self.add_all() }
    }

    /// Everything.
    pub(crate) fn add_all(&mut self) {
        self.count += FLUSH_ALL_ABOVE + 1;
    }

    /// More: the `count` pages from `va` on, each by a leaf of the smallest size.
    pub(crate) fn add_pages(&mut self, va: VirtAddr, count: usize) {
        let listed = count.min(self.pages.len().saturating_sub(self.count));
        for i in 0..listed as u64 {
            self.add(va + i * PGSIZE);
        }
        self.count += count - listed;
    }

    /// Makes the processor forget them.
    pub fn flush<M: Machine>(self, machine: &mut M) {
        if !self.visible {
            return;
        }
        match self.pages.get(..self.count) {
            Some(pages) => pages.iter().for_each(|va| machine.invlpg(*va)),
            None => machine.flush_tlb(),
        }
    }
}

/// Mappings that are gone from the tables, but perhaps not from the TLB.
#[must_use = "the processor may still use the old translations, and the frames are not free yet"]
#[derive(Debug)]
pub struct Removal {
    pub(crate) flush: Flush,
    /// Frames that have no use left.
    pub(crate) frames: FreeFrames,
}

impl Removal {
    pub(crate) fn new(visible: bool) -> Self {
        Self { flush: Flush::new(visible), frames: FreeFrames::new() }
    }

    /// Drops one use of `frame`, and keeps the frame for later if none is left.
    pub(crate) fn release(&mut self, pages: &mut Pages, frame: Frame) {
        let pa = pages.page2pa(frame);
        pages.release_into(&mut self.frames, |releases| releases.release(pa, 1));
    }

    /// Makes the processor forget the mappings. What comes back holds the frames.
    pub fn flush<M: Machine>(self, machine: &mut M) -> Flushed {
        self.flush.flush(machine);
        Flushed { frames: self.frames }
    }
}

/// Frames that no translation leads to any more.
#[must_use = "the frames are lost unless they are freed"]
#[derive(Debug)]
pub struct Flushed {
    frames: FreeFrames,
}

impl Flushed {
    /// Puts the frames on the free list, and returns how many they were.
    ///
    /// # Panics
    ///
    /// Where one of them was used again, or freed, since it was unmapped: a bug of the caller. Where
    /// frames wait as a run of neighbours, [`page_incref`](PageAllocator::page_incref) (and with it
    /// `page_insert`) refuses its first and last one, and counts a use of the others, found here;
    /// but above UTOP nothing is counted, and such a mapping of one amid a run is not found.
    pub fn free(self, pages: &mut Pages) -> usize {
        pages.take_back(self.frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::PhysMem;
    use crate::mem::addr::PhysAddr;
    use crate::paging::format::Perm;
    use crate::paging::format::x86_64::X86_64;
    use crate::pmap::{Pmap, mem_init};
    use crate::sim::SimMachine;
    use layout::{Jos64, MB};

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
        let removal = pmap.unmap_range(pgdir, VirtAddr::new(4 * PGSIZE), 3 * PGSIZE).unwrap();
        assert_eq!(seen(&mut pmap), [true; 9], "the TLB has them still");
        assert_eq!(removal.flush(&mut pmap.machine).free(&mut pmap.pages), 3);
        assert_eq!(seen(&mut pmap), [true, true, true, true, false, false, false, true, true]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "half a minute, and nothing here is unsafe")]
    fn what_no_processor_sees_is_not_flushed() {
        let (mut pmap, [_, other]) = nine_pages();
        let removal = pmap.unmap_range(other, VirtAddr::new(0), 9 * PGSIZE).unwrap();
        assert_eq!(removal.flush(&mut pmap.machine).free(&mut pmap.pages), 9);
        assert_eq!(seen(&mut pmap), [true; 9]);
    }
}
