//! A machine with a second processor, which uses a page just after the first one has read its entry.

use std::cell::{Cell, RefCell};
use std::fmt;

use layout::MemLayout;
use libjos::machine::{CpuSet, Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageArray;
use libjos::paging::format::{Entry, Format, Leaf, Perm};
use libjos::paging::mappings::{Step, steps};
use libjos::paging::word::Word;
use libjos::sim::{SimMachine, mmu::Mmu};

/// The write of a second processor to a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pgdir: PhysAddr,
    va: VirtAddr,
    level: u32,
    /// The address of the entry.
    at: PhysAddr,
    /// After how many more reads of the entry it comes.
    reads: usize,
    /// Whether it has come.
    pub(crate) done: bool,
}

/// The machine.
pub(crate) struct Busy<L, F> {
    pub(crate) sim: SimMachine<L, F>,
    write: RefCell<Option<Write>>,
    /// Exchanges that have failed.
    pub(crate) failed: Cell<usize>,
}

/// The step of the walk of `va` that ends at a page.
pub(crate) fn page_of<F: Format>(
    mem: &impl PhysMem,
    pgdir: PhysAddr,
    va: VirtAddr,
) -> (Step, Leaf) {
    let last = steps::<F, _>(mem, pgdir, va).last().expect("a walk has a step");
    match last.entry {
        Entry::Leaf(leaf) => (last, leaf),
        other => panic!("{}: at {va} is no page: {other:?}", F::NAME),
    }
}

/// The bit of an entry of `level` that says dirty.
fn dirty_bit<F: Format>(level: u32) -> u64 {
    let leaf = Leaf { pa: PhysAddr::new(0), perm: Perm::UR, accessed: true, dirty: false };
    F::encode(level, &leaf).to_u64() ^ F::encode(level, &Leaf { dirty: true, ..leaf }).to_u64()
}

impl<L: MemLayout, F: Format + Mmu> Busy<L, F> {
    pub(crate) fn new(sim: SimMachine<L, F>) -> Self {
        Self { sim, write: RefCell::new(None), failed: Cell::new(0) }
    }

    /// Marks the page at `va` as clean. After its entry is read `reads` times more, the second
    /// processor writes to the page.
    pub(crate) fn write_after(&mut self, pgdir: PhysAddr, va: VirtAddr, reads: usize) {
        let (Step { level, at, word, .. }, _) = page_of::<F>(&self.sim, pgdir, va);
        self.sim.store(at, F::Word::from_u64(word & !dirty_bit::<F>(level)));
        self.write.replace(Some(Write { pgdir, va, level, at, reads, done: false }));
    }

    /// The write, which has come or not.
    pub(crate) fn take(&mut self) -> Write {
        self.write.take().expect("there was one")
    }

    /// The processor writes, if it is time: it sets A and D in the entry.
    fn has_read(&self, pa: PhysAddr) {
        let mut write = self.write.borrow_mut();
        let Some(write) = write.as_mut().filter(|write| write.at == pa && !write.done) else {
            return;
        };
        let Some(reads) = write.reads.checked_sub(1) else { return };
        write.reads = reads;
        let word: F::Word = self.sim.load(pa);
        if let (0, Entry::Leaf(leaf)) = (reads, F::decode(write.level, word)) {
            let marked = F::encode(write.level, &Leaf { accessed: true, dirty: true, ..leaf });
            self.sim.store(pa, marked);
            write.done = true;
        }
    }

    /// All processors forget the tables that they came through. If the entry is in one of those, no write
    /// comes any more.
    fn forget(&mut self) {
        if let Some(write) = self.write.get_mut() {
            let mut walk = steps::<F, _>(&self.sim, write.pgdir, write.va);
            if !walk.any(|step| step.at == write.at) {
                write.reads = 0;
            }
        }
    }
}

impl<L: MemLayout, F: Format + Mmu> PhysMem for Busy<L, F> {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        let word = self.sim.load(pa);
        self.has_read(pa);
        word
    }

    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        self.sim.store(pa, word);
    }

    fn compare_exchange<W: Word>(&self, pa: PhysAddr, current: W, new: W) -> Result<(), W> {
        self.sim.compare_exchange(pa, current, new).inspect_err(|_| {
            self.failed.set(self.failed.get() + 1);
        })
    }

    fn zero_frame(&self, pa: PhysAddr) {
        self.sim.zero_frame(pa);
    }

    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        // SAFETY: the caller has promised the same. The second processor writes to entries alone.
        unsafe { self.sim.page_array(pa, npages) }
    }
}

impl<L: MemLayout, F: Format + Mmu> Machine for Busy<L, F> {
    type Layout = L;
    type Format = F;

    fn leaf_levels(&self) -> u32 {
        self.sim.leaf_levels()
    }

    fn lcr3(&mut self, pgdir: PhysAddr) {
        self.sim.lcr3(pgdir);
    }

    fn protect_kernel(&mut self) {
        self.sim.protect_kernel();
    }

    fn made_valid(&mut self, page: Option<VirtAddr>) {
        self.sim.made_valid(page);
    }

    fn invlpg(&mut self, cpus: CpuSet, va: VirtAddr) {
        self.sim.invlpg(cpus, va);
    }

    fn flush_tlb(&mut self, cpus: CpuSet) {
        if !cpus.is_empty() {
            self.forget();
        }
        self.sim.flush_tlb(cpus);
    }

    fn probe_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.sim.probe_load(va)
    }

    fn probe_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        self.sim.probe_store(va, value)
    }

    fn stack_pointer(&self) -> VirtAddr {
        self.sim.stack_pointer()
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        self.sim.print(text);
    }
}
