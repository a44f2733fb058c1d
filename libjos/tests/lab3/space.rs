//! An address space without an environment, as `env_setup_vm` makes it.

use std::mem::ManuallyDrop;

use layout::MemLayout;
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageAllocator;
use libjos::paging::format::{Format, Perm};
use libjos::paging::mappings::leaves;
use libjos::pmap::Pmap;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

use crate::by_hand::{machine, soil};
use crate::complaints::called;

/// A machine and an address space in it. Free frames are full of junk.
pub(crate) struct Space<L: MemLayout, F: Format + Mmu> {
    pub(crate) pmap: Pmap<SimMachine<L, F>>,
    pub(crate) space: ManuallyDrop<AddressSpace>,
    /// Free frames before the address space was made.
    pub(crate) nfree: usize,
}

impl<L: MemLayout, F: Format + Mmu> Space<L, F> {
    pub(crate) fn new() -> Self {
        let mut pmap = machine();
        // The first one makes tables that all others share.
        let first = called("env_setup_vm", || AddressSpace::uvmcreate(&mut pmap));
        let first = first.unwrap_or_else(|error| panic!("env_setup_vm gives {error:?}"));
        first.uvmfree(&mut pmap);
        soil(&pmap);
        let nfree = pmap.pages().nfree();
        let space = ManuallyDrop::new(AddressSpace::uvmcreate(&mut pmap).unwrap());
        Self { pmap, space, nfree }
    }

    /// Gives the address space up. Returns how many frames are lost.
    pub(crate) fn end(mut self) -> usize {
        ManuallyDrop::into_inner(self.space).uvmfree(&mut self.pmap);
        self.nfree.saturating_sub(self.pmap.pages().nfree())
    }

    /// All pages below UTOP: address, frame, permissions.
    pub(crate) fn pages(&self) -> Vec<(u64, PhysAddr, Perm)> {
        let (first, last) = (VirtAddr::new(0), VirtAddr::new(L::UTOP - 1));
        let root = self.space.pgdir().address();
        let all = leaves::<F, _>(self.pmap.machine(), root, first, last);
        all.map(|leaf| (leaf.va.as_u64(), leaf.pa, leaf.perm)).collect()
    }

    /// The page at `va`.
    pub(crate) fn page(&self, va: u64) -> Option<(PhysAddr, Perm)> {
        let page = self.pages().into_iter().find(|(at, ..)| *at == va);
        page.map(|(_, pa, perm)| (pa, perm))
    }

    /// The `n` bytes at `va`, which must not leave its page.
    pub(crate) fn bytes(&self, va: u64, n: usize) -> Vec<u8> {
        let at = self.pmap.va2pa(self.space.pgdir(), VirtAddr::new(va));
        let mut bytes = vec![0; n];
        let at = at.unwrap_or_else(|| panic!("nothing is mapped at {va:#x}, where a page must be"));
        self.pmap.machine().load_bytes(at, &mut bytes);
        bytes
    }

    pub(crate) fn pp_ref(&self, pa: PhysAddr) -> u32 {
        self.pmap.pages().pp_ref(self.pmap.pages().pa2page(pa).expect("RAM"))
    }
}
