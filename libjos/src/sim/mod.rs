//! A simulated machine: the memory system runs on it as on a real one, on any host.
//!
//! [`SimMachine`] has RAM of its own ([`memory`]), and a [`processor`] that walks page tables and raises
//! exceptions as the manuals say, written without this crate's own decoders ([`mmu`]). Its caches
//! of translations and of tables stay stale until they are flushed, so that a missing
//! flush is seen. It can be given [`Defects`], to see that the checks notice. A
//! [heap](crate::heap) needs less: an [`Arena`](arena::Arena).
//!
//! ```
//! use layout::Jos64;
//! use libjos::{pmap::mem_init, sim::SimMachine, paging::format::x86_64::X86_64};
//!
//! let (machine, boot) = SimMachine::<Jos64, X86_64>::new(16 << 20);
//! let mut pmap = mem_init(machine, boot);
//! pmap.machine_mut().move_to_kernel_stack();
//! pmap.checks().check_page_installed_pgdir();
//! assert!(pmap.machine().log.contains("check_kern_pgdir() succeeded!"));
//! ```

use core::cell::Cell;
use core::fmt::{self, Write};
use core::marker::PhantomData;
use std::string::String;

use layout::{GB, KB, MB, MemLayout, PGSIZE};

use crate::machine::{AccessKind, CpuSet, Fault, Machine, PhysMem};
use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::boot::{Boot, KernelImage};
use crate::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry};
use crate::mem::pages::PageArray;
use crate::mem::reservations::Reservations;
use crate::paging::format::Format;
use crate::paging::word::Word;

mod access;
#[expect(unsafe_code)]
pub mod arena;
mod caches;
mod kind;
#[expect(unsafe_code)]
pub mod memory;
pub mod mmu;
#[cfg(feature = "std")]
pub mod platform;
pub mod processor;
pub mod program;
pub mod told;
#[expect(unsafe_code)]
pub mod user;

use memory::SimMemory;
use mmu::{Control, Exception, Mmu, Ram};
#[cfg(feature = "std")]
pub use platform::SimPlatform;
use processor::Processor;

/// The defects of a simulated processor.
#[derive(Clone, Copy, Default, Debug)]
pub struct Defects {
    /// The write to CR0 that turns on write protection is lost.
    pub drops_cr0_write: bool,
    /// `invlpg` does nothing, nor does a flush of everything.
    pub drops_invlpg: bool,
    /// `lcr3` does nothing.
    pub drops_lcr3: bool,
}

/// A machine with the map `L` whose processor walks tables of format `F`.
#[derive(Debug)]
pub struct SimMachine<L, F> {
    /// The text that was printed.
    pub log: String,
    /// The processor's defects.
    pub defects: Defects,
    /// The processor; its control bits are at first as a boot loader of ours leaves them.
    pub processor: Processor,
    /// The exception that the last access raised.
    pub exception: Option<Exception>,
    /// Words that the memory system has read.
    pub loads: Cell<u64>,
    /// The devices that `mem_init` is to map; none at first.
    pub devices: &'static [PhysRange],
    memory: SimMemory,
    stack_pointer: u64,
    types: PhantomData<fn() -> (L, F)>,
}

impl<L: MemLayout, F: Format + Mmu> SimMachine<L, F> {
    /// Makes a machine with `ram` bytes from the layout's `PHYS_BASE` on, and its loader's report. A PC
    /// has a hole below 1 MB, and another from 3 GB to 4 GB, which moves the rest of RAM up. Some boot
    /// information lies just behind the kernel.
    ///
    /// # Panics
    ///
    /// If `ram` is under 2 MB.
    #[must_use]
    pub fn new(ram: u64) -> (Self, Boot) {
        let base = L::PHYS_BASE;
        let usable = |base, length| MemoryMapEntry { base, length, kind: MemoryKind::Usable };
        let reserved = |base, length| MemoryMapEntry { base, length, kind: MemoryKind::Reserved };
        // As on QEMU's PC. On RISC-V the firmware takes the first 512 KB.
        let below_hole = ram.min(3 * GB);
        let entries = if L::IOPHYSMEM < L::EXTPHYSMEM {
            [
                usable(0, 0x9_fc00),
                reserved(0x9_fc00, 0x6_0400),
                usable(MB, below_hole - MB),
                usable(4 * GB, ram - below_hole),
                reserved(0xfd_0000_0000, 0x3_0000_0000),
            ]
        } else {
            [
                usable(base, ram),
                reserved(base, 512 * KB),
                reserved(0, base),
                reserved(base + ram, PGSIZE),
                reserved(base + ram + PGSIZE, PGSIZE),
            ]
        };
        let memory = MemoryMap::new::<L>(entries.into_iter(), None);
        let end = memory.usable().runs().last().map_or(base, |run| run.end_exclusive.as_u64());
        let text = PhysRange::from_size(PhysAddr::new(base + MB), 16 * KB);
        let rodata = PhysRange::from_size(text.end_exclusive, 8 * KB);
        let data = PhysRange::from_size(rodata.end_exclusive, 96 * KB);
        let stack = PhysRange::from_size(data.start + 32 * KB, L::KSTKSIZE);
        let behind = PhysRange::from_size(data.end_exclusive + PGSIZE, PGSIZE);
        let reserved = Reservations::new(core::iter::once(behind), &memory);
        let control = Control { wp: false, smep: false, smap: false, pge: false, nxe: true };
        let machine = Self {
            log: String::new(),
            defects: Defects::default(),
            processor: Processor::new(F::KIND, F::LEAF_LEVELS, control),
            loads: Cell::new(0),
            devices: &[],
            memory: SimMemory::new(base, end - base),
            stack_pointer: L::KERNBASE + (stack.end_exclusive.as_u64() - base),
            exception: None,
            types: PhantomData,
        };
        let image = KernelImage { text, rodata, data, stack };
        (machine, Boot { memory, image, reserved })
    }

    /// The RAM.
    #[must_use]
    pub fn memory(&self) -> &SimMemory {
        &self.memory
    }

    /// Moves the stack pointer to the kernel stack, as a kernel does after `mem_init`.
    pub fn move_to_kernel_stack(&mut self) {
        self.stack_pointer = L::KSTACKTOP - 64;
    }

    /// Sets the stack pointer.
    pub fn set_stack_pointer(&mut self, va: VirtAddr) {
        self.stack_pointer = va.as_u64();
    }
}

impl<L, F> PhysMem for SimMachine<L, F> {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        self.loads.set(self.loads.get() + 1);
        self.memory.load(pa)
    }

    fn store<W: Word>(&self, pa: PhysAddr, word: W) {
        self.memory.store(pa, word);
    }

    fn compare_exchange<W: Word>(&self, pa: PhysAddr, current: W, new: W) -> Result<(), W> {
        let word = self.memory.load(pa);
        if word != current {
            return Err(word);
        }
        self.memory.store(pa, new);
        Ok(())
    }

    fn zero_frame(&self, pa: PhysAddr) {
        self.memory.zero_frame(pa);
    }

    #[expect(unsafe_code)]
    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray {
        // SAFETY: the caller has promised the same.
        unsafe { self.memory.page_array(pa, npages) }
    }
}

impl<L: MemLayout, F: Format + Mmu> Machine for SimMachine<L, F> {
    type Layout = L;
    type Format = F;

    fn leaf_levels(&self) -> u32 {
        self.processor.leaf_levels
    }

    fn devices(&self) -> &'static [PhysRange] {
        self.devices
    }

    #[track_caller]
    fn lcr3(&mut self, pgdir: PhysAddr) {
        if told::counts() && !self.defects.drops_lcr3 {
            self.processor.lcr3(&self.memory, pgdir);
        }
    }

    fn protect_kernel(&mut self) {
        let wp = !self.defects.drops_cr0_write;
        self.processor.set_control(Control { wp, smep: true, smap: true, pge: true, nxe: true });
    }

    #[track_caller]
    fn invlpg(&mut self, cpus: CpuSet, va: VirtAddr) {
        if told::counts() && cpus.contains(self.cpu()) && !self.defects.drops_invlpg {
            self.processor.invlpg(&self.memory, va.as_u64());
        }
    }

    #[track_caller]
    fn flush_tlb(&mut self, cpus: CpuSet) {
        if told::counts() && cpus.contains(self.cpu()) && !self.defects.drops_invlpg {
            self.processor.flush(&self.memory);
        }
    }

    #[track_caller]
    fn made_valid(&mut self, page: Option<VirtAddr>) {
        if told::counts() {
            self.processor.made_valid(&self.memory, page.map(VirtAddr::as_u64));
        }
    }

    fn probe_load(&mut self, va: VirtAddr) -> Result<u64, Fault> {
        self.read(va, AccessKind::Read, false)
    }

    fn probe_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault> {
        self.write(va, value, false)
    }

    fn stack_pointer(&self) -> VirtAddr {
        VirtAddr::new(self.stack_pointer)
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.log.write_fmt(text);
    }
}
