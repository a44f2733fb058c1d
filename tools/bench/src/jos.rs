//! libjos as a contestant: a machine whose physical memory is [`Memory`].

use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use layout::{Jos64, PGSIZE};
use libjos::machine::{CpuSet, Fault, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use libjos::mem::pages::{AllocFlags, Block, Frame, PageAllocator, PageArray, PageInfo, Pages};
use libjos::paging::directory::Pgdir;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Format, Perm};
use libjos::paging::range::PageSizes;
use libjos::paging::word::Word;
use libjos::pmap::{Pmap, mem_init};
use libjos::sim::SimMachine;

use crate::memory::{ARRAY, FRAMES, Memory, NFRAMES, TABLES};
use crate::tables::{PageSize, SinglePages, Tables, TearDown, Translate, pages};

/// A machine made for speed: it finds memory by one addition.
#[derive(Debug)]
pub(crate) struct BenchMachine(Memory);

impl PhysMem for BenchMachine {
    #[inline]
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        // SAFETY: libjos accesses aligned words of frames that it was given, all in memory.
        unsafe { W::load(self.0.at(pa.as_u64())) }
    }

    #[inline]
    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        // SAFETY: as in `load`.
        unsafe { W::store(self.0.at(pa.as_u64()), word) };
    }

    #[inline]
    fn compare_exchange<W: Word>(&self, pa: PhysAddr, current: W, new: W) -> Result<(), W> {
        // SAFETY: as in `load`.
        unsafe { W::compare_exchange(self.0.at(pa.as_u64()), current, new) }
    }

    #[inline]
    fn fill_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        // SAFETY: as in `load`, for a run of words in one frame.
        let run = unsafe { std::slice::from_raw_parts_mut(self.0.at::<W>(pa.as_u64()), count) };
        let mut word = first;
        for slot in run {
            *slot = word;
            word = word.wrapping_add(step);
        }
    }

    #[inline]
    fn zero_frame(&self, pa: PhysAddr) {
        *self.0.table(pa.as_u64()) = [0; 512];
    }

    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        let array = NonNull::new(self.0.at(pa.as_u64())).expect("memory is not at 0");
        // SAFETY: the memory exists until the process ends; the caller promises that only the array
        // uses it.
        unsafe { PageArray::new(NonNull::slice_from_raw_parts(array, npages)) }
    }
}

/// The processor does nothing, as for all contestants: times do not include a TLB.
impl Machine for BenchMachine {
    type Layout = Jos64;
    type Format = X86_64;

    fn leaf_levels(&self) -> u32 {
        X86_64::LEAF_LEVELS
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
        VirtAddr::new(0)
    }

    fn print(&mut self, _text: fmt::Arguments<'_>) {}
}

/// The memory system, with a page directory of its own to work in.
#[derive(Debug)]
pub(crate) struct Libjos {
    /// The measured memory system.
    pub(crate) pmap: Pmap<BenchMachine>,
    /// Not dropped: it goes with its machine.
    root: ManuallyDrop<Pgdir>,
}

/// Converts a range of numbers to one of physical addresses.
pub(crate) fn range(range: std::ops::Range<u64>) -> PhysRange {
    PhysRange::new(PhysAddr::new(range.start), PhysAddr::new(range.end))
}

impl Libjos {
    /// A memory system with `pages` for all frames below `end`; those of `TABLES` are free.
    pub(crate) fn with_pages(memory: Memory, end: u64) -> Self {
        let (_, boot) = SimMachine::<Jos64, X86_64>::new(TABLES.end);
        let mut pmap = mem_init(BenchMachine(memory), boot);
        // Makes the tables that all address spaces share, from frames below `TABLES`.
        let root = ManuallyDrop::new(pmap.pgdir_create().expect("there are frames"));
        assert!(root.address().as_u64() < TABLES.start, "the lowest frames are allocated first");
        let npages = (end / PGSIZE) as usize;
        let start = PhysAddr::new(ARRAY.start);
        let arrays = [
            (start, npages),
            (start + (npages * size_of::<PageInfo>()) as u64, Block::table_len(npages)),
        ];
        // SAFETY: both lie side by side in memory that is reserved for them.
        let [array, table] = arrays.map(|(pa, len)| unsafe { pmap.machine().page_array(pa, len) });
        *pmap.pages_mut() = Pages::new(array, table, PhysAddr::new(0));
        let mut libjos = Self { pmap, root };
        libjos.reset();
        libjos
    }

    /// Frees the pages of `free` and those of `TABLES`, and no others.
    pub(crate) fn page_init(&mut self, free: Option<PhysRange>) {
        let all = [Some(range(TABLES)), free].into_iter().flatten();
        self.pmap.pages_mut().page_init(&all.collect::<Vec<_>>());
        self.root = ManuallyDrop::new(self.pmap.pgdir_empty().expect("all is free"));
    }

    /// The frame at `pa`.
    pub(crate) fn frame(&self, pa: u64) -> Frame {
        self.pmap.pages().pa2page(PhysAddr::new(pa)).expect("pages describes it")
    }
}

impl Tables for Libjos {
    fn new(memory: Memory) -> Self {
        Self::with_pages(memory, TABLES.end)
    }

    fn reset(&mut self) {
        self.page_init(None);
    }

    fn root(&self) -> u64 {
        self.root.address().as_u64()
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        let sizes = if pages == PageSize::Small { PageSizes::Smallest } else { PageSizes::Largest };
        let (va, pa) = (VirtAddr::new(va), PhysAddr::new(pa));
        self.pmap
            .map_range(&mut self.root, va, size, pa, Perm::KRW, sizes)
            .expect("it can be mapped");
    }
}

impl Translate for Libjos {
    #[inline]
    fn translate(&self, va: u64) -> u64 {
        match self.pmap.va2pa(&self.root, VirtAddr::new(va)) {
            Some(pa) => pa.as_u64(),
            None => panic!("{va:#x} is not mapped"),
        }
    }
}

/// libjos with a `PageInfo` for every frame that is mapped, so that each mapping is counted.
#[derive(Debug)]
pub(crate) struct Counted(pub Libjos);

impl Tables for Counted {
    fn new(memory: Memory) -> Self {
        let mut counted = Self(Libjos::with_pages(memory, FRAMES.end));
        counted.reset();
        counted
    }

    /// All of `FRAMES` is allocated.
    fn reset(&mut self) {
        self.0.page_init(Some(range(FRAMES)));
        let (machine, pages) = self.0.pmap.machine_and_pages();
        let ntables = (TABLES.end - TABLES.start) / PGSIZE - 1;
        let mut alloc = || pages.page_alloc(machine, AllocFlags::empty()).expect("all is free");
        let tables: Vec<Frame> = (0..ntables).map(|_| alloc()).collect();
        let frames: Vec<Frame> = (0..NFRAMES).map(|_| alloc()).collect();
        assert_eq!(frames[0], Frame::new((FRAMES.start / PGSIZE) as u32));
        for table in tables.into_iter().rev() {
            pages.page_free(table);
        }
    }

    fn root(&self) -> u64 {
        self.0.root()
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, pages: PageSize) {
        self.0.map(va, pa, size, pages);
    }
}

impl SinglePages for Counted {
    fn keep_frames(&mut self) {
        for pa in FRAMES.step_by(PGSIZE as usize) {
            let frame = self.0.frame(pa);
            self.0.pmap.pages_mut().page_incref(frame).expect("it is allocated");
        }
    }

    #[inline]
    fn map_page(&mut self, va: u64, pa: u64) {
        let frame = self.0.frame(pa);
        let Libjos { pmap, root } = &mut self.0;
        pmap.page_insert(root, frame, VirtAddr::new(va), Perm::URW).expect("it can be mapped");
    }

    #[inline]
    fn unmap_page(&mut self, va: u64) {
        let Libjos { pmap, root } = &mut self.0;
        pmap.page_remove(root, VirtAddr::new(va)).expect("no large page is there");
    }
}

impl TearDown for Counted {
    /// An address space of its own, with the kernel's half shared.
    fn fill(&mut self, va: u64, pas: &[u64]) {
        self.reset();
        let Libjos { pmap, root } = &mut self.0;
        // SAFETY: another one takes its place at once.
        let empty = unsafe { ManuallyDrop::take(root) };
        pmap.pgdir_free(empty);
        *root = ManuallyDrop::new(pmap.pgdir_create().expect("there are frames"));
        pages(va, pas).for_each(|(va, pa)| self.map_page(va, pa));
    }

    fn tear_down(&mut self, _va: u64, _size: u64) {
        let Libjos { pmap, root } = &mut self.0;
        // SAFETY: `reset` makes another one before anything else is done.
        let full = unsafe { ManuallyDrop::take(root) };
        pmap.pgdir_free(full);
    }

    fn nfree(&self) -> usize {
        // One less, since the other contestants keep their root.
        self.0.pmap.pages().nfree() - 1
    }
}
