//! Loaders' lists of memory, as odd as they may legally be: the memory map follows the list
//! (`lists.rs`), and `mem_init` runs to its end on each map and each format (`boots.rs`).

mod boots;
mod lists;

use layout::Jos64;
use libjos::mem::addr::PhysRange;
use libjos::mem::memory_map::{MemoryKind, MemoryMap, MemoryMapEntry};

fn usable(base: u64, length: u64) -> MemoryMapEntry {
    MemoryMapEntry { base, length, kind: MemoryKind::Usable }
}

fn reserved(base: u64, length: u64) -> MemoryMapEntry {
    MemoryMapEntry { base, length, kind: MemoryKind::Reserved }
}

fn map_of(entries: &[MemoryMapEntry]) -> MemoryMap {
    MemoryMap::new::<Jos64>(entries.iter().copied(), None)
}

fn runs(map: &MemoryMap) -> Vec<(u64, u64)> {
    let pair = |run: &PhysRange| (run.start.as_u64(), run.end_exclusive.as_u64());
    map.usable().runs().iter().map(pair).collect()
}
