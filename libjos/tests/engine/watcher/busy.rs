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

/// A second processor's use of a page.
#[derive(Clone, Copy, Debug)]
struct Use {
    root: PhysAddr,
    va: VirtAddr,
    level: u32,
    /// The address of the entry.
    at: PhysAddr,
    /// After how many more reads of the entry it comes.
    reads: usize,
    /// Whether it is a write.
    writes: bool,
    done: bool,
}

/// The machine.
pub(crate) struct Busy<L, F> {
    pub(crate) sim: SimMachine<L, F>,
    uses: RefCell<Vec<Use>>,
    /// Exchanges that have failed.
    pub(crate) failed: Cell<usize>,
}

/// The bit of an entry of `level` that says dirty.
fn dirty_bit<F: Format>(level: u32) -> u64 {
    let leaf = Leaf { pa: PhysAddr::new(0), perm: Perm::UR, accessed: true, dirty: false };
    F::encode(level, &leaf).to_u64() ^ F::encode(level, &Leaf { dirty: true, ..leaf }).to_u64()
}

impl<L: MemLayout, F: Format + Mmu> Busy<L, F> {
    pub(crate) fn new(sim: SimMachine<L, F>) -> Self {
        Self { sim, uses: RefCell::new(Vec::new()), failed: Cell::new(0) }
    }

    /// Has the second processor use the page at `va`, after its entry of `level` has been read `reads`
    /// times more. If there is a page now, it is clean from here on.
    pub(crate) fn use_after(
        &mut self,
        root: PhysAddr,
        va: VirtAddr,
        level: u32,
        reads: usize,
        writes: bool,
    ) {
        let mut walk = steps::<F, _>(&self.sim, root, va);
        let Step { at, word, entry, .. } = walk.find(|step| step.level == level).expect("an entry");
        if let Entry::Leaf(_) = entry {
            self.sim.store(at, F::Word::from_u64(word & !dirty_bit::<F>(level)));
        }
        let coming = Use { root, va, level, at, reads, writes, done: false };
        self.uses.get_mut().push(coming);
    }

    /// Whether all uses have come.
    pub(crate) fn is_used(&self) -> bool {
        self.uses.borrow().iter().all(|coming| coming.done)
    }

    /// The processor uses the page, if it is time: it sets A, and for a write D.
    fn has_read(&self, pa: PhysAddr) {
        let mut uses = self.uses.borrow_mut();
        for coming in uses.iter_mut().filter(|coming| coming.at == pa && coming.reads > 0) {
            coming.reads -= 1;
            let entry = F::decode(coming.level, self.sim.load(pa));
            if let (0, Entry::Leaf(leaf)) = (coming.reads, entry) {
                let marked = Leaf { accessed: true, dirty: leaf.dirty | coming.writes, ..leaf };
                self.sim.store(pa, F::encode(coming.level, &marked));
                coming.done = true;
            }
        }
    }

    /// All processors forget the tables that they came through. No use of a page comes any more by an
    /// entry in one of those.
    fn forget(&mut self) {
        for coming in self.uses.get_mut() {
            let mut walk = steps::<F, _>(&self.sim, coming.root, coming.va);
            if !walk.any(|step| step.at == coming.at) {
                coming.reads = 0;
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
