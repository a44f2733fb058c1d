//! Tests of the counter's frequency.

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::{alone, each_alone};
use crate::arch::interrupts;

/// Bit 31 of leaf 1's ECX: a hypervisor is present.
const HYPERVISOR: [u32; 4] = [0, 0, 1 << 31, 0];

#[test]
fn stated_and_nominal() {
    type Leaves = &'static [(u32, [u32; 4])];
    // Leaves of CPUID with EAX, EBX, ECX and EDX; the stated and the nominal frequency.
    let cases: [(Leaves, Option<u64>, Option<u64>); 15] = [
        (&[], None, None),
        // The crystal's frequency, by EBX / EAX.
        (&[(0, [0x15, 0, 0, 0]), (0x15, [2, 168, 24_000_000, 0])], Some(2_016_000_000), None),
        (&[(0, [0x15, 0, 0, 0]), (0x15, [1, 4, u32::MAX, 0])], Some(17_179_869_180), None),
        (&[(0, [0x14, 0, 0, 0]), (0x15, [2, 168, 24_000_000, 0])], None, None),
        (&[(0, [0x15, 0, 0, 0]), (0x15, [2, 168, 0, 0])], None, None),
        (&[(0, [0x15, 0, 0, 0]), (0x15, [2, 0, 24_000_000, 0])], None, None),
        (&[(0, [0x15, 0, 0, 0]), (0x15, [0, 168, 24_000_000, 0])], None, None),
        // The hypervisor's word, in kHz.
        (
            &[
                (0, [1, 0, 0, 0]),
                (1, HYPERVISOR),
                (0x4000_0000, [0x4000_0010, 0, 0, 0]),
                (0x4000_0010, [2_500_000, 7, 0, 0]),
            ],
            Some(2_500_000_000),
            None,
        ),
        (
            &[
                (0, [1, 0, 0, 0]),
                (1, HYPERVISOR),
                (0x4000_0000, [0x4000_0010, 0, 0, 0]),
                (0x4000_0010, [u32::MAX, 0, 0, 0]),
            ],
            Some(4_294_967_295_000),
            None,
        ),
        // No hypervisor, after all; one that states nothing; one that states 0.
        (
            &[
                (0, [1, 0, 0, 0]),
                (0x4000_0000, [0x4000_0010, 0, 0, 0]),
                (0x4000_0010, [2_500_000, 0, 0, 0]),
            ],
            None,
            None,
        ),
        (
            &[
                (0, [1, 0, 0, 0]),
                (1, HYPERVISOR),
                (0x4000_0000, [0x4000_0001, 0, 0, 0]),
                (0x4000_0010, [2_500_000, 0, 0, 0]),
            ],
            None,
            None,
        ),
        (
            &[
                (0, [0x15, 0, 0, 0]),
                (1, HYPERVISOR),
                (0x15, [1, 2, 1_000, 0]),
                (0x4000_0000, [0x4000_0010, 0, 0, 0]),
            ],
            Some(2_000),
            None,
        ),
        // The hypervisor knows better than the crystal.
        (
            &[
                (0, [0x16, 0, 0, 0]),
                (1, HYPERVISOR),
                (0x15, [1, 2, 1_000, 0]),
                (0x16, [1_800, 0, 0, 0]),
                (0x4000_0000, [0x4000_0010, 0, 0, 0]),
                (0x4000_0010, [1, 0, 0, 0]),
            ],
            Some(1_000),
            Some(1_800_000_000),
        ),
        // The nominal frequency, in MHz.
        (&[(0, [0x16, 0, 0, 0]), (0x16, [1, 2, 3, 4])], None, Some(1_000_000)),
        (&[(0, [0x16, 0, 0, 0]), (0x16, [0, 2, 3, 4])], None, None),
    ];
    let ended = each_alone(&cases, |(leaves, by_machine, by_name)| {
        let leaves = leaves.iter().map(|(leaf, values)| ((*leaf, 0), *values));
        pc().processor.cpuid.extend(leaves);
        assert_eq!((stated(), nominal()), (*by_machine, *by_name));
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

#[test]
fn measurements() {
    // The counter's frequency, and its progress from one access to the next, about a microsecond.
    let cases = [(1_000_000_000, 500), (2_893_437_000, 3_000), (100_000_000, 20), (10_000_000, 7)];
    let ended = each_alone(&cases, |(hz, step)| {
        pc().timer.counter_hz = *hz;
        pc().processor.step = *step;
        let error = measured().expect("there is a timer").abs_diff(*hz);
        assert!(error < hz / 500, "{error}");
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

#[test]
fn no_timer() {
    let ended = each_alone(&[()], |()| {
        pc().timer.present = false;
        assert_eq!(measured(), None);
    });
    ended[0].assert_returned();
}

/// The timer wakes the processor if its requests reach the interrupt controller. It counts to 65,535 at most.
#[test]
fn alarms() {
    let cases = [(true, true, true), (true, false, true), (true, true, false), (false, true, true)];
    let ended = each_alone(&cases, |(has_timer, has_controller, is_wired)| {
        (pc().timer.present, pc().timer.is_wired) = (*has_timer, *is_wired);
        pc().interrupts.present = *has_controller;
        interrupts::init();
        init_alarm();
        let wakes = *has_timer && *has_controller && *is_wired;
        assert_eq!(*has_controller && pc().interrupts.masks[0] & 1 << TIMER == 0, wakes);
        for (time, first) in [
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1), 1_194),
            (Duration::from_millis(54), 64_432),
            (Duration::from_secs(9), 65_535),
            (Duration::MAX, 65_535),
        ] {
            assert_eq!(alarm(time), wakes);
            assert_eq!(pc().timer.initial(), first, "{time:?}");
        }
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// Ticks repeat, at the rate that was asked for or the lowest that there is.
#[test]
fn ticks() {
    let timer = || {
        let pc = pc();
        (pc.timer.repeats, pc.timer.initial())
    };
    let ended = alone(move || {
        for (hz, first) in [(100, 11_931), (19, 62_799), (18, 65_535), (1, 65_535)] {
            tick(hz);
            assert_eq!(timer(), (true, first), "{hz}");
        }
        tick(1_000);
        stop_ticking();
        assert_eq!(timer(), (false, 65_535));
    });
    ended.assert_returned();
}
