//! `detect_memory`: how much RAM there is, and how much of it `mem_init` has room to describe.
//!
//! `pages`, the table beside it and the first page tables must lie in the window at KERNBASE, since
//! `entry_pgdir` maps no more. If there is much RAM, or the loader left little of the window free,
//! this limits the RAM that is used.

use layout::{KB, MB, MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, PhysRange};
use crate::mem::boot::{Boot, MIN_RAM};
use crate::mem::boot_alloc::BootAlloc;
use crate::mem::memory_map::window;
use crate::mem::pages::{Block, PageInfo};
use crate::paging::format::Geometry;

/// Pages of the window that must be free when all is mapped, for the checks and later users.
const SPARE_PAGES: u64 = 16;

/// Prints how much RAM there is, and returns how many frames `pages` must describe. RAM that `pages`
/// has no room for is left unused.
#[cfg_attr(debug_assertions, inline(never))]
pub(crate) fn detect_memory<M: Machine>(machine: &mut M, boot: &mut Boot) -> usize {
    let told = boot.memory.limit;
    let npages = limit_to_room(machine, boot);
    let usable = shown_ram::<M::Layout>(boot);
    if usable < MIN_RAM {
        boot.memory.limit = told; // So that the lines below tell of the RAM that there is.
    }

    machine.print(format_args!("{}\n", boot.memory.totals::<M::Layout>()));
    let given_up = boot.reserved.given_up();
    if given_up.bytes > 0 {
        machine.print(format_args!(
            "Given up: {}K of RAM in the {} smallest gaps between what the loader left: {} pieces of \
             that are kept apart (RESERVED_RUNS in libjos/src/mem/reservations.rs)\n",
            given_up.bytes / KB,
            given_up.pieces,
            boot.reserved.runs().len()
        ));
    }
    if usable < MIN_RAM {
        too_little::<M::Layout>(boot);
    }
    npages
}

/// The bytes of RAM in the window that are used.
fn shown_ram<L: MemLayout>(boot: &Boot) -> u64 {
    boot.memory.used::<L>().map(|run| run.intersection(&window::<L>()).size()).sum()
}

/// Panics since less RAM can be used than a kernel needs, with the reason and the remedy.
fn too_little<L: MemLayout>(boot: &Boot) -> ! {
    let window = window::<L>();
    let (usable, window_mb) = (shown_ram::<L>(boot), window.size() / MB);
    assert!(
        usable >= MIN_RAM,
        "too little RAM: {} KB within the {window_mb} MB from {} on, at least {} KB are needed: \
         give the machine more memory (QEMU: -m 8M or more; mem= may leave no less)",
        usable / KB,
        window.start,
        MIN_RAM / KB
    );
    let image = PhysRange::new(boot.image.text.start, boot.image.data.end_exclusive);
    let ram = boot.memory.usable();
    let left = boot.reserved.runs().iter().map(|run| ram.size_within(&run.intersection(&window)));
    let npages = boot.memory.npages::<L>().min((window.size() / PGSIZE) as usize);
    panic!(
        "no room for the array pages: {} KB in one piece and some page tables beside it are needed, \
         {} KB are free in one piece within the {window_mb} MB from {} on. Of {} KB of RAM there the kernel \
         takes {} KB, and boot information and modules {} KB: load fewer or smaller modules",
        (arrays(npages)[0] + arrays(npages)[1]).div_ceil(KB),
        BootAlloc::new::<L>(boot).longest() / KB,
        window.start,
        usable / KB,
        image.size() / KB,
        left.sum::<u64>() / KB
    )
}

/// Limits the RAM to the frames that there is room to describe, and returns their number.
///
/// A limit may cut off a part of the room itself; then a lower one follows. Less room is never enough
/// for more frames, so the limit that this ends with is the highest possible one.
fn limit_to_room<M: Machine>(machine: &M, boot: &mut Boot) -> usize {
    loop {
        let npages = boot.memory.npages::<M::Layout>();
        let described = most_frames(machine, boot, npages);
        if described == npages {
            return npages;
        }
        let end = PhysAddr::new(M::Layout::PHYS_BASE) + described as u64 * PGSIZE;
        boot.memory.limit(end);
    }
}

/// How many frames, at most `npages`, there is room to describe in the RAM that is used now.
fn most_frames<M: Machine>(machine: &M, boot: &Boot, npages: usize) -> usize {
    let mut room = BootAlloc::new::<M::Layout>(boot);
    let (mut fits, mut beyond) = (0, npages + 1);
    while beyond - fits > 1 {
        let middle = fits + (beyond - fits) / 2;
        if has_room(machine, boot, &mut room, middle) {
            fits = middle;
        } else {
            beyond = middle;
        }
    }
    fits
}

/// Whether `room` has a place for all that `mem_init` makes if `pages` describes `npages` frames.
fn has_room<M: Machine>(machine: &M, boot: &Boot, room: &mut BootAlloc, npages: usize) -> bool {
    let [pages, runs] = arrays(npages);
    let needed = (tables_in_all(machine, boot, pages) + SPARE_PAGES) * PGSIZE;
    room.left_after([PGSIZE, pages, runs]).is_some_and(|left| left >= needed)
}

/// The bytes of `pages` and of the table of runs beside it.
pub(crate) fn arrays(npages: usize) -> [u64; 2] {
    [npages, Block::table_len(npages)].map(|len| (len * size_of::<PageInfo>()) as u64)
}

/// The most page tables that mapping the kernel's part takes if `pages` has `pages_size` bytes.
fn tables_in_all<M: Machine>(machine: &M, boot: &Boot, pages_size: u64) -> u64 {
    let window = window::<M::Layout>();
    // lab 2: begin leaf_levels
    let large = machine.leaf_levels();
    // lab 2: end
    let small = 1;
    // Code and constants are cut out of the window: three places where a table may replace a large page.
    let shown = tables::<M>(M::Layout::KERNBASE, &window, large) + 3;
    let first = PhysAddr::new(0);
    let stack = PhysRange::from_size(first, M::Layout::KSTKSIZE);
    let pages = PhysRange::from_size(first, pages_size);
    let devices =
        machine.devices().iter().map(|device| tables::<M>(M::Layout::MMIOBASE, device, small));
    let above_window = PhysRange::new(window.end_exclusive, PhysAddr::new(u64::MAX));
    let runs = boot.memory.used::<M::Layout>().map(|run| run.intersection(&above_window));
    let physmap = runs.filter(|run| !run.is_empty()).map(|run| {
        let va = M::Layout::PHYSMAP + (run.start.as_u64() - M::Layout::PHYS_BASE);
        tables::<M>(va, &run, large)
    });
    shown
        + tables::<M>(M::Layout::KSTACK, &stack, small)
        + tables::<M>(M::Layout::UPAGES, &pages, small)
        + devices.sum::<u64>()
        + physmap.sum::<u64>()
}

/// The most page tables that mapping `range` at `va` takes, by pages of the levels in `leaf_levels`.
fn tables<M: Machine>(va: u64, range: &PhysRange, leaf_levels: u32) -> u64 {
    let last = va + (range.size().max(1) - 1);
    let of_level = |level: u32| {
        let size = M::Format::page_size(level);
        let touched = last / size - va / size + 1;
        // Large pages leave the two ends to tables.
        let is_large = leaf_levels & (1 << level) != 0
            && va.wrapping_sub(range.start.as_u64()).is_multiple_of(size);
        if is_large { touched.min(2) } else { touched }
    };
    (1..=M::Format::ROOT).map(of_level).sum()
}

#[cfg(test)]
mod tests;
