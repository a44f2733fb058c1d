//! The accesses that each exception stands for.

use super::*;

fn fault(vector: u64, error: u64, store: bool) -> Option<Fault> {
    let mut frame = TrapFrame { vector, error, rcx: 0xD1, ..TrapFrame::default() };
    Trap { frame: &mut frame, cr2: 0xC2 }.fault(store)
}

#[test]
fn faults() {
    let of = |va, present, write| Some(Fault { va: VirtAddr::new(va), present, write });
    for store in [false, true] {
        // A page fault says itself what it was.
        assert_eq!(fault(14, 0, store), of(0xC2, false, false));
        assert_eq!(fault(14, 1, store), of(0xC2, true, false));
        assert_eq!(fault(14, 2, store), of(0xC2, false, true));
        assert_eq!(fault(14, 3, store), of(0xC2, true, true));
        assert_eq!(fault(13, 3, store), of(0xD1, false, store));
        for vector in [0, 8, 12, 15, 18] {
            assert_eq!(fault(vector, 0, store), None);
        }
    }
}
