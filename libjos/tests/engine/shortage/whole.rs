//! The whole state of a memory system, and what the processor makes of it.

use std::collections::BTreeSet;

use layout::{MemLayout, PGSIZE};
use libjos::machine::{Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::{Frame, PageAllocator, PageInfo};
use libjos::paging::format::Format;
use libjos::paging::mappings::leaves;
use libjos::sim::mmu::Mmu;

use super::{List, Sim};

/// All that an operation which fails must leave as it was.
pub(crate) struct Whole {
    /// The free list, in its order where that is kept.
    free: Vec<Frame>,
    /// Frames that are not free, and what is kept of them.
    infos: Vec<(Frame, PageInfo)>,
    /// The words of those that are in use: tables and what they map.
    contents: Vec<(Frame, Vec<u64>)>,
}

impl Whole {
    pub(crate) fn of<L: MemLayout, F: Format + Mmu>(pmap: &Sim<L, F>, list: List) -> Self {
        let mut free: Vec<Frame> = pmap.pages().page_free_list().collect();
        if list == List::AnyOrder {
            free.sort();
        }

        let frames = (0..).map(Frame::new).zip(pmap.pages().infos());
        let infos: Vec<_> = frames.filter(|(_, info)| !info.is_free()).collect();
        // A frame that the test took, so that it is not free, has no use.
        let kern_pgdir = pmap.pages().pa2page(pmap.kern_root());
        let is_in_use = |frame, info: &PageInfo| {
            Some(frame) == kern_pgdir || info.pp_link == PageInfo::IN_USE && info.pp_ref() > 0
        };
        let in_use = infos.iter().filter(|(frame, info)| is_in_use(*frame, info));
        let words = |frame| {
            let pa = pmap.pages().page2pa(frame);
            (0..PGSIZE).step_by(8).map(|offset| pmap.machine().load(pa + offset)).collect()
        };
        Self { free, contents: in_use.map(|(frame, _)| (*frame, words(*frame))).collect(), infos }
    }

    /// Panics, with the first thing that differs, unless everything is as it was.
    pub(crate) fn assert_still<L: MemLayout, F: Format + Mmu>(
        &self,
        pmap: &Sim<L, F>,
        list: List,
        what: &str,
    ) {
        let now = Self::of(pmap, list);
        assert_eq!(self.free, now.free, "{what}: the free list");
        let changed = self.infos.iter().zip(&now.infos).find(|(before, now)| before != now);
        assert_eq!(changed, None, "{what}: a frame");
        for ((frame, before), (_, now)) in self.contents.iter().zip(&now.contents) {
            let changed =
                before.iter().zip(now).enumerate().find(|(_, (before, now))| before != now);
            assert_eq!(changed, None, "{what}: a word of {frame:?}");
        }
    }
}

/// The first and the last page of whatever the tables from `root` map below UTOP to RAM.
pub(crate) fn addresses_of_ram<L: MemLayout, F: Format + Mmu>(
    pmap: &Sim<L, F>,
    root: PhysAddr,
) -> BTreeSet<VirtAddr> {
    let utop = VirtAddr::new(L::UTOP - 1);
    leaves::<F, _>(pmap.machine(), root, VirtAddr::new(0), utop)
        .filter(|leaf| pmap.pages().pa2page(leaf.pa).is_some())
        .flat_map(|leaf| [leaf.va, leaf.va + (leaf.size - PGSIZE)])
        .collect()
}

/// Reads the page at `va`, and writes to it where that is allowed: the TLB knows it then, and the
/// page is accessed and dirty.
pub(crate) fn touch<L: MemLayout, F: Format + Mmu>(pmap: &mut Sim<L, F>, va: VirtAddr) {
    if let Ok(word) = pmap.machine_mut().user_load(va) {
        let _ = pmap.machine_mut().user_store(va, word);
    }
    if let Ok(word) = pmap.machine_mut().probe_load(va) {
        let _ = pmap.machine_mut().probe_store(va, word);
    }
}

/// The words that the user and the kernel find at each of `addresses`, or the faults.
pub(crate) fn seen<L: MemLayout, F: Format + Mmu>(
    pmap: &mut Sim<L, F>,
    addresses: &BTreeSet<VirtAddr>,
) -> Vec<[Result<u64, Fault>; 2]> {
    let machine = pmap.machine_mut();
    addresses.iter().map(|va| [machine.user_load(*va), machine.probe_load(*va)]).collect()
}
