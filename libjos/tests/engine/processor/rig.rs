//! Tables written by hand, and accesses through them.

use layout::{MB, MemLayout};
use libjos::machine::{CpuSet, Machine, PhysMem};
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::Format;
use libjos::paging::word::Word;
use libjos::sim::SimMachine;
use libjos::sim::mmu::{Control, Exception, Mmu};

/// All bits of control are on.
pub(crate) const ALL: Control = Control { wp: true, smep: true, smap: true, pge: true, nxe: true };
/// All bits of control are off.
pub(crate) const NONE: Control =
    Control { wp: false, smep: false, smap: false, pge: false, nxe: false };

/// An access to an address, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    UserLoad,
    UserStore,
    UserFetch,
    KernelLoad,
    KernelStore,
    KernelFetch,
}

pub(crate) use Access::*;

pub(crate) const EVERY: [Access; 6] =
    [UserLoad, UserStore, UserFetch, KernelLoad, KernelStore, KernelFetch];

/// A machine with no tables yet.
pub(crate) struct Rig<L, F> {
    pub(crate) machine: SimMachine<L, F>,
    /// Bits of an address that one table translates.
    index_bits: u32,
}

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    pub(crate) fn new() -> Self {
        let (mut machine, _) = SimMachine::new(8 * MB);
        machine.processor.control = ALL;
        let index_bits = if size_of::<F::Word>() == 4 { 10 } else { 9 };
        let mut rig = Self { machine, index_bits };
        rig.machine.lcr3(PhysAddr::new(rig.table(0)));
        rig
    }

    /// Where the `n`th table is; the first is the root. There is room for 16.
    pub(crate) fn table(&self, n: u64) -> u64 {
        L::PHYS_BASE + 0x10_0000 + n * 0x1000
    }

    /// Writes the entry for `va` in the `n`th table, which is of `level`.
    pub(crate) fn write(&mut self, n: u64, level: u32, va: u64, entry: u64) {
        let index = va >> (12 + level * self.index_bits) & ((1 << self.index_bits) - 1);
        let at = PhysAddr::new(self.table(n) + index * size_of::<F::Word>() as u64);
        self.machine.store(at, F::Word::from_u64(entry));
    }

    /// The entry for `va` in the `n`th table, which is of `level`.
    pub(crate) fn read(&self, n: u64, level: u32, va: u64) -> u64 {
        let index = va >> (12 + level * self.index_bits) & ((1 << self.index_bits) - 1);
        let at = PhysAddr::new(self.table(n) + index * size_of::<F::Word>() as u64);
        self.machine.load::<F::Word>(at).to_u64()
    }

    /// Writes the entries that lead to `va`, from the root on, in a table each, and makes the
    /// processor forget all others.
    pub(crate) fn lead(&mut self, va: u64, entries: &[u64]) {
        let mut level = F::LEVELS;
        for (n, entry) in (0..).zip(entries) {
            level -= 1;
            self.write(n, level, va, *entry);
        }
        self.machine.flush_tlb(CpuSet::ALL);
    }

    /// Does it; the value, or what the processor raised.
    pub(crate) fn access(&mut self, access: Access, va: u64) -> Result<u64, Exception> {
        let (machine, va) = (&mut self.machine, VirtAddr::new(va));
        let done = match access {
            UserLoad => machine.user_load(va),
            UserStore => machine.user_store(va, 7).map(|()| 7),
            UserFetch => machine.user_fetch(va),
            KernelLoad => machine.probe_load(va),
            KernelStore => machine.probe_store(va, 7).map(|()| 7),
            KernelFetch => machine.kernel_fetch(va),
        };
        match (done, machine.exception) {
            (Ok(value), None) => Ok(value),
            (Err(fault), Some(exception)) => {
                let write = matches!(access, UserStore | KernelStore);
                assert_eq!((fault.va, fault.write), (va, write));
                if let Exception::PageFault(code) = exception {
                    assert_eq!(fault.present, code & 1 != 0, "{fault:?}, {exception:?}");
                }
                Err(exception)
            }
            other => panic!("{access:?} at {va}: {other:?}"),
        }
    }

    /// Expects `raised` of the accesses to `va`, in the order of [`EVERY`], if `entries` lead there.
    pub(crate) fn expect(&mut self, what: &str, va: u64, entries: &[u64], raised: Raised) {
        for (access, expected) in EVERY.into_iter().zip(raised) {
            self.lead(va, entries);
            let found = self.access(access, va).err();
            assert_eq!(found, expected, "{}: {what}: {access:?}, {entries:#x?}", F::NAME);
        }
    }
}

/// The exceptions of the six accesses, in the order of [`EVERY`].
pub(crate) type Raised = [Option<Exception>; 6];

/// No access raises anything.
pub(crate) const FINE: Raised = [None; 6];

/// Page faults with these error codes.
pub(crate) fn codes(codes: [Option<u32>; 6]) -> Raised {
    codes.map(|code| code.map(Exception::PageFault))
}

/// RISC-V's page faults, where there is one.
pub(crate) fn causes(faults: [bool; 6]) -> Raised {
    let causes = [13, 15, 12, 13, 15, 12];
    core::array::from_fn(|i| faults[i].then_some(Exception::Cause(causes[i])))
}
