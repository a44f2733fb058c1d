//! `entry_pgdir`: the page tables that the kernel starts on.
//!
//! They map the window's memory twice by 2 MB pages, at its physical address, where the entry code runs
//! when it turns paging on, and at KERNBASE, where the kernel is linked. Devices are added at MMIOBASE, where
//! `mem_init` maps them again. All memory is writable and executable; `mem_init` replaces these tables by
//! `kern_pgdir`, which has proper permissions and no low half.
//!
//! An entry that links to a table holds its frame's number, which no linker can compute. So the entry code
//! writes the three links.

use core::sync::atomic::{AtomicU64, Ordering};

use layout::{JosSv39, MemLayout, PGSHIFT, PGSIZE};

// Bits of an entry (RISC-V privileged specification, 12.4.1). Accessed and dirty are set from the start, since a
// hart may fault instead of setting them.
const PTE_V: u64 = 1 << 0; // valid
const PTE_R: u64 = 1 << 1; // readable
const PTE_W: u64 = 1 << 2; // writable
const PTE_X: u64 = 1 << 3; // executable
const PTE_A: u64 = 1 << 6; // accessed
const PTE_D: u64 = 1 << 7; // dirty
const DEVICE: u64 = PTE_D | PTE_A | PTE_W | PTE_R | PTE_V;
const MEMORY: u64 = DEVICE | PTE_X;
/// From an address to its frame's number, and to the number's place in an entry.
pub const PTE_PPN_SHIFT: u32 = PGSHIFT - 10;

/// Entries of a table: 9 bits of index at each level.
const NPTENTRIES: u64 = 512;
/// Bytes that one entry maps, at the last level but one and at the root.
const MEGAPAGE: u64 = PGSIZE * NPTENTRIES;
const GIGAPAGE: u64 = MEGAPAGE * NPTENTRIES;

// The window must be whole 2 MB pages, at either address within one table, and share the table with the devices.
const _: () = assert!(JosSv39::KERNBASE.is_multiple_of(MEGAPAGE));
const _: () = assert!(JosSv39::KERNBASE % GIGAPAGE + JosSv39::WINDOW_SIZE <= GIGAPAGE);
const _: () = assert!(JosSv39::PHYS_BASE.is_multiple_of(GIGAPAGE));
const _: () = assert!(JosSv39::MMIOBASE / GIGAPAGE == JosSv39::KERNBASE / GIGAPAGE);

/// A table of any level. The entries are atomic, since a hart may set accessed and dirty bits in them.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; NPTENTRIES as usize]);

const _: () = assert!(size_of::<Table>() as u64 == PGSIZE);

impl Table {
    const fn empty() -> Self {
        Self([const { AtomicU64::new(0) }; NPTENTRIES as usize])
    }

    /// Maps the window's memory at `va`.
    const fn window(mut self, va: u64) -> Self {
        let first = index(va, MEGAPAGE);
        let mut i = 0;
        while i < JosSv39::WINDOW_SIZE / MEGAPAGE {
            let pa = JosSv39::PHYS_BASE + i * MEGAPAGE;
            self.0[first + i as usize] = AtomicU64::new(pa >> PTE_PPN_SHIFT | MEMORY);
            i += 1;
        }
        self
    }

    /// Maps the page with `pa` as the page of this number from MMIOBASE on.
    pub fn map_device(&self, number: usize, pa: u64) {
        let entry = &self.0[index(JosSv39::MMIOBASE, PGSIZE) + number];
        entry.store((pa & !(PGSIZE - 1)) >> PTE_PPN_SHIFT | DEVICE, Ordering::Relaxed);
    }
}

/// The index of `va` in the table whose entries map `entry_size` bytes each.
const fn index(va: u64, entry_size: u64) -> usize {
    (va / entry_size % NPTENTRIES) as usize
}

/// The window's memory at its physical address.
pub static LOW_PAGES: Table = Table::empty().window(JosSv39::PHYS_BASE);
/// The window, and the link to [`DEVICE_PAGES`].
pub static HIGH_PAGES: Table = Table::empty().window(JosSv39::KERNBASE);
/// The devices, once they are known.
pub static DEVICE_PAGES: Table = Table::empty();

/// The page directory that the kernel starts on.
#[cfg_attr(jos_machine, unsafe(no_mangle))]
#[allow(non_upper_case_globals, reason = "JOS's name")]
pub static entry_pgdir: Table = Table::empty();

// Where the entry code writes the links, by an entry's offset in its table.
/// In `entry_pgdir`, to [`LOW_PAGES`].
pub const LOW: usize = 8 * index(JosSv39::PHYS_BASE, GIGAPAGE);
/// In `entry_pgdir`, to [`HIGH_PAGES`].
pub const HIGH: usize = 8 * index(JosSv39::KERNBASE, GIGAPAGE);
/// In [`HIGH_PAGES`], to [`DEVICE_PAGES`].
pub const MMIO: usize = 8 * index(JosSv39::MMIOBASE, MEGAPAGE);
/// The bits of a link beside the frame's number.
pub const LINK: u64 = PTE_V;

#[cfg(test)]
mod tests;
