//! Tests of the estimate that limits the RAM: page tables counted by hand, and the page at which there is no room.

use super::*;
use crate::mem::reservations::Reservations;
use crate::paging::format::i386::I386;
use crate::paging::format::riscv::Sv39;
use crate::paging::format::x86_64::X86_64;
use crate::sim::SimMachine;
use layout::{GB, Jos32, Jos64, JosSv39};

type Pc64 = SimMachine<Jos64, X86_64>;
type Pc32 = SimMachine<Jos32, I386>;
type RiscV = SimMachine<JosSv39, Sv39>;

/// Leaf levels: small pages alone; pages of 2 MB (i386: 4 MB) too; pages of 1 GB too.
const SMALL: u32 = 0b1;
const LARGE: u32 = 0b11;
const HUGE: u32 = 0b111;

fn range(start: u64, size: u64) -> PhysRange {
    PhysRange::from_size(PhysAddr::new(start), size)
}

#[test]
fn small_pages_take_a_table_for_each_entry_above_them_that_they_touch() {
    let of_x86_64 = |va, size| tables::<Pc64>(va, &range(0, size), SMALL);
    assert_eq!(of_x86_64(0, PGSIZE), 3);
    assert_eq!(of_x86_64(2 * MB, 0), 3);
    assert_eq!(of_x86_64(0, 4 * MB), 2 + 1 + 1);
    assert_eq!(of_x86_64(0, 4 * MB + PGSIZE), 3 + 1 + 1);
    assert_eq!(of_x86_64(2 * MB - PGSIZE, 2 * PGSIZE), 2 + 1 + 1);
    assert_eq!(of_x86_64(GB - PGSIZE, 2 * PGSIZE), 2 + 2 + 1);
    assert_eq!(of_x86_64(512 * GB - PGSIZE, 2 * PGSIZE), 2 + 2 + 2);
    assert_eq!(tables::<Pc32>(4 * MB - PGSIZE, &range(0, 2 * PGSIZE), SMALL), 2);
    assert_eq!(tables::<RiscV>(GB - PGSIZE, &range(0, 2 * PGSIZE), SMALL), 2 + 2);
}

#[test]
fn large_pages_leave_two_tables_at_the_ends() {
    let of_x86_64 = |va, pa, size, leaf_levels| tables::<Pc64>(va, &range(pa, size), leaf_levels);
    assert_eq!(of_x86_64(0, 0, 2 * MB, LARGE), 3);
    assert_eq!(of_x86_64(0, 0, 16 * MB, LARGE), 2 + 1 + 1);
    // The address lies below the frame's, and not at the beginning of a large page.
    assert_eq!(of_x86_64(PGSIZE, 2 * MB + PGSIZE, 16 * MB, LARGE), 2 + 1 + 1);
    assert_eq!(of_x86_64(0, 0, 5 * GB, LARGE), 2 + 5 + 1);
    assert_eq!(of_x86_64(0, 0, 5 * GB, HUGE), 2 + 2 + 1);
    // A frame at another place in its 2 MB than the address in its: small pages.
    assert_eq!(of_x86_64(0, PGSIZE, 16 * MB, HUGE), 8 + 1 + 1);
    assert_eq!(of_x86_64(0, 2 * MB, 5 * GB, HUGE), 2 + 5 + 1);
}

/// `tables_in_all` of a machine with `ram` bytes, such large pages, `devices`, and one page of `pages`.
fn in_all<L: MemLayout, F>(ram: u64, leaf_levels: u32, devices: &'static [PhysRange]) -> u64
where
    F: crate::paging::format::Format + crate::sim::mmu::Mmu,
{
    let (mut machine, boot) = SimMachine::<L, F>::new(ram);
    machine.processor.leaf_levels = leaf_levels;
    machine.devices = devices;
    tables_in_all(&machine, &boot, PGSIZE)
}

#[test]
fn all_tables_are_those_of_the_window_the_stack_upages_the_devices_and_the_ram_above() {
    const CUT_OUT: u64 = 3;
    const DEVICES: &[PhysRange] = &[
        PhysRange::from_size(PhysAddr::new(0xFEC0_0000), PGSIZE),
        PhysRange::from_size(PhysAddr::new(0xFEE0_0000), 4 * MB),
    ];
    let window = 2 + 1 + 1 + CUT_OUT;
    assert_eq!(in_all::<Jos64, X86_64>(8 * MB, LARGE, &[]), window + 3 + 3);
    assert_eq!(in_all::<Jos64, X86_64>(8 * MB, SMALL, &[]), 128 + 1 + 1 + CUT_OUT + 3 + 3);
    // 256 to 512 MB; then 256 MB to 3 GB and 4 to 7 GB.
    assert_eq!(in_all::<Jos64, X86_64>(512 * MB, LARGE, &[]), window + 3 + 3 + (2 + 1 + 1));
    let above = (2 + 3 + 1) + (2 + 3 + 1);
    assert_eq!(in_all::<Jos64, X86_64>(6 * GB, LARGE, &[]), window + 3 + 3 + above);
    let above = (2 + 2 + 1) + (2 + 2 + 1);
    assert_eq!(in_all::<Jos64, X86_64>(6 * GB, HUGE, &[]), window + 3 + 3 + above);

    // MMIOBASE is so aligned that each device's pages begin at a table's beginning.
    assert_eq!(in_all::<Jos64, X86_64>(8 * MB, LARGE, DEVICES), window + 3 + 3 + 3 + (2 + 1 + 1));

    assert_eq!(in_all::<Jos32, I386>(8 * MB, LARGE, &[]), 2 + CUT_OUT + 1 + 1);
    assert_eq!(in_all::<JosSv39, Sv39>(8 * MB, LARGE, &[]), 2 + 1 + CUT_OUT + 2 + 2);
    assert_eq!(in_all::<JosSv39, Sv39>(GB, LARGE, &[]), 2 + 1 + CUT_OUT + 2 + 2 + (2 + 1));
}

/// A PC with 8 MB, of which the loader has left `free` pages from 2 MB on.
fn with_free_pages(free: u64) -> (Pc64, Boot) {
    let (mut machine, mut boot) = Pc64::new(8 * MB);
    machine.processor.leaf_levels = LARGE;
    let left = [range(0, 2 * MB), range(2 * MB + free * PGSIZE, 6 * MB - free * PGSIZE)];
    boot.reserved = Reservations::new(left.into_iter(), &boot.memory);
    (machine, boot)
}

#[test]
fn there_is_room_if_the_arrays_the_tables_and_the_spare_pages_fit_exactly() {
    const ROOT: u64 = 1;
    const TABLES: u64 = 13;
    // 512 frames: a page of `pages`, and one of the table beside it. 1,024: two, and one.
    for (npages, arrays) in [(512, 1 + 1), (1024, 2 + 1)] {
        let needed = ROOT + arrays + TABLES + SPARE_PAGES;
        for free in [needed - 1, needed] {
            let (machine, boot) = with_free_pages(free);
            let mut room = BootAlloc::new::<Jos64>(&boot);
            let fits = has_room(&machine, &boot, &mut room, npages);
            assert_eq!(fits, free == needed, "{npages} frames in {free} pages");
        }
    }
}

#[test]
fn the_most_frames_are_those_for_which_there_is_room_just_yet() {
    // Room for the root, three pages of `pages`, one of the table, the tables and the spare pages.
    let (machine, boot) = with_free_pages(1 + 3 + 1 + 13 + SPARE_PAGES);
    assert_eq!(boot.memory.npages::<Jos64>(), 2048);
    assert_eq!(most_frames(&machine, &boot, 2048), 3 * 512);
    assert_eq!(most_frames(&machine, &boot, 3 * 512), 3 * 512);
    assert_eq!(most_frames(&machine, &boot, 1000), 1000);
    assert_eq!(most_frames(&machine, &boot, 0), 0);
    let (machine, boot) = with_free_pages(SPARE_PAGES);
    assert_eq!(most_frames(&machine, &boot, 2048), 0);
}

#[test]
fn the_limit_is_the_end_of_the_frames_that_are_described() {
    let (machine, mut boot) = with_free_pages(1 + 3 + 1 + 13 + SPARE_PAGES);
    assert_eq!(limit_to_room(&machine, &mut boot), 3 * 512);
    assert_eq!(boot.memory.used_end::<Jos64>(), PhysAddr::new(6 * MB));
    assert_eq!(shown_ram::<Jos64>(&boot), 0x9_f000 + 5 * MB);
}
