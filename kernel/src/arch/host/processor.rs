//! The simulated processor's state: its registers, and the processor of `libjos` that translates for it.

use std::collections::BTreeMap;

use layout::MemLayout;
use libjos::sim::mmu::{Control, Mmu as _};
use libjos::sim::processor::Processor as Translator;

use crate::arch::x86_64::{Format, Layout};

/// CR0.TS: the next use of the registers for floating-point numbers faults.
pub(crate) const TASK_SWITCHED: u64 = 1 << 3;
/// The size of those registers.
pub(crate) const FLOATS: usize = 512;
/// Their bytes while no program has them. If there are others, an exception may be pending, which the next load raises, as
/// FRSTOR does.
pub(crate) const INITIAL_FLOATS: [u8; FLOATS] = [0x7F; FLOATS];
/// CR0.WP; CR4.PGE, SMEP and SMAP (Intel SDM vol. 3A, 2.5).
pub(super) const WRITE_PROTECT: u64 = 1 << 16;
pub(super) const GLOBAL_PAGES: u64 = 1 << 7;
pub(super) const SMEP: u64 = 1 << 20;
pub(super) const SMAP: u64 = 1 << 21;
/// EFER.NXE.
pub(super) const NO_EXECUTE: u64 = 1 << 11;
/// CPUID 0x8000_0001, EDX: pages of 1 GB.
pub(super) const GIGABYTE_PAGES: u32 = 1 << 26;

/// The control registers.
#[derive(Clone, Copy)]
pub(crate) struct ControlRegisters {
    pub cr0: u64,
    pub cr2: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub cr8: u64,
    pub efer: u64,
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
    /// The registers for floating-point numbers and vectors.
    pub floats: [u8; FLOATS],
    /// EFLAGS.IF: interrupts are on.
    pub interrupts: bool,
    /// A function that runs when interrupts come on.
    pub when_on: fn(),
    /// The number of halts with interrupts on, and what happens at each.
    pub halts: usize,
    pub at_halt: fn(),
    /// EFLAGS.AC: the kernel may access pages of the user's.
    pub allows_user_access: bool,
    /// It keeps translations and tables until they are flushed.
    pub(super) translator: Translator,
}

/// Before the first access sets them.
const NO_CONTROL: Control = Control { wp: false, smep: false, smap: false, pge: false, nxe: false };

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
            floats: INITIAL_FLOATS,
            interrupts: false,
            when_on: || (),
            halts: 0,
            at_halt: || (),
            allows_user_access: false,
            translator: Translator::new(Format::KIND, 0, NO_CONTROL),
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
