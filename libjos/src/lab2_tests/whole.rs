//! Exercise 13: `mem_init`'s mappings, and all of `mem_init`, whose checks prove the rest together.

use layout::{MB, MemLayout};

use super::{called, lab_tests};
use crate::paging::format::Format;
use crate::pmap::mem_init;
use crate::sim::{SimMachine, mmu::Mmu};

lab_tests! {
    e13_mem_init_passes_its_checks
    e13_mem_init_with_memory_above_the_window
}

fn e13_mem_init_passes_its_checks<L: MemLayout, F: Format + Mmu>() {
    for ram in [5 * MB, 16 * MB] {
        let (machine, boot) = SimMachine::<L, F>::new(ram);
        let mut pmap = called("mem_init", || mem_init(machine, boot));
        pmap.machine_mut().move_to_kernel_stack();
        called("check_page_installed_pgdir", || pmap.checks().check_page_installed_pgdir());
    }
}

fn e13_mem_init_with_memory_above_the_window<L: MemLayout, F: Format + Mmu>() {
    if L::PHYSMAP_MAX <= L::WINDOW_SIZE {
        return;
    }
    let (machine, boot) = SimMachine::<L, F>::new(L::WINDOW_SIZE + 4 * MB);
    let mut pmap = called("mem_init", || mem_init(machine, boot));
    pmap.machine_mut().move_to_kernel_stack();
    called("check_page_installed_pgdir", || pmap.checks().check_page_installed_pgdir());
}
