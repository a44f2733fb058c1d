//! [`Outcome`]: the result of a probe, as the two words that the probes' instructions return.

use libjos::machine::Fault;
use libjos::mem::addr::VirtAddr;

/// The result of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Outcome {
    /// The value that was read, or the address that faulted.
    pub value: usize,
    /// 0, or [`FAULTED`] and the fault's other bits.
    pub fault: usize,
}

const FAULTED: usize = 1 << 0;
const PRESENT: usize = 1 << 1;
const WRITE: usize = 1 << 2;

impl Outcome {
    /// The value, or the fault.
    pub(super) fn check(self) -> Result<usize, Fault> {
        if self.fault & FAULTED == 0 {
            return Ok(self.value);
        }
        let has = |bit| self.fault & bit != 0;
        let va = VirtAddr::new(self.value as u64);
        Err(Fault { va, present: has(PRESENT), write: has(WRITE) })
    }
}

impl From<Fault> for Outcome {
    fn from(Fault { va, present, write }: Fault) -> Self {
        let bit = |set, bit| if set { bit } else { 0 };
        let fault = FAULTED | bit(present, PRESENT) | bit(write, WRITE);
        Self { value: va.as_u64() as usize, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_a_value_or_a_fault() {
        // Further bits alone are no fault.
        assert_eq!(Outcome { value: 5, fault: PRESENT | WRITE }.check(), Ok(5));
        for (present, write) in [(false, false), (false, true), (true, false), (true, true)] {
            let fault = Fault { va: VirtAddr::new(0x1000), present, write };
            assert_eq!(Outcome::from(fault).check(), Err(fault));
        }
    }
}
