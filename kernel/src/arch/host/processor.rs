//! The simulated processor's state.

use std::collections::BTreeMap;

/// The processor's parts that a test sets.
pub(crate) struct Processor {
    /// The counter's value.
    pub counter: u64,
    /// The counter's progress with each reading, and with each access to a port.
    pub step: u64,
    /// CPUID: the values of EAX, EBX, ECX and EDX for a leaf and a subleaf; 0 for others.
    pub cpuid: BTreeMap<(u32, u32), [u32; 4]>,
}

impl Processor {
    pub(super) const fn new() -> Self {
        Self { counter: 0, step: 1, cpuid: BTreeMap::new() }
    }

    /// Lets time pass, and returns the counter's value.
    pub(super) fn pass_time(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(self.step);
        self.counter
    }
}
