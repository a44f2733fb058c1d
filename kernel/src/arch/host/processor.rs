//! The simulated processor's state: registers, and translations that it keeps.

use std::collections::BTreeMap;

use layout::MemLayout;

use crate::arch::x86_64::Layout;
use crate::arch::x86_64::control::ControlRegisters;

/// CR0.WP; CR4.PGE, SMEP and SMAP (Intel SDM vol. 3A, 2.5).
pub(super) const WRITE_PROTECT: u64 = 1 << 16;
pub(super) const GLOBAL_PAGES: u64 = 1 << 7;
pub(super) const SMEP: u64 = 1 << 20;
pub(super) const SMAP: u64 = 1 << 21;

/// A translation of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Translation {
    /// The physical address of the 4 KB.
    pub(super) pa: u64,
    pub(super) writable: bool,
    pub(super) user: bool,
    pub(super) executable: bool,
    pub(super) global: bool,
    pub(super) dirty: bool,
}

/// The processor's parts that a test sets and looks at.
pub(crate) struct Processor {
    /// The counter's value.
    pub counter: u64,
    /// The counter's progress with each reading, and with each access to a port.
    pub step: u64,
    /// CPUID: the values of EAX, EBX, ECX and EDX for a leaf and a subleaf; 0 for others.
    pub cpuid: BTreeMap<(u32, u32), [u32; 4]>,
    /// The control registers; `cr3` is 0 while the entry code's page directory is in use.
    pub control: ControlRegisters,
    /// The model-specific registers that were written, by number; others are 0.
    pub msrs: BTreeMap<u32, u64>,
    /// The stack pointer and the frame pointer of the code that runs.
    pub rsp: u64,
    pub rbp: u64,
    /// Translations that are kept until they are flushed, by the page's address.
    pub tlb: BTreeMap<u64, Translation>,
    /// Flushes of everything, except by a change of the page directory.
    pub flushes: usize,
}

impl Processor {
    pub(super) const fn new() -> Self {
        let control =
            ControlRegisters { cr0: 0x8000_0033, cr2: 0, cr3: 0, cr4: 0x20, cr8: 0, efer: 0xD00 };
        Self {
            counter: 0,
            step: 1,
            cpuid: BTreeMap::new(),
            control,
            msrs: BTreeMap::new(),
            rsp: BOOT_STACK_TOP - 64,
            rbp: 0,
            tlb: BTreeMap::new(),
            flushes: 0,
        }
    }

    /// Lets time pass, and returns the counter's value.
    pub(super) fn pass_time(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(self.step);
        self.counter
    }
}

/// The end of the boot stack.
pub(super) const BOOT_STACK_TOP: u64 = super::memory::BOOT_STACK + Layout::KSTKSIZE;
