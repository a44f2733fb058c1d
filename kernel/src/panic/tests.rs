//! Reports of panics: alone, within a report, and within that.

use alloc::vec::Vec;

use libjos::app::process::ExitCode;

use super::*;
use crate::arch::host::process::{alone, each_alone};
use crate::arch::host::{trap, vga};
use crate::rig;

/// A message that panics again while it is printed, `depth` times in all.
struct Again {
    depth: u32,
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print!("[depth {}]", self.depth);
        match self.depth {
            0 => f.write_str("at last"),
            depth => {
                report(Location::caller(), format_args!("{}", Again { depth: depth - 1 }), None)
            }
        }
    }
}

#[test]
fn one_report() {
    let ended = alone(|| {
        rig::console();
        print!("the middle of a line");
        report(Location::caller(), format_args!("out of {}", "luck"), None)
    });
    let lines: Vec<_> = ended.printed.lines().collect();
    assert_eq!(lines[0], "the middle of a line");
    assert!(lines[1].starts_with("kernel panic at kernel/src/panic/tests.rs:"), "{ended:?}");
    assert!(lines[1].ends_with(": out of luck"));
    assert_eq!(
        lines[2..],
        ["Backtrace:", "  (addr2line -Cfpe obj/kern/kernel ADDRESS... names them)"]
    );
    ended.assert_ended(35);
}

#[test]
fn reports_within_reports() {
    let within = "kernel panic within the report of a panic, at kernel/src/panic/tests.rs";
    let ended = each_alone(&[1, 2, 3, 4], |depth| {
        rig::console();
        let depth = *depth;
        report(Location::caller(), format_args!("{}", Again { depth }), None)
    });
    for (ended, depth) in ended.iter().zip([1, 2, 3, 4]) {
        assert!(ended.printed.contains("kernel panic at kernel/src/panic/tests.rs"), "{ended:?}");
        // The second and the third print a line each; the fourth ends in silence.
        let lines = ended.printed.matches(within).count();
        assert_eq!(lines, [1, 2, 2, 2][depth - 1], "{depth}: {}", ended.printed);
        let ends = ended.printed.ends_with(": [depth 0]at last\r\n");
        assert_eq!(ends, depth < 3, "{depth}: {}", ended.printed);
        ended.assert_ended(35);
    }
}

/// The first two reports are on the screen too; the third leaves it, since it may be the cause.
#[test]
fn the_screen() {
    let ended = each_alone(&[0, 1, 2], |before| {
        rig::console();
        REPORTS.store(*before, Ordering::Relaxed);
        report(Location::caller(), format_args!("{}", OnScreen), None)
    });
    for (ended, shown) in ended.iter().zip(["true", "true", "false"]) {
        assert!(
            ended.printed.contains(&[": on the screen: ", shown, "\r\n"].concat()),
            "{ended:?}"
        );
    }
}

/// Says whether the line so far is on the screen.
struct OnScreen;

impl fmt::Display for OnScreen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on the screen: {}", !vga::text().is_empty())
    }
}

/// A trap that nobody takes is reported with its registers, and the backtrace begins at it.
#[test]
fn a_trap() {
    let ended = alone(|| {
        rig::boot("", || {
            trap::with(1, 0, 0, |trap| {
                let _ = report_trap(trap);
            });
            ExitCode::SUCCESS
        })
    });
    let (_, report) = ended.printed.split_once("kernel panic at ").expect("a report");
    assert!(report.contains(": debug exception (#DB, vector 1)\r\n  "), "{report}");
    assert!(report.contains("\r\nBacktrace:\r\n  #0  0xfffffffff0100200\r\n"), "{report}");
    ended.assert_ended(35);
}

/// The console is taken from whoever holds it.
#[test]
fn a_locked_console() {
    let ended = alone(|| {
        rig::console();
        console::tests::hold();
        report(Location::caller(), format_args!("out"), None)
    });
    assert!(ended.printed.contains(": out\r\n"), "{ended:?}");
    ended.assert_ended(35);
}
