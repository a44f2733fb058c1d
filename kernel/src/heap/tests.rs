//! The heap as Rust's allocator, on pages of the memory system.

use libjos::app::process::ExitCode;

use super::*;
use crate::arch::cpu;
use crate::arch::host::process::{alone, each_alone};
use crate::rig;

fn free() -> usize {
    pmap::lock().pages().nfree()
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a layout")
}

pub(crate) fn alloc(size: usize) -> *mut u8 {
    // SAFETY: the layout has a size.
    unsafe { ALLOCATOR.alloc(layout(size)) }
}

fn dealloc(block: *mut u8, size: usize) {
    // SAFETY: `alloc` gave the block, or the test expects the heap to find out.
    unsafe { ALLOCATOR.dealloc(block, layout(size)) }
}

#[test]
fn before_there_is_a_heap() {
    alone(|| {
        assert!(alloc(8).is_null() && stats().is_none() && refused().is_none());
        dealloc(ptr::dangling_mut(), 8);
        trim();
    })
    .assert_returned();
}

#[test]
fn blocks() {
    alone(|| {
        rig::boot("leakcheck", || {
            let before = free();
            let block = alloc(100);
            assert_eq!(block.addr() as u64 & !0xF_FFFF, arch::Layout::UHEAP);
            assert_eq!(stats().map(|stats| stats.asked), Some(100));
            assert!(free() < before);
            // SAFETY: the block has 100 bytes, and `alloc` gave it.
            let block = unsafe {
                block.write_bytes(7, 100);
                ALLOCATOR.realloc(block, layout(100), 5000)
            };
            // SAFETY: the block has 5000 bytes.
            assert!((0..100).all(|i| unsafe { block.add(i).read() } == 7));
            assert_eq!(stats().map(|stats| stats.asked), Some(5000));
            assert!(stats().is_some_and(|stats| stats.held >= 5000));
            dealloc(ptr::null_mut(), 5000);
            dealloc(block, 5000);
            assert_eq!(stats().map(|stats| stats.asked), Some(0));
            trim();
            assert_eq!((free(), stats().map(|stats| stats.held)), (before, Some(0)));
            // The heap keeps this block's page until it is trimmed.
            dealloc(alloc(10), 10);
            ExitCode::SUCCESS
        })
    })
    .assert_ended(33);
}

/// No other page directory has the heap.
#[test]
fn while_another_page_directory_is_loaded() {
    static WORK: Mutex<fn(*mut u8)> = Mutex::new(drop);
    let uses: [fn(*mut u8); 5] = [
        |_| drop(alloc(8)),
        |block| dealloc(block, 8),
        // SAFETY: `alloc` gave the block.
        |block| drop(unsafe { ALLOCATOR.realloc(block, layout(8), 9) }),
        |_| trim(),
        |_| drop(stats()),
    ];
    let ended = each_alone(&uses, |work| {
        *WORK.lock() = *work;
        rig::boot("", || {
            let block = alloc(8);
            // SAFETY: the simulated processor has no code there.
            unsafe { cpu::lcr3(cpu::pgdir_in_use() + PGSIZE) };
            println!("elsewhere");
            WORK.lock()(block);
            ExitCode::SUCCESS
        })
    });
    for ended in ended {
        let (_, report) = ended.printed.split_once("elsewhere\r\n").expect("the directory changes");
        assert!(report.contains(": the heap or an area is used, but kern_pgdir"), "{report}");
        ended.assert_ended(35);
    }
}

#[test]
fn refusals() {
    let ended = alone(|| {
        rig::boot("", || {
            let left = free() as u64 * PGSIZE;
            assert!(alloc(1 << 30).is_null());
            assert_eq!(refused(), Some(HeapError::OutOfMemory { asked: 1 << 30, left }));
            let block = alloc(8);
            assert_eq!(refused(), None, "the last allocation did not fail");
            // SAFETY: `alloc` gave the block.
            assert!(unsafe { ALLOCATOR.realloc(block, layout(8), 1 << 30) }.is_null());
            assert!(refused().is_some());
            panic!("for another reason");
        })
    });
    let (_, report) = ended.printed.split_once(": for another reason\r\n").expect("a panic");
    let line = "The last allocation failed: out of memory: 1073741824 bytes asked for, ";
    assert!(report.starts_with(line), "{report}");
    assert!(report.contains(" left\r\nBacktrace:\r\n"), "{report}");
    ended.assert_ended(35);
}

/// Misuse is a panic that names it; most of it needs `heap=poison`.
#[test]
fn misuse() {
    let cases: [(&str, fn(), &str); 6] = [
        ("", double_free, "is free already"),
        ("heap=poison", double_free, "is free already"),
        ("heap=poison", overrun, "was overrun"),
        ("heap=poison", use_after_free, "were used after free"),
        (
            "heap=poison",
            || dealloc(alloc(24), 25),
            "was allocated with 24 bytes aligned to 8, not 25 to 8",
        ),
        ("heap=poison", use_and_trim, "were used after free"),
    ];
    let ended = each_alone(&cases, |(options, misuse, _)| {
        *MISUSE.lock() = *misuse;
        rig::boot(options, || {
            let misuse = *MISUSE.lock();
            misuse();
            ExitCode::SUCCESS
        })
    });
    for (ended, (options, _, words)) in ended.iter().zip(cases) {
        let (_, message) = ended.printed.split_once(": heap: ").unwrap_or(("", &ended.printed));
        assert!(message.contains(words), "{options}, {words}: {}", ended.printed);
        ended.assert_ended(35);
    }
}

static MISUSE: Mutex<fn()> = Mutex::new(|| ());

fn double_free() {
    let block = alloc(24);
    dealloc(block, 24);
    dealloc(block, 24);
}

fn overrun() {
    let block = alloc(24);
    // SAFETY: the memory behind the block is the heap's.
    unsafe { block.add(24).write(1) };
    dealloc(block, 24);
}

fn use_after_free() {
    let block = alloc(24);
    dealloc(block, 24);
    // SAFETY: the memory is the heap's.
    unsafe { block.add(8).write(1) };
    (0..1000).for_each(|_| {
        alloc(24);
    });
}

fn use_and_trim() {
    let block = alloc(24);
    dealloc(block, 24);
    // SAFETY: the memory is the heap's.
    unsafe { block.add(8).write(1) };
    trim();
}
