//! Outcomes of probes: success, and each kind of fault.

use super::*;
use crate::arch::frame::TrapFrame;

fn outcome(vector: u64, error: u64, store: bool) -> Option<Result<usize, Fault>> {
    let mut frame = TrapFrame { vector, error, rcx: 0xD1, ..TrapFrame::default() };
    Outcome::of(&Trap { frame: &mut frame, cr2: 0xC2 }, store).map(Outcome::check)
}

fn fault(va: u64, present: bool, write: bool) -> Option<Result<usize, Fault>> {
    Some(Err(Fault { va: VirtAddr::new(va), present, write }))
}

#[test]
fn success() {
    assert_eq!(Outcome { value: 5, fault: 0 }.check(), Ok(5));
    // An error code alone is no fault.
    assert_eq!(Outcome { value: 5, fault: 3 }.check(), Ok(5));
}

#[test]
fn faults() {
    for store in [false, true] {
        // A page fault says itself what it was.
        assert_eq!(outcome(14, 0, store), fault(0xC2, false, false));
        assert_eq!(outcome(14, 1, store), fault(0xC2, true, false));
        assert_eq!(outcome(14, 2, store), fault(0xC2, false, true));
        assert_eq!(outcome(14, 3, store), fault(0xC2, true, true));
        assert_eq!(outcome(13, 3, store), fault(0xD1, false, store));
        for vector in [0, 8, 12, 15, 18] {
            assert_eq!(outcome(vector, 0, store), None);
        }
    }
}
