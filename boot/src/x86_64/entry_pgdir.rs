//! `entry_pgdir`: the page tables that the kernel starts on.
//!
//! Like JOS's, they map physical [0, `WINDOW_SIZE`) twice: at 0, where the entry code runs when it
//! turns paging on, and at KERNBASE, where the kernel is linked. All of it is writable and
//! executable. `mem_init` replaces these tables with `kern_pgdir`, which has proper permissions and no low
//! half. They use 2 MB pages, which every processor with long mode has (1 GB pages are optional).
//!
//! Const code builds the tables. An entry that links to a table needs the table's physical address,
//! which only the linker knows. So entries are pointers: const code may move a pointer to a static by
//! a constant distance, and the linker fills in the address.

use core::ptr;
use core::sync::atomic::AtomicPtr;

use layout::{Jos64, MemLayout};

// Bits of a page-table entry (Intel SDM vol. 3A, 4.5.4, tables 4-15 to 4-18).
const PTE_P: u64 = 1 << 0; // present
const PTE_W: u64 = 1 << 1; // writable
const PTE_PS: u64 = 1 << 7; // this entry of a page directory is a 2 MB page

/// Entries of a table: an index has 9 bits at each level.
const NPTENTRIES: u64 = 512;
/// Bytes that one entry maps at each of the three levels that these tables use, from the lowest up.
const PDE_SIZE: u64 = 1 << 21;
const PDPTE_SIZE: u64 = 1 << 30;
const PML4E_SIZE: u64 = 1 << 39;

// The window must begin at a large page's boundary and lie within one page directory.
const _: () = assert!(Jos64::KERNBASE.is_multiple_of(PDE_SIZE) && Jos64::PHYS_BASE == 0);
const _: () = assert!(Jos64::WINDOW_SIZE.is_multiple_of(PDE_SIZE));
const _: () = assert!(Jos64::KERNBASE % PDPTE_SIZE + Jos64::WINDOW_SIZE <= PDPTE_SIZE);

/// A table of any level. The entries are atomic, since the processor sets accessed and dirty bits in
/// them.
#[repr(C, align(4096))]
pub struct Table([AtomicPtr<Table>; NPTENTRIES as usize]);

const _: () = assert!(size_of::<Table>() as u64 == layout::PGSIZE);

impl Table {
    const fn empty() -> Self {
        Self([const { AtomicPtr::new(ptr::null_mut()) }; NPTENTRIES as usize])
    }

    /// A page directory that maps physical [0, `WINDOW_SIZE`) at `va`.
    const fn window(va: u64) -> Self {
        let mut table = Self::empty();
        let first = index(va, PDE_SIZE);
        let mut i = 0;
        while i < Jos64::WINDOW_SIZE / PDE_SIZE {
            let entry = (i * PDE_SIZE) | PTE_PS | PTE_W | PTE_P;
            table.0[first + i as usize] =
                AtomicPtr::new(ptr::without_provenance_mut(entry as usize));
            i += 1;
        }
        table
    }

    /// Sets the entry for `va` to the table `next`, which is linked at KERNBASE + its physical address.
    const fn link(mut self, va: u64, entry_size: u64, next: &'static Self) -> Self {
        let entry = ptr::from_ref(next)
            .wrapping_byte_sub(Jos64::KERNBASE as usize)
            .wrapping_byte_add((PTE_W | PTE_P) as usize);
        self.0[index(va, entry_size)] = AtomicPtr::new(entry.cast_mut());
        self
    }
}

/// The index of `va` in the table whose entries map `entry_size` bytes each.
const fn index(va: u64, entry_size: u64) -> usize {
    (va / entry_size % NPTENTRIES) as usize
}

static LOW_PAGES: Table = Table::window(0);
static HIGH_PAGES: Table = Table::window(Jos64::KERNBASE);
static LOW_DIRECTORY: Table = Table::empty().link(0, PDPTE_SIZE, &LOW_PAGES);
static HIGH_DIRECTORY: Table = Table::empty().link(Jos64::KERNBASE, PDPTE_SIZE, &HIGH_PAGES);

/// The page directory that the kernel starts on: the root, which x86-64 calls PML4.
#[cfg_attr(jos_machine, unsafe(no_mangle))]
#[allow(non_upper_case_globals, reason = "JOS's name")]
pub static entry_pgdir: Table = Table::empty().link(0, PML4E_SIZE, &LOW_DIRECTORY).link(
    Jos64::KERNBASE,
    PML4E_SIZE,
    &HIGH_DIRECTORY,
);

#[cfg(test)]
mod tests;
