//! The calls of an application besides its areas (`applications.rs`): time, console, messages, its end, and
//! the page tables at UVPT. Nothing here is unsafe, so that Miri is spared it.
#![cfg(not(miri))]

use std::sync::mpsc::RecvTimeoutError;

use layout::{Jos64, MemLayout};
use libjos::app::memory::{HeapUse, MemoryUse};
use libjos::app::process::Termination;
use libjos::app::tables::Tables;
use libjos::app::{console::init_log, time::uptime};
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::x86_64::X86_64;
use libjos::paging::format::{Entry, Format, Geometry};
use libjos::prelude::*;
use libjos::sim::SimPlatform;

/// Runs what must succeed.
fn run<T: Termination>(main: impl FnOnce() -> T) -> String {
    let run = SimPlatform::new().typed(&["Ada"]).run(main);
    assert!(run.code.is_success(), "{run:?}");
    run.output
}

#[test]
fn every_level_of_the_tables_is_at_uvpt() {
    // Each level's entries lie in that part of those below it that maps UVPT.
    let slot = Jos64::UVPT / Jos64::PTSIZE % X86_64::ENTRIES as u64;
    let tables = Tables::of::<Jos64, X86_64>();
    let (mut of_level, mut part) = (Jos64::UVPT, Jos64::PTSIZE);
    for level in 0..X86_64::LEVELS {
        assert_eq!(tables.uvpt(level, VirtAddr::new(0)).as_u64(), of_level, "{level}");
        let second = VirtAddr::new(X86_64::page_size(level));
        assert_eq!(tables.uvpt(level, second + 7).as_u64(), of_level + 8, "{level}");
        let last = tables.uvpt(level, VirtAddr::new(u64::MAX)).as_u64();
        assert_eq!(last, of_level + part - 8, "{level}");
        part /= X86_64::ENTRIES as u64;
        of_level += slot * part;
    }
}

#[test]
fn entries_are_read_level_by_level() {
    run(|| {
        let area = VmArea::allocate(2)?;
        for level in 1..X86_64::LEVELS {
            let entry = tables::entry(level, area.base());
            assert!(matches!(entry, Some(Entry::Table { .. })), "{level}: {entry:?}");
        }
        let Some(Entry::Leaf(leaf)) = tables::entry(0, area.base() + PGSIZE) else {
            panic!("the page is mapped")
        };
        assert_eq!(area.translate(1).map(|page| page.pa), Some(leaf.pa));
        let number = area.base().as_u64() / PGSIZE;
        assert_eq!(tables::uvpt(0, area.base()).as_u64(), Jos64::UVPT + number * 8);
        let behind = area.base() + 2 * PGSIZE;
        assert_eq!(tables::entry(0, behind), Some(Entry::Absent));
        // No table has it: nothing is mapped far and wide, and a large page is in its place.
        assert_eq!(tables::entry(2, VirtAddr::new(Jos64::UTOP - PGSIZE)), None);
        let window = VirtAddr::new(Jos64::VA_LAST);
        assert!(matches!(tables::entry(1, window), Some(Entry::Leaf(_))));
        assert_eq!(tables::entry(0, window), None);
        Ok::<_, VmError>(())
    });
}

#[test]
fn time_goes_on() {
    run(|| {
        let (start, began) = (Instant::now(), uptime());
        let time = Duration::from_millis(2);
        sleep(time);
        let end = Instant::now();
        assert!(end - start >= time && start.elapsed() >= time && uptime() >= began + time);
        assert_eq!(start - end, Duration::ZERO);
        assert_eq!((start + time) - start, time);
    });
}

/// A second is enough for a panic, even one that prints where it came from.
#[test]
fn the_longest_sleep_is_no_overflow() {
    let (awake, woken) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        run(|| sleep(Duration::MAX));
        drop(awake);
    });
    assert_eq!(woken.recv_timeout(Duration::from_secs(1)), Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_line_is_read_behind_its_prompt() {
    let output = run(|| {
        assert_eq!(read_line("Name? ").as_deref(), Some("Ada"));
        assert_eq!([read_line("And? "), read_line("")], [None, None]);
    });
    assert_eq!(output, "Name? Ada\nAnd? ^D\n^D\n");
}

#[test]
fn messages_of_the_level_and_above_are_printed() {
    let output = run(|| {
        log::error!("before there is a logger");
        init_log(log::LevelFilter::Info);
        log::info!(target: "test", "{} pages", 3);
        log::debug!("not asked for");
        log::warn!(target: "tar_no_std::archive", "a folder in an archive");
        assert!(log::log_enabled!(log::Level::Warn) && !log::log_enabled!(log::Level::Debug));
        // The logger says so itself, too.
        assert!(!log::logger().enabled(&log::Metadata::builder().level(log::Level::Trace).build()));
    });
    let (time, text) = output.split_once("] ").expect("a time");
    assert_eq!(text, "INFO  test: 3 pages\n");
    assert!(time.starts_with("[    ") && time.len() == "[    0.000123".len(), "{output}");
}

#[test]
fn what_main_returns_is_how_it_ends() {
    let code = |code: u8| ExitCode::from(code);
    assert!(code(0).is_success() && !code(1).is_success() && !code(200).is_success());
    assert_eq!(code(7).to_string(), "7");
    assert_eq!(().report(), ExitCode::SUCCESS);
    assert_eq!(code(7).report(), code(7));
    assert_eq!(SimPlatform::new().run(|| Ok::<_, VmError>(code(9))).code, code(9));
}

#[test]
fn memory_in_words() {
    let heap = HeapUse { asked: 1000, held: 8192 };
    let memory = MemoryUse { total_pages: 2048, free_pages: 1033, heap };
    assert_eq!(memory.to_string(), "4132 KB of 8192 KB free; heap: 1000 bytes in 8 KB");
}
