//! [`SecondMachine`]: the machine for a second memory system.

use core::fmt;

use kernel::machine::Hardware;
use kernel::{Format, Layout};
use libjos::machine::{CpuSet, Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::pages::PageArray;
use libjos::paging::word::Word;

/// A machine with the memory of [`Hardware`], whose processor keeps using the first memory system's tables.
#[derive(Debug)]
pub(crate) struct SecondMachine<'a>(pub(crate) &'a Hardware);

impl PhysMem for SecondMachine<'_> {
    #[inline]
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        self.0.load(pa)
    }

    #[inline]
    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        self.0.store(pa, word);
    }

    #[inline]
    fn compare_exchange<W: Word>(&self, pa: PhysAddr, current: W, new: W) -> Result<(), W> {
        self.0.compare_exchange(pa, current, new)
    }

    #[inline]
    fn store_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        self.0.store_run(pa, first, step, count);
    }

    #[inline]
    fn zero_frame(&self, pa: PhysAddr) {
        self.0.zero_frame(pa);
    }

    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        // SAFETY: the caller's promise.
        unsafe { self.0.page_array(pa, npages) }
    }
}

impl Machine for SecondMachine<'_> {
    type Layout = Layout;
    type Format = Format;

    #[inline]
    fn leaf_levels(&self) -> u32 {
        self.0.leaf_levels()
    }

    fn devices(&self) -> &'static [PhysRange] {
        self.0.devices()
    }

    fn lcr3(&mut self, _pgdir: PhysAddr) {}
    fn protect_kernel(&mut self) {}
    fn invlpg(&mut self, _cpus: CpuSet, _va: VirtAddr) {}
    fn flush_tlb(&mut self, _cpus: CpuSet) {}

    fn probe_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        Err(Fault { va, present: false, write: false })
    }

    fn probe_store(&mut self, va: VirtAddr, _value: u64) -> Result<(), Fault> {
        Err(Fault { va, present: false, write: true })
    }

    fn stack_pointer(&self) -> VirtAddr {
        self.0.stack_pointer()
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        kernel::console::print(text);
    }
}
