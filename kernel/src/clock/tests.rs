//! Tests of the time.

use alloc::format;

use super::*;
use crate::arch::host::pc;
use crate::arch::host::process::each_alone;

/// Lets the processor state that its counter counts `hz` times a second, exactly.
fn state(hz: u32) {
    let cpuid = &mut pc().processor.cpuid;
    cpuid.insert((0, 0), [0x15, 0, 0, 0]);
    cpuid.insert((0x15, 0), [1, 1, hz, 0]);
}

#[test]
fn uptimes() {
    // The stated frequency, the counter at the start and now; seconds and nanoseconds.
    let cases = [
        (1, 0, 0, Some((0, 0))),
        (1, 0, 7, Some((7, 0))),
        (1000, 0, 1, Some((0, 1_000_000))),
        (3, 5, 6, Some((0, 333_333_333))),
        (3, 5, 7, Some((0, 666_666_666))),
        (2_000_000_000, 1_000, 3_000_001_000, Some((1, 500_000_000))),
        (u32::MAX, 0, u64::from(u32::MAX) * 86_400 * 365, Some((31_536_000, 0))),
        (u32::MAX, 0, u64::MAX, Some((4_294_967_297, 0))),
        // Nanoseconds to 2^64 - 1, and more.
        (1, 0, 18_446_744_073, Some((18_446_744_073, 0))),
        (1, 0, 18_446_744_074, None),
        (1, 1, u64::MAX, None),
        // A counter that went back.
        (1000, 100, 99, Some((0, 0))),
        (1000, u64::MAX, 5, Some((0, 0))),
    ];
    let ended = each_alone(&cases, |(hz, start, now, wanted)| {
        state(*hz);
        pc().processor.step = 0;
        pc().processor.counter = *start;
        init();
        pc().processor.counter = *now;
        init();
        let since = now.saturating_sub(*start);
        assert_eq!(counts(), (*now, since));
        let wanted = wanted.map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds));
        assert_eq!(uptime(), wanted);
        // As if it counted nanoseconds.
        assert_eq!(monotonic(), wanted.unwrap_or(Duration::from_nanos(since)));
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

/// The machine's word goes before a measurement, which goes before the nominal frequency. It is asked
/// for once.
#[test]
fn frequencies() {
    // Whether the processor states a frequency, has a timer (1 GHz), and a nominal frequency (2 GHz);
    // nanoseconds for 2 billion counts.
    let cases = [
        (true, true, true, Some(4_000_000_000)),
        (false, true, true, Some(2_000_000_000)),
        (false, false, true, Some(1_000_000_000)),
        (false, false, false, None),
    ];
    let ended = each_alone(&cases, |(is_stated, has_timer, has_nominal, wanted)| {
        let hz = if *is_stated { 500_000_000 } else { 0 };
        let mhz = if *has_nominal { 2_000 } else { 0 };
        let leaves = [(0, [0x16, 0, 0, 0]), (0x15, [1, 1, hz, 0]), (0x16, [mhz, 0, 0, 0])];
        pc().processor.cpuid.extend(leaves.map(|(leaf, values)| ((leaf, 0), values)));
        pc().timer.present = *has_timer;
        pc().timer.counter_hz = 1_000_000_000;
        pc().processor.step = 100;
        init();
        let first = uptime();
        pc().processor.step = 0;
        pc().processor.counter = START.get().unwrap() + 2_000_000_000;
        // Later there is no timer, and no statement.
        pc().timer.present = false;
        pc().processor.cpuid.clear();
        let time = uptime().map(|time| time.as_nanos() as u64);
        let error = time.unwrap_or(0).abs_diff(wanted.unwrap_or(0));
        assert!(error <= 2_000_000, "{time:?}");
        assert_eq!((first.is_some(), time.is_some()), (wanted.is_some(), wanted.is_some()));
    });
    ended.iter().for_each(|ended| ended.assert_returned());
}

#[test]
fn before_the_start() {
    let ended = each_alone(&[()], |()| {
        state(1000);
        pc().processor.step = 0;
        pc().processor.counter = 5000;
        assert_eq!(counts(), (5000, 0));
        assert_eq!(uptime(), Some(Duration::ZERO));
    });
    ended[0].assert_returned();
}

#[test]
fn hours() {
    for (milliseconds, text) in [
        (0, "0:00:00.000"),
        (1, "0:00:00.001"),
        (999, "0:00:00.999"),
        (1_000, "0:00:01.000"),
        (59_999, "0:00:59.999"),
        (60_000, "0:01:00.000"),
        (3_599_999, "0:59:59.999"),
        (3_600_000, "1:00:00.000"),
        (3_661_001, "1:01:01.001"),
        (86_399_999, "23:59:59.999"),
        (86_400_000, "24:00:00.000"),
        (100 * 86_400_000 + 62_045, "2400:01:02.045"),
    ] {
        assert_eq!(format!("{}", Hours(Duration::from_millis(milliseconds))), text);
    }
    let nearly = Duration::from_nanos(1_999_999);
    assert_eq!(format!("{}", Hours(nearly)), "0:00:00.001", "the last digit is not rounded up");
    let longest = Duration::from_nanos(u64::MAX);
    assert_eq!(format!("{}", Hours(longest)), "5124095:34:33.709");
}
