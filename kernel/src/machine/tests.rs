//! Physical memory through the window, and the processor's operations. Each test has frames of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloc::string::String;

use libjos::paging::format::{Format as _, Geometry, Perm};

use super::*;
use crate::arch::EntryWord;
use crate::arch::host::pc;
use crate::arch::host::process::alone;
use crate::rig;

const WINDOW: u64 = Layout::WINDOW_SIZE;

/// The message of the panic that `work` ends in.
fn panic_of<R>(work: impl FnOnce() -> R) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(work()))).expect_err("no panic");
    panic.downcast_ref::<String>().expect("a text").clone()
}

/// The offset in the window of [`kaddr`]'s pointer.
fn offset<T>(pa: u64, size: u64) -> u64 {
    (kaddr::<T>(PhysAddr::new(pa), size).addr() - window::at::<u8>(0).addr()) as u64
}

#[test]
fn inside_the_window() {
    for pa in [0, 8, WINDOW - PGSIZE - 8, WINDOW - PGSIZE, WINDOW - 8] {
        assert_eq!(offset::<u64>(pa, 8), pa);
    }
    assert_eq!(offset::<u32>(WINDOW - 4, 4), WINDOW - 4);
    assert_eq!(offset::<u64>(0, WINDOW), 0);
    assert_eq!(offset::<u64>(WINDOW - PGSIZE, PGSIZE), WINDOW - PGSIZE);
}

#[test]
fn above_the_window() {
    for pa in [WINDOW, WINDOW + 8, Layout::PHYSMAP_MAX - 8] {
        let pointer = kaddr::<u64>(PhysAddr::new(pa), 8);
        assert_eq!(pointer.addr() as u64, Layout::PHYSMAP + pa);
    }
    let end = Layout::PHYSMAP_MAX;
    for (pa, size) in [
        (4, 8),
        (WINDOW - 4, 8),
        (WINDOW - 8, 16),
        (0, WINDOW + 8),
        (WINDOW + 4, 8),
        (end, 8),
        (end - 8, 16),
        (u64::MAX - 7, 8),
        (u64::MAX - 7, 16),
    ] {
        let message = panic_of(|| kaddr::<u64>(PhysAddr::new(pa), size));
        let expected = std::format!(
            "physical address {pa:#x} ({size} bytes) is not aligned, or no window shows it"
        );
        assert_eq!(message, expected);
    }
}

#[test]
fn words() {
    let (machine, pa) = (Hardware::new(), PhysAddr::new(0x50_0000));
    machine.store(pa, 0x0123_4567_89AB_CDEF_u64);
    assert_eq!(machine.load::<u64>(pa), 0x0123_4567_89AB_CDEF);
    assert_eq!((machine.load::<u32>(pa), machine.load::<u32>(pa + 4)), (0x89AB_CDEF, 0x0123_4567));
    assert_eq!(machine.compare_exchange(pa, 1_u64, 2), Err(0x0123_4567_89AB_CDEF));
    assert_eq!(machine.compare_exchange(pa, 0x0123_4567_89AB_CDEF_u64, 2), Ok(()));
    assert_eq!((machine.load::<u64>(pa), machine.load::<u64>(pa + 8)), (2, 0));
}

#[test]
fn runs_of_words() {
    let (machine, pa) = (Hardware::new(), PhysAddr::new(0x51_0000));
    for count in [0, 1, 15, 16, 17, 32, 33, 512] {
        (0..520).for_each(|i| machine.store(pa + i * 8, 7_u64));
        machine.store_run(pa + 8, 100_u64, 3, count);
        for i in 0..520 {
            let written = (1..=count as u64).contains(&i);
            let expected = if written { 100 + 3 * (i - 1) } else { 7 };
            assert_eq!(machine.load::<u64>(pa + i * 8), expected, "{count}: word {i}");
        }
    }
    machine.store_run(pa, u32::MAX, 2, 3);
    assert_eq!([0, 4, 8].map(|at| machine.load::<u32>(pa + at)), [u32::MAX, 1, 3]);
    // The whole run must be shown.
    let message = panic_of(|| machine.store_run(PhysAddr::new(WINDOW - 8), 0_u64, 0, 2));
    assert!(message.contains("(16 bytes)"), "{message}");
}

#[test]
fn frames() {
    let (machine, pa) = (Hardware::new(), PhysAddr::new(0x52_1000));
    let before = PhysAddr::new(0x52_0FF8);
    let words = || [before, pa, pa + (PGSIZE - 8), pa + PGSIZE].map(|pa| machine.load::<u64>(pa));
    let fill = |word| (0..514).for_each(|i| machine.store(before + i * 8, word));
    fill(7_u64);
    machine.zero_frame(pa);
    assert_eq!(words(), [7, 0, 0, 7]);
    fill(7);
    poison_frame(pa);
    assert_eq!(words(), [7, POISON, POISON, 7]);
    assert!((0..512).all(|i| machine.load::<u64>(pa + i * 8) == POISON));
    fill(7);
    machine.zero_frame(pa);
    assert!((0..512).all(|i| machine.load::<u64>(pa + i * 8) == 0));
    assert_eq!(panic_of(|| machine.zero_frame(pa + 8)), "frame 0x521008 is not aligned");
}

#[test]
fn an_array_of_pages() {
    let (machine, pa) = (Hardware::new(), PhysAddr::new(0x53_0000));
    // SAFETY: no other test uses this memory.
    let array = unsafe { machine.page_array(pa, 3) };
    assert_eq!(array.as_ptr().len(), 3);
    assert_eq!(array.as_ptr().addr().get(), kaddr::<u8>(pa, 1).addr());
    // SAFETY: as above; nothing is accessed.
    let message = panic_of(|| unsafe { machine.page_array(PhysAddr::new(WINDOW - 16), 3) });
    assert!(message.contains("(24 bytes)"), "{message}");
}

/// The processor's operations go to the processor.
#[test]
fn the_processor() {
    alone(|| {
        rig::console();
        crate::trap::init();
        let mut machine = Hardware::new();
        assert_eq!(machine.leaf_levels(), 0b011);
        assert_eq!(machine.stack_pointer(), cpu::stack_pointer());
        let va = |pa: u64| VirtAddr::new(Layout::KERNBASE + pa);
        assert_eq!(machine.probe_store(va(0x54_0000), 5), Ok(()));
        assert_eq!(machine.probe_load(va(0x54_0000)), Ok(5));
        let missing = VirtAddr::new(Layout::UPAGES);
        let fault = |write| Err(Fault { va: missing, present: false, write });
        assert_eq!(machine.probe_load(missing), fault(false));
        assert_eq!(machine.probe_store(missing, 1).map(|()| 0), fault(true));
        machine.protect_kernel();
        assert!(cpu::is_protected());
        machine.lcr3(PhysAddr::new(0x55_0000));
        assert_eq!(cpu::pgdir_in_use(), PhysAddr::new(0x55_0000));
        machine.print(format_args!("{}\n", Perm::KRW));
    })
    .assert_printed(0, &["-rw--"]);
}

/// Flushes go to the processor: a page stays as it was seen until its flush. A global one stays until
/// everything is flushed, or it is.
#[test]
fn flushes() {
    alone(|| {
        rig::console();
        crate::trap::init();
        let mut machine = Hardware::new();
        machine.protect_kernel();
        let pgdir = PhysAddr::new(0x60_0000);
        let frames = [1, 2, 3].map(|n| PhysAddr::new(0x65_0000 + n * PGSIZE));
        frames.into_iter().zip(1..).for_each(|(pa, n)| machine.store::<u64>(pa, n));
        // A chain of tables, one for each level.
        let table = |level| pgdir + u64::from(Format::LEVELS - 1 - level) * PGSIZE;
        let entry_at = |level, va| Format::entry(level, table(level), va);
        let pages = [0, 1].map(|n| VirtAddr::new(0x4000 + n * PGSIZE));
        for level in 1..Format::LEVELS {
            machine.store(entry_at(level, pages[0]), Format::table(table(level - 1)));
        }
        let map = |machine: &Hardware, i: usize, pa, perm| {
            machine.store(entry_at(0, pages[i]), Format::leaf(0, pa, perm));
        };
        let seen = |machine: &mut Hardware| pages.map(|va| machine.probe_load(va).unwrap_or(0));
        map(&machine, 0, frames[0], Perm::KRW);
        map(&machine, 1, frames[1], Perm::KRW | Perm::G);
        machine.lcr3(pgdir);
        assert_eq!(seen(&mut machine), [1, 2]);
        for i in [0, 1] {
            map(&machine, i, frames[2], Perm::KRW | Perm::G);
        }
        assert_eq!(seen(&mut machine), [1, 2]);
        machine.lcr3(pgdir);
        assert_eq!(seen(&mut machine), [3, 2]);
        machine.invlpg(CpuSet::ALL, pages[1] + 8);
        assert_eq!(seen(&mut machine), [3, 3]);
        for i in [0, 1] {
            machine.store(entry_at(0, pages[i]), EntryWord::ZERO);
        }
        assert_eq!(seen(&mut machine), [3, 3]);
        machine.flush_tlb(CpuSet::ALL);
        assert_eq!(seen(&mut machine), [0, 0]);
    })
    .assert_returned();
}

/// A processor with pages of 1 GB.
#[test]
fn large_pages() {
    alone(|| {
        pc().processor.cpuid.insert((0x8000_0000, 0), [0x8000_0001, 0, 0, 0]);
        pc().processor.cpuid.insert((0x8000_0001, 0), [0, 0, 0, 1 << 26]);
        assert_eq!(Hardware::new().leaf_levels(), 0b111);
    })
    .assert_returned();
}
