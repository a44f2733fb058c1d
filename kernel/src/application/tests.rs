//! The application's end: exit codes, panics, and the pages that it kept.

use libjos::mem::pages::AllocFlags;

use super::*;
use crate::arch::host::process::{alone, each_alone};
use crate::rig;

/// Every code but 0 is printed, and is a failure.
#[test]
fn codes() {
    for code in [0, 1, 2, 255] {
        assert_eq!(ExitCode::from(code).is_success(), code == 0);
    }
    let ended = each_alone(&[0, 1, 2, 255], |code| {
        rig::console();
        end(ExitCode::from(*code))
    });
    ended[0].assert_printed(33, &[]);
    ended[1].assert_printed(35, &["Exit code 1"]);
    ended[2].assert_printed(35, &["Exit code 2"]);
    ended[3].assert_printed(35, &["Exit code 255"]);
}

/// A page that is given back after the application began, and was in use before, is no leak.
#[test]
fn fewer_pages_than_at_the_start() {
    let ended = alone(|| {
        rig::boot("leakcheck", || {
            let mut pmap = pmap::lock();
            let start = FREE_AT_START.load(Ordering::Relaxed);
            assert_eq!(start, pmap.pages().nfree());
            let page = pmap.page_alloc(AllocFlags::empty()).expect("a free page");
            assert_eq!(pmap.pages().nfree(), start - 1);
            pmap.pages_mut().page_free(page);
            ExitCode::SUCCESS
        })
    });
    assert!(ended.printed.ends_with("leakcheck: every page went back\r\n"));
    ended.assert_ended(33);
}

/// `libjos::prelude::exit` ends the machine as a return from `main` does; a panic is a failure.
#[test]
fn other_ends() {
    let ended = alone(|| rig::boot("leakcheck", || libjos::app::process::exit(3)));
    assert!(ended.printed.ends_with("Exit code 3\r\nleakcheck: every page went back\r\n"));
    ended.assert_ended(35);
}

#[test]
fn a_panic() {
    let ended = alone(|| rig::boot("leakcheck", || panic!("no way on")));
    let (_, report) = ended.printed.split_once("kernel panic at ").expect("a panic");
    assert!(report.starts_with("kernel/src/application/tests.rs:"), "{report}");
    assert!(report.contains(": no way on\r\n") && !report.contains("leakcheck"), "{report}");
    ended.assert_ended(35);
}
