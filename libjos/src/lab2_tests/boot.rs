//! Exercises 1 and 2: the memory that is never free, and `boot_alloc`.

use core::iter::once;

use std::vec::Vec;

use layout::{KB, MB, MemLayout, PGSIZE};

use super::{called, lab_tests};
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::boot::Boot;
use crate::mem::boot_alloc::BootAlloc;
use crate::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry, window};
use crate::mem::reservations::Reservations;
use crate::paging::format::Format;
use crate::sim::{SimMachine, mmu::Mmu};

/// A machine whose loader says that all of the first 5 MB is RAM, the IO hole too.
fn machine<L: MemLayout, F: Format + Mmu>() -> (SimMachine<L, F>, Boot) {
    let (machine, mut boot) = SimMachine::<L, F>::new(super::RAM);
    boot.memory = memory::<L>(super::RAM);
    (machine, boot)
}

fn memory<L: MemLayout>(length: u64) -> MemoryMap {
    let ram = MemoryMapEntry { base: L::PHYS_BASE, length, kind: MemoryKind::Usable };
    MemoryMap::new::<L>(once(ram), None)
}

fn allocator<L: MemLayout>(boot: &Boot) -> BootAlloc {
    called("BootAlloc::new", || BootAlloc::new::<L>(boot))
}

/// Asserts that no page of `range` is free, and that the pages beside it are.
fn assert_never_free(free: &[PhysRange], what: &str, range: PhysRange, beside: bool) {
    let is_free = |pa: PhysAddr| free.iter().any(|run| run.contains(pa));
    for pa in range.pages() {
        assert!(
            !is_free(pa),
            "never_free: the page at {pa} is free, but it belongs to {what} {range}"
        );
    }
    if beside && !range.is_empty() {
        let before = PhysAddr::new(range.start.as_u64() - PGSIZE);
        for pa in [before, range.end_exclusive] {
            assert!(
                is_free(pa),
                "never_free: the page at {pa} is not free; {what} is {range} alone"
            );
        }
    }
}

lab_tests! {
    e01_page_0_the_io_hole_and_the_kernel_are_never_free
    e01_the_last_frame_of_the_window_is_never_free
    e02_boot_alloc_begins_behind_the_kernel
    e02_boot_alloc_rounds_up_and_never_gives_a_page_twice
    e02_boot_alloc_of_nothing_takes_nothing
    e02_boot_alloc_goes_below_the_kernel_and_then_gives_up
}

fn e01_page_0_the_io_hole_and_the_kernel_are_never_free<L: MemLayout, F: Format + Mmu>() {
    let (_, boot) = machine::<L, F>();
    let all = allocator::<L>(&boot);
    let base = PhysAddr::new(L::PHYS_BASE);
    let page_0 = PhysRange::from_size(base, PGSIZE);
    assert_never_free(all.free(), "page 0", page_0, false);
    assert!(all.free()[0].start == base + PGSIZE, "never_free: the page after page 0 must be free");
    let hole = PhysRange::new(PhysAddr::new(L::IOPHYSMEM), PhysAddr::new(L::EXTPHYSMEM));
    assert_never_free(all.free(), "the IO hole", hole, false);
    if !hole.is_empty() {
        let before = PhysAddr::new(hole.start.as_u64() - PGSIZE);
        let is_free = all.free().iter().any(|run| run.contains(before));
        assert!(is_free, "never_free: the page at {before}, just below the IO hole, must be free");
    }
    let kernel = PhysRange::new(boot.image.text.start, boot.image.data.end_exclusive);
    assert_never_free(all.free(), "the kernel", kernel, false);
    let behind = kernel.end_exclusive;
    let is_free = all.free().iter().any(|run| run.contains(behind));
    assert!(is_free, "never_free: the page at {behind}, just behind the kernel, must be free");
}

fn e01_the_last_frame_of_the_window_is_never_free<L: MemLayout, F: Format + Mmu>() {
    let (_, mut boot) = machine::<L, F>();
    boot.memory = memory::<L>(L::WINDOW_SIZE + 16 * KB);
    let all = allocator::<L>(&boot);
    let last = PhysRange::from_size(PhysAddr::new(L::WINDOW_LAST_FRAME), PGSIZE);
    // Behind the window there may be no RAM that is used.
    assert_never_free(all.free(), "the window's last frame", last, false);
    let before = PhysAddr::new(L::WINDOW_LAST_FRAME - PGSIZE);
    let is_free = all.free().iter().any(|run| run.contains(before));
    assert!(is_free, "never_free: the page at {before} must be free");
}

fn e02_boot_alloc_begins_behind_the_kernel<L: MemLayout, F: Format + Mmu>() {
    let (machine, boot) = machine::<L, F>();
    let mut all = allocator::<L>(&boot);
    let end = boot.image.data.end_exclusive;
    let first = called("boot_alloc(1)", || all.boot_alloc(&machine, 1));
    assert!(first == end, "boot_alloc(1) gives {first}, the first page behind the kernel is {end}");
    // The loader's page lies behind the next one: two pages do not fit between.
    let second = called("boot_alloc(8192)", || all.boot_alloc(&machine, 2 * PGSIZE));
    let wanted = end + 2 * PGSIZE;
    assert!(
        second == wanted,
        "boot_alloc(8192) gives {second}; the first two pages in a row that nobody uses are at {wanted}"
    );
}

fn e02_boot_alloc_rounds_up_and_never_gives_a_page_twice<L: MemLayout, F: Format + Mmu>() {
    let (machine, boot) = machine::<L, F>();
    let mut all = allocator::<L>(&boot);
    let mut given: Vec<PhysRange> = Vec::new();
    for n in [1, PGSIZE, PGSIZE + 1, 3 * PGSIZE, 5] {
        let start = called("boot_alloc", || all.boot_alloc(&machine, n));
        assert!(start.is_aligned(PGSIZE), "boot_alloc({n}) gives {start}, which is no page");
        let range = PhysRange::from_size(start, n.next_multiple_of(PGSIZE));
        for other in &given {
            assert!(
                !range.overlaps(other),
                "boot_alloc({n}) gives {range}, but {other} was given before"
            );
        }
        let left = all.free().iter().find(|run| run.overlaps(&range));
        assert!(
            left.is_none(),
            "after boot_alloc({n}) of {range} its pages are still free: {left:?}"
        );
        given.push(range);
    }
}

fn e02_boot_alloc_of_nothing_takes_nothing<L: MemLayout, F: Format + Mmu>() {
    let (machine, boot) = machine::<L, F>();
    let mut all = allocator::<L>(&boot);
    let free = all.free().to_vec();
    called("boot_alloc(0)", || all.boot_alloc(&machine, 0));
    assert!(
        all.free() == free,
        "boot_alloc(0) takes memory: {free:?} was free, {:?} is",
        all.free()
    );
}

fn e02_boot_alloc_goes_below_the_kernel_and_then_gives_up<L: MemLayout, F: Format + Mmu>() {
    let (_, boot) = machine::<L, F>();
    let mut boot = boot;
    // All behind the kernel is the loader's, but for one page.
    let end = boot.image.data.end_exclusive;
    let rest = PhysRange::new(end + PGSIZE, PhysAddr::new(L::PHYS_BASE + 5 * MB));
    boot.reserved = Reservations::new(once(rest), &boot.memory);
    let mut all = allocator::<L>(&boot);
    let took = called("boot_alloc", || all.left_after([4 * PGSIZE]).is_some());
    assert!(took, "boot_alloc finds no room for 4 pages, but there is some below the kernel");
    let took = called("boot_alloc", || all.left_after([4 * MB]).is_some());
    assert!(!took, "boot_alloc finds room for 4 MB, but there is none in one piece");
    let below = all.free().iter().map(|run| run.intersection(&window::<L>()).size()).sum::<u64>();
    assert!(below > 0, "boot_alloc lost the free memory");
}
