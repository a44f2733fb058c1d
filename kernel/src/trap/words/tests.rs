//! A trap's sentence: the name, and for the memory system's traps the access, the reason and the place.

use alloc::format;
use alloc::string::{String, ToString};

use layout::PGSIZE;

use super::*;
use crate::arch::host::trap;

/// Vectors, and bits of a page fault's error code.
const DEBUG: u64 = 1;
const DOUBLE_FAULT: u64 = 8;
const PAGE_FAULT: u64 = 14;
const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USER: u64 = 4;
const MALFORMED: u64 = 8;
const FETCH: u64 = 16;

fn sentence(vector: u64, error: u64, va: u64) -> String {
    trap::with(vector, error, va, |trap| trap.to_string())
}

#[test]
fn accesses_and_reasons() {
    for (error, words) in [
        (0, "read of 0x0000000000001000: page not present"),
        (PRESENT, "read of 0x0000000000001000: protection violation (page present)"),
        (WRITE, "write to 0x0000000000001000: page not present"),
        (WRITE | PRESENT, "write to 0x0000000000001000: protection violation (page present)"),
        (FETCH, "instruction fetch from 0x0000000000001000: page not present"),
        (FETCH | PRESENT, "instruction fetch from 0x0000000000001000: no-execute page"),
        (MALFORMED, "read of 0x0000000000001000: reserved bit set in a page-table entry"),
        (MALFORMED | PRESENT, "read of 0x0000000000001000: reserved bit set in a page-table entry"),
        (
            MALFORMED | FETCH,
            "instruction fetch from 0x0000000000001000: reserved bit set in a page-table entry",
        ),
    ] {
        let start = format!("page fault (#PF, vector 14): {words}");
        assert_eq!(sentence(PAGE_FAULT, error, PGSIZE), format!("{start}, in \"low addresses\""));
        let by_user = format!("{start}, by user code, in \"low addresses\"");
        assert_eq!(sentence(PAGE_FAULT, error | USER, PGSIZE), by_user);
    }
}

/// Every region of the map, at its first and at its last byte.
#[test]
fn places() {
    for region in layout::regions::<Layout>() {
        for va in [region.base, region.base + (region.size - 1)] {
            let end = format!("page not present, in \"{}\"", region.name);
            assert!(sentence(PAGE_FAULT, 0, va).ends_with(&end), "{va:#x}");
        }
    }
}

#[test]
fn parts_of_the_kernel() {
    let code = symbols::stext().as_u64();
    let constants = symbols::text_end_exclusive().as_u64();
    let data = symbols::rodata_end_exclusive().as_u64();
    let end = symbols::end().as_u64();
    for (va, part) in [
        (code - 1, ""),
        (code, " (kernel code)"),
        (constants - 1, " (kernel code)"),
        (constants, " (kernel constants)"),
        (data - 1, " (kernel constants)"),
        (data, " (kernel data)"),
        (end - 1, " (kernel data)"),
        (end, ""),
    ] {
        let place = format!(", in \"window on physical memory\"{part}");
        assert!(sentence(PAGE_FAULT, 0, va).ends_with(&place), "{va:#x}");
        assert!(sentence(DOUBLE_FAULT, 0, va).ends_with(&place), "{va:#x}");
    }
}

/// A double fault whose page fault was in the guard gap is an overflow of the kernel stack.
#[test]
fn double_faults() {
    let gap = Layout::KSTACK - Layout::KSTKGAP;
    for va in [gap, Layout::KSTACK - 1] {
        assert_eq!(
            sentence(DOUBLE_FAULT, 0, va),
            format!(
                "kernel stack overflow (#DF, vector 8): the stack ran into the guard gap below \
                 KSTACKTOP-KSTKSIZE, at {va:#018x}"
            )
        );
        // Another trap there is none.
        assert!(sentence(PAGE_FAULT, 0, va).starts_with("page fault ("));
    }
    for (va, region) in [(gap - 1, "further kernel stacks"), (Layout::KSTACK, "kernel stack")] {
        assert_eq!(
            sentence(DOUBLE_FAULT, 0, va),
            format!(
                "double fault (#DF, vector 8): an exception could not be delivered; the latest page \
                 fault was at {va:#018x}, in \"{region}\""
            )
        );
    }
}

#[test]
fn other_traps() {
    assert_eq!(sentence(DEBUG, 0, 0), "debug exception (#DB, vector 1)");
    assert_eq!(sentence(10, 0x28, 0), "invalid TSS (#TS, vector 10): GDT entry 5");
}
