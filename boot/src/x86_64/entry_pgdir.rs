//! `entry_pgdir`: the page tables that the kernel starts on.
//!
//! As JOS's, they map physical [0, `WINDOW_SIZE`) twice: at 0, where the entry code runs when it
//! turns paging on, and at KERNBASE, where the kernel is linked. All of it is writable and
//! executable; `mem_init` replaces them by `kern_pgdir`, which has proper permissions and no low
//! half. They use 2 MB pages, which every processor with long mode has (1 GB pages are optional).
//!
//! The tables are built by const code. An entry that links to a table needs its physical
//! address, which only the linker knows, so entries are pointers: const code may move a pointer
//! to a static by a constant distance, and the linker fills in the rest.

use core::ptr;
use core::sync::atomic::AtomicPtr;

use layout::{Jos64, MemLayout};

// Bits of a page-table entry (Intel SDM vol. 3A, 4.5.4, tables 4-15 to 4-18).
const PTE_P: u64 = 1 << 0; // present
const PTE_W: u64 = 1 << 1; // writable
const PTE_PS: u64 = 1 << 7; // this entry of a page directory is a 2 MB page

/// Entries of a table: 9 bits of index at each level.
const NPTENTRIES: u64 = 512;
/// Bytes that one entry maps at each level, from the last table up.
const PDE_SIZE: u64 = 1 << 21;
const PDPTE_SIZE: u64 = 1 << 30;
const PML4E_SIZE: u64 = 1 << 39;

// The window must begin on a large page and lie within one page directory.
const _: () = assert!(Jos64::KERNBASE.is_multiple_of(PDE_SIZE) && Jos64::PHYS_BASE == 0);
const _: () = assert!(Jos64::WINDOW_SIZE.is_multiple_of(PDE_SIZE));
const _: () = assert!(Jos64::KERNBASE % PDPTE_SIZE + Jos64::WINDOW_SIZE <= PDPTE_SIZE);

/// One table of any level. The processor sets accessed and dirty bits in it, hence atomics.
#[repr(C, align(4096))]
pub struct Table([AtomicPtr<Table>; NPTENTRIES as usize]);

const _: () = assert!(size_of::<Table>() as u64 == layout::PGSIZE);

impl Table {
    const fn empty() -> Self {
        Self([const { AtomicPtr::new(ptr::null_mut()) }; NPTENTRIES as usize])
    }

    /// A page directory that shows physical [0, `WINDOW_SIZE`) from `va` on.
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

    /// Enters the table `next`, which is linked at KERNBASE + its physical address, for `va`.
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

/// The page directory that the kernel starts on (the root, which x86-64 calls PML4).
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "JOS's name")]
pub static entry_pgdir: Table = Table::empty().link(0, PML4E_SIZE, &LOW_DIRECTORY).link(
    Jos64::KERNBASE,
    PML4E_SIZE,
    &HIGH_DIRECTORY,
);

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::Ordering;

    fn entry(table: &Table, i: usize) -> u64 {
        table.0[i].load(Ordering::Relaxed).addr() as u64
    }

    /// The value that `link` must give for `table`, were it linked at its address here.
    fn link_to(table: &Table) -> u64 {
        (ptr::from_ref(table).addr() as u64).wrapping_sub(Jos64::KERNBASE) | PTE_W | PTE_P
    }

    /// Walks from the root as the processor does.
    fn translate(va: u64) -> Option<u64> {
        let mut table = &entry_pgdir;
        for (level, next) in [
            (PML4E_SIZE, [&LOW_DIRECTORY, &HIGH_DIRECTORY]),
            (PDPTE_SIZE, [&LOW_PAGES, &HIGH_PAGES]),
        ] {
            let e = entry(table, index(va, level));
            table = next.into_iter().find(|next| e == link_to(next))?;
        }
        let e = entry(table, index(va, PDE_SIZE));
        (e & PTE_P != 0).then(|| {
            assert_eq!(e % PDE_SIZE, PTE_PS | PTE_W | PTE_P, "flags of {va:#x}");
            e - e % PDE_SIZE + va % PDE_SIZE
        })
    }

    #[test]
    fn maps_the_window_twice_and_nothing_else() {
        let step = if cfg!(miri) { 16 * PDE_SIZE + 0x1000 } else { 0x1000 };
        for pa in (0..Jos64::WINDOW_SIZE).step_by(step as usize) {
            assert_eq!(translate(pa), Some(pa));
            assert_eq!(translate(Jos64::KERNBASE + pa), Some(pa));
        }
        let used = |table: &Table| (0..512).filter(|&i| entry(table, i) != 0).count();
        assert_eq!(used(&entry_pgdir), 2);
        assert_eq!((used(&LOW_DIRECTORY), used(&HIGH_DIRECTORY)), (1, 1));
        assert_eq!((used(&LOW_PAGES), used(&HIGH_PAGES)), (128, 128));
    }
}
