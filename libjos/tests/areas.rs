//! The calls of areas on the memory system. Nothing here is unsafe, so that Miri is spared it.
#![cfg(not(miri))]

use layout::{Jos64, MB, MemLayout, PGSIZE};
use libjos::app::area::Access;
use libjos::app::memory::Memory;
use libjos::mem::addr::VirtAddr;
use libjos::paging::format::Geometry;
use libjos::paging::format::x86_64::X86_64;
use libjos::pmap::mem_init;
use libjos::sim::SimMachine;

/// Tables that are empty stay unless they are asked for; those of other addresses stay anyway.
#[test]
fn tables_are_freed_if_asked() {
    let (machine, boot) = SimMachine::<Jos64, X86_64>::new(8 * MB);
    let mut pmap = mem_init(machine, boot);
    let memory: &mut dyn Memory = &mut pmap;
    let before = memory.count().1;
    // Two pages, each with a last-level table of its own.
    let second = VirtAddr::new(Jos64::UHEAP + X86_64::page_size(1));
    let first = VirtAddr::new(second.as_u64() - PGSIZE);
    memory.map(first, 2, Access::ReadWrite).unwrap();
    let free = memory.count().1;
    memory.unmap(second, 1, false);
    assert_eq!(memory.count().1, free + 1, "its table stays");
    memory.unmap(first, 0, true);
    assert_eq!(memory.count().1, free + 1, "no page, nothing to do");
    memory.unmap(first, 1, true);
    assert_eq!(memory.count().1, free + 3, "the table of the first page alone");
    memory.unmap(second, 1, true);
    assert_eq!(memory.count().1, before);
}
