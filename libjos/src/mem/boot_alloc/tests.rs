//! Tests of `boot_alloc`, on a machine with little RAM.

use super::*;
use crate::mem::boot::KernelImage;
use crate::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry};
use crate::mem::reservations::Reservations;
use crate::paging::format::x86_64::X86_64;
use crate::sim::SimMachine;
use layout::{Jos64, KB, MB, PGSIZE};

/// An allocator for 16 KB of RAM from 256 KB on and 64 KB from 1 MB on, of which the kernel has 16
/// KB and the loader the page at 0x106000; the RAM holds ones.
fn boot_alloc() -> (SimMachine<Jos64, X86_64>, BootAlloc) {
    let (machine, boot) = SimMachine::new(2 * MB);
    let ram = [(256 * KB, 16 * KB), (MB, 64 * KB)];
    let entry = |(base, length)| MemoryMapEntry { base, length, kind: MemoryKind::Usable };
    let memory = MemoryMap::new::<Jos64>(ram.into_iter().map(entry), None);
    let left = PhysRange::from_size(PhysAddr::new(0x10_6000), PGSIZE);
    let reserved = Reservations::new([left].into_iter(), &memory);
    for page in memory.usable().runs().iter().flat_map(PhysRange::pages) {
        machine.store_run(page, u64::MAX, 0, 512);
    }
    let page = |n| PhysRange::from_size(PhysAddr::new(MB + n * PGSIZE), PGSIZE);
    let data = PhysRange::from_size(PhysAddr::new(0x10_2000), 2 * PGSIZE);
    let image = KernelImage { text: page(0), rodata: page(1), data, ..boot.image };
    (machine, BootAlloc::new::<Jos64>(&Boot { memory, image, reserved }))
}

#[test]
fn hands_out_zeroed_pages_behind_the_kernel() {
    let (machine, mut boot_alloc) = boot_alloc();
    assert_eq!(boot_alloc.boot_alloc(&machine, 0), PhysAddr::new(0x10_4000));
    assert_eq!(boot_alloc.boot_alloc(&machine, 1), PhysAddr::new(0x10_4000));
    assert_eq!(machine.load::<u64>(PhysAddr::new(0x10_4ff8)), 0);
    assert_eq!(machine.load::<u64>(PhysAddr::new(0x10_5000)), u64::MAX);
    assert_eq!(boot_alloc.boot_alloc(&machine, 0), PhysAddr::new(0x10_5000));
}

#[test]
fn steps_over_what_the_loader_left_and_loses_nothing() {
    let (machine, mut boot_alloc) = boot_alloc();
    assert_eq!(boot_alloc.boot_alloc(&machine, 0x3000), PhysAddr::new(0x10_7000));
    assert_eq!(boot_alloc.boot_alloc(&machine, 0x2000), PhysAddr::new(0x10_4000));
    assert_eq!(boot_alloc.taken().size(), 0x5000);
    assert_eq!(machine.load::<u64>(PhysAddr::new(0x10_6000)), u64::MAX);
}

#[test]
fn goes_below_the_kernel_last() {
    let (machine, mut boot_alloc) = boot_alloc();
    assert_eq!(boot_alloc.boot_alloc(&machine, 0x9000), PhysAddr::new(0x10_7000));
    assert_eq!(boot_alloc.boot_alloc(&machine, 0x3000), PhysAddr::new(256 * KB));
    assert_eq!(boot_alloc.boot_alloc(&machine, 0x2000), PhysAddr::new(0x10_4000));
    let last = PhysRange::from_size(PhysAddr::new(256 * KB + 0x3000), PGSIZE);
    assert_eq!(boot_alloc.free(), [last]);
}

#[test]
#[should_panic(expected = "boot_alloc: out of memory: 1048576 bytes asked for, 36864 left")]
fn says_what_was_asked_and_what_is_left() {
    let (machine, mut boot_alloc) = boot_alloc();
    boot_alloc.boot_alloc(&machine, MB);
}

#[test]
#[should_panic(expected = "boot_alloc: out of memory: 18446744073709551615 bytes")]
fn a_size_that_wraps_does_no_harm() {
    let (machine, mut boot_alloc) = boot_alloc();
    boot_alloc.boot_alloc(&machine, u64::MAX);
}

/// As many pieces of RAM as a memory map has, half of them in two by a reservation, and one by the kernel.
#[test]
fn the_most_runs_have_room() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(16 * MB);
    let base = |n: u64| MB + n * 64 * KB;
    let entry = |n| MemoryMapEntry { base: base(n), length: 32 * KB, kind: MemoryKind::Usable };
    let memory = MemoryMap::new::<Jos64>((0..RAM_RUNS as u64).map(entry), None);
    let left = |n| PhysRange::from_size(PhysAddr::new(base(n) + 2 * PGSIZE), PGSIZE);
    let reserved = Reservations::new((1..=RESERVED_RUNS as u64).map(left), &memory);
    let pages = |n, count| PhysRange::from_size(PhysAddr::new(MB + n * PGSIZE), count * PGSIZE);
    let image =
        KernelImage { text: pages(1, 1), rodata: pages(2, 1), data: pages(3, 2), ..boot.image };
    let mut boot_alloc = BootAlloc::new::<Jos64>(&Boot { memory, image, reserved });
    assert_eq!(boot_alloc.free().len(), RAM_RUNS + RESERVED_RUNS + 1);
    assert_eq!(boot_alloc.boot_alloc(&machine, PGSIZE), PhysAddr::new(MB + 5 * PGSIZE));
}
