//! Tests of the run queue against a scan.

use super::*;

/// Any set, asked from any index, answers as a scan does.
#[test]
fn the_next_is_the_one_that_a_scan_finds() {
    let index = EnvIndex::new;
    let sets: [&[usize]; 9] = [
        &[],
        &[0],
        &[NENV - 1],
        &[31, 32],
        &[63, 64],
        &[5, 700],
        &[0, NENV - 1],
        &[1, 2, 3, 62, 63, 64, 65, 127, 128, 1000],
        &[31, 63, 95, 127, 1023],
    ];
    for set in sets {
        let mut queue = RunQueue::new();
        for number in 0..NENV {
            queue.insert(index(number));
        }
        (0..NENV).filter(|number| !set.contains(number)).for_each(|n| queue.remove(index(n)));
        for last in 0..NENV {
            let scan = (1..=NENV).map(|step| (last + step) % NENV).find(|n| set.contains(n));
            assert_eq!(queue.after(index(last)), scan.map(index), "{set:?} after {last}");
        }
    }
}
